//! Edits in the form that a pass applies.

use super::config::ModelConfig;
use super::edit::{Change, Edit, Hook, Means, PatternKind, Positions};
use super::visible::VisibleKeys;

/// Edits in the form that a pass applies: values by layer.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// One per layer; empty ones change nothing.
    pub(super) blocks: Vec<BlockEdit>,
}

/// The edits of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockEdit {
    columns: Vec<Columns>,
    pub(super) patterns: Vec<PatternEdit>,
}

/// The columns of a hook from `first` on are replaced by `values`, `[rows, width]`, at some positions.
#[derive(Clone, Debug)]
struct Columns {
    hook: Hook,
    first: usize,
    width: usize,
    values: Vec<f32>,
    positions: Positions,
}

/// Replaces a head's pattern at some queries.
#[derive(Clone, Debug)]
pub(super) struct PatternEdit {
    pub(super) head: usize,
    rows: PatternRows,
    positions: Positions,
}

/// The rows of a replaced pattern.
#[derive(Clone, Debug)]
enum PatternRows {
    Kind(PatternKind),
    /// `[query, key]`, of a sequence of the same length.
    Donor(Vec<f32>),
}

/// The part of a block from which an edit makes it run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The whole block.
    Input,
    /// What the heads write.
    Heads,
    /// The neurons.
    Neurons,
    /// What the neurons write.
    Output,
}

impl Hook {
    fn stage(self) -> Stage {
        match self {
            Self::ResidPre | Self::Q | Self::K | Self::V => Stage::Input,
            Self::Pattern | Self::Z | Self::AttnOut | Self::ResidMid => Stage::Heads,
            Self::Pre => Stage::Neurons,
            Self::Post | Self::MlpOut => Stage::Output,
        }
    }
}

impl Means {
    /// The means of a hook in a layer, `[rows, columns]`.
    fn of(&self, hook: Hook, layer: usize) -> &[f32] {
        match hook {
            Hook::Z => &self.z[layer],
            Hook::Post => &self.post[layer],
            hook => panic!("no mean of {}", hook.name(layer)),
        }
    }
}

impl Patch {
    /// The patch of these edits, whose means, or values of a donor, are `means`; without them, a change to these becomes a
    /// change to zero. Panics if a pattern is set anywhere but at [`Hook::Pattern`], or anything else is set there; and at a
    /// hook other than those of [`Means`].
    pub fn new(config: &ModelConfig, edits: &[Edit], means: Option<&Means>) -> Self {
        Self::of(config, edits, |edit, index| {
            let (first, width) = (index * edit.hook.width(config), edit.hook.width(config));
            let means = means.filter(|_| edit.change != Change::Zero);
            means.map_or(vec![0.0; width], |means| {
                let values = means.of(edit.hook, edit.layer);
                rows_of(values, values.len() / means.rows, first..first + width)
            })
        })
    }

    /// The patch of edits whose values, `[rows, width]` for each index, are given.
    pub(super) fn of(
        config: &ModelConfig,
        edits: &[Edit],
        values: impl Fn(&Edit, usize) -> Vec<f32>,
    ) -> Self {
        let mut patch = Self { blocks: vec![BlockEdit::default(); config.n_layers] };
        for edit in edits {
            let (block, hook) = (&mut patch.blocks[edit.layer], edit.hook);
            for &index in &edit.indices {
                let positions = edit.positions.clone();
                match (hook, edit.change) {
                    (Hook::Pattern, Change::Pattern(kind)) => {
                        let rows = PatternRows::Kind(kind);
                        block.patterns.push(PatternEdit { head: index, rows, positions });
                    }
                    (Hook::Pattern, Change::Donor) => {
                        let rows = PatternRows::Donor(values(edit, index));
                        block.patterns.push(PatternEdit { head: index, rows, positions });
                    }
                    (Hook::Pattern, change) | (_, change @ Change::Pattern(_)) => {
                        panic!("{} cannot become {change:?}", hook.name(edit.layer))
                    }
                    _ => {
                        let (first, width) = (hook.first(config, index), hook.width(config));
                        let values = values(edit, index);
                        block.columns.push(Columns { hook, first, width, values, positions });
                    }
                }
            }
        }
        patch
    }

    /// Adds the edits of another patch.
    pub fn extend(&mut self, other: Self) {
        self.blocks.resize_with(self.blocks.len().max(other.blocks.len()), BlockEdit::default);
        for (block, more) in self.blocks.iter_mut().zip(other.blocks) {
            block.columns.extend(more.columns);
            block.patterns.extend(more.patterns);
        }
    }

    /// The edits of a block.
    pub(super) fn block(&self, layer: usize) -> &BlockEdit {
        static NOTHING: BlockEdit = BlockEdit { columns: Vec::new(), patterns: Vec::new() };
        self.blocks.get(layer).unwrap_or(&NOTHING)
    }

    /// The first block with an edit, and the stage from which it runs again.
    pub(super) fn start(&self) -> Option<(usize, Stage)> {
        let stages = self.blocks.iter().map(BlockEdit::stage);
        stages.enumerate().find_map(|(layer, stage)| Some((layer, stage?)))
    }
}

/// Some columns of every row.
pub(super) fn rows_of(values: &[f32], columns: usize, range: std::ops::Range<usize>) -> Vec<f32> {
    values.chunks_exact(columns).flat_map(|row| row[range.clone()].iter().copied()).collect()
}

impl BlockEdit {
    fn stage(&self) -> Option<Stage> {
        let patterns = self.patterns.first().map(|_| Stage::Heads);
        self.columns.iter().map(|columns| columns.hook.stage()).chain(patterns).min()
    }

    /// Whether a hook is edited.
    pub(super) fn edits(&self, hook: Hook) -> bool {
        self.columns.iter().any(|columns| columns.hook == hook)
    }

    /// Edits the rows of a sequence at these positions.
    pub(super) fn apply(&self, hook: Hook, rows: &mut [f32], positions: &[usize]) {
        let columns = self.columns.iter().filter(|columns| columns.hook == hook);
        columns.for_each(|columns| columns.apply(rows, positions));
    }
}

impl Columns {
    fn apply(&self, rows: &mut [f32], positions: &[usize]) {
        let is_same = self.values.len() == self.width;
        let width = rows.len() / positions.len().max(1);
        for (&position, row) in positions.iter().zip(rows.chunks_exact_mut(width.max(1))) {
            let from = if is_same { 0 } else { position * self.width };
            if let Some(values) = self.values.get(from..from + self.width)
                && self.positions.has(position)
            {
                row[self.first..self.first + self.width].copy_from_slice(values);
            }
        }
    }
}

impl PatternEdit {
    /// Replaces rows of the head's pattern, `[query, key]`, with the queries at these positions.
    pub(super) fn apply(&self, pattern: &mut [f32], positions: &[usize], keys: &VisibleKeys) {
        let len = keys.len();
        for (&query, row) in positions.iter().zip(pattern.chunks_exact_mut(len)) {
            if !self.positions.has(query) {
                continue;
            }
            match &self.rows {
                PatternRows::Kind(kind) => kind.fill(query, keys, row),
                PatternRows::Donor(rows) if rows.len() == len * len => {
                    row.copy_from_slice(&rows[query * len..(query + 1) * len]);
                }
                PatternRows::Donor(_) => {}
            }
        }
    }
}
