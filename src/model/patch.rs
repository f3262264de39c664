//! Edits in the form that a pass applies.

use std::collections::BTreeSet;

use super::config::ModelConfig;
use super::edit::{Change, Edit, Hook, Means, PatternKind, Positions, Stage};
use super::rule::Site;
use super::visible::VisibleKeys;
use crate::task::Token;

/// Edits in the form that a pass applies: values by layer.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// One per layer; empty ones change nothing.
    pub(super) blocks: Vec<BlockEdit>,
}

/// The patch of a sequence.
pub type PatchOf = dyn Fn(&[Token]) -> Patch + Send + Sync;

/// The edits of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockEdit {
    pub(super) columns: Vec<Columns>,
    pub(super) patterns: Vec<PatternEdit>,
}

/// The columns of a site from `first` on are changed by `values`, `[rows, width]`, at some positions.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) site: Site,
    pub(super) first: usize,
    pub(super) width: usize,
    pub(super) op: Op,
    values: Vec<f32>,
    positions: Positions,
}

/// What happens to a row of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// The given values take its place.
    Put,
    /// The given values are added.
    Add,
    /// It is multiplied by a number.
    Scale(f32),
    /// Each value is raised to the first number and lowered to the second.
    Clamp(f32, f32),
    /// Its component along the given vector is removed.
    Remove,
}

impl Op {
    /// Changes a row.
    pub fn apply(self, row: &mut [f32], values: &[f32]) {
        let pairs = || values.iter().map(|value| f64::from(*value));
        match self {
            Self::Put => row.copy_from_slice(values),
            Self::Add => row.iter_mut().zip(values).for_each(|(x, value)| *x += value),
            Self::Scale(by) => row.iter_mut().for_each(|x| *x *= by),
            Self::Clamp(low, high) => row.iter_mut().for_each(|x| *x = x.clamp(low, high)),
            Self::Remove => {
                let square: f64 = pairs().map(|value| value * value).sum();
                let along: f64 = row.iter().zip(pairs()).map(|(x, value)| f64::from(*x) * value).sum();
                let share = if square > 0.0 { along / square } else { 0.0 };
                row.iter_mut().zip(pairs()).for_each(|(x, value)| *x -= (share * value) as f32);
            }
        }
    }
}

/// Replaces a head's pattern at some queries.
#[derive(Clone, Debug)]
pub(super) struct PatternEdit {
    pub(super) head: usize,
    pub(super) rows: PatternRows,
    pub(super) positions: Positions,
}

/// The rows of a replaced pattern.
#[derive(Clone, Debug)]
pub enum PatternRows {
    /// A pattern of this kind.
    Kind(PatternKind),
    /// `[query, key]`, of a sequence of the same length.
    Donor(Vec<f32>),
    /// `[queries, width]`, or one row for all queries, each divided by its sum over the keys that the query sees; queries
    /// after the last keep their own.
    Table {
        /// The rows.
        values: Vec<f32>,
        /// Keys in a row.
        width: usize,
    },
    /// The head's own, without these keys, divided by the sum of the rest.
    Without(BTreeSet<usize>),
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
                        let (op, values) = (Op::Put, values(edit, index));
                        let site = Site::Of(hook);
                        block.columns.push(Columns { site, first, width, op, values, positions });
                    }
                }
            }
        }
        patch
    }

    /// Changes an index of a site in a block at some positions by `values`, `[rows, width]`: the same row everywhere, or one
    /// row per position, of which those after the last stay as they are.
    pub fn push(
        &mut self,
        config: &ModelConfig,
        (layer, site, index): (usize, impl Into<Site>, usize),
        positions: Positions,
        (op, values): (Op, Vec<f32>),
    ) {
        let site = site.into();
        let (first, width) = (site.first(config, index), site.width(config));
        self.block_mut(config, layer).columns.push(Columns { site, first, width, op, values, positions });
    }

    /// Replaces rows of a head's pattern.
    pub fn push_pattern(
        &mut self,
        config: &ModelConfig,
        (layer, head): (usize, usize),
        positions: Positions,
        rows: PatternRows,
    ) {
        self.block_mut(config, layer).patterns.push(PatternEdit { head, rows, positions });
    }

    /// The same without the edits of a hook in a block.
    #[must_use]
    pub fn without(&self, (layer, hook): (usize, Hook)) -> Self {
        let mut rest = self.clone();
        let block = rest.blocks.get_mut(layer).into_iter();
        block.for_each(|block| block.columns.retain(|columns| columns.site != hook.into()));
        rest
    }

    /// Like [`push`](Self::push), before all other edits.
    pub fn push_first(
        &mut self,
        config: &ModelConfig,
        place: (usize, Hook, usize),
        positions: Positions,
        change: (Op, Vec<f32>),
    ) {
        self.push(config, place, positions, change);
        self.blocks[place.0].columns.rotate_right(1);
    }

    /// Whether any of these hooks of a block is edited.
    pub fn edits(&self, layer: usize, hooks: &[Hook]) -> bool {
        hooks.iter().any(|hook| self.block(layer).edits(*hook))
    }

    /// Edits rows of a site, one for each position.
    pub fn edit_rows(&self, (layer, site): (usize, impl Into<Site>), rows: &mut [f32], len: usize) {
        self.block(layer).apply(site.into(), rows, &(0..len).collect::<Vec<_>>());
    }

    fn block_mut(&mut self, config: &ModelConfig, layer: usize) -> &mut BlockEdit {
        self.blocks.resize_with(self.blocks.len().max(config.n_layers), BlockEdit::default);
        &mut self.blocks[layer]
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
        self.columns.iter().map(|columns| columns.site.stage()).chain(patterns).min()
    }

    /// Whether a site is edited.
    pub(super) fn edits(&self, site: impl Into<Site>) -> bool {
        let site = site.into();
        self.columns.iter().any(|columns| columns.site == site)
    }

    /// Edits the rows of a sequence at these positions.
    pub(super) fn apply(&self, site: Site, rows: &mut [f32], positions: &[usize]) {
        let columns = self.columns.iter().filter(|columns| columns.site == site);
        columns.for_each(|columns| columns.apply(rows, positions));
    }
}

impl Columns {
    /// The values at a position; `None` if it stays.
    pub(super) fn values_at(&self, position: usize) -> Option<&[f32]> {
        let from = if self.values.len() == self.width { 0 } else { position * self.width };
        self.values.get(from..from + self.width).filter(|_| self.positions.has(position))
    }

    pub(super) fn apply(&self, rows: &mut [f32], positions: &[usize]) {
        let width = rows.len() / positions.len().max(1);
        for (&position, row) in positions.iter().zip(rows.chunks_exact_mut(width.max(1))) {
            if let Some(values) = self.values_at(position) {
                self.op.apply(&mut row[self.first..self.first + self.width], values);
            }
        }
    }
}

impl PatternEdit {
    /// Replaces rows of the head's pattern, `[query, key]`, with the queries at these positions.
    pub(super) fn apply(&self, pattern: &mut [f32], positions: &[usize], keys: &VisibleKeys) {
        let len = keys.len();
        for (&query, row) in positions.iter().zip(pattern.chunks_exact_mut(len)) {
            match &self.rows {
                PatternRows::Without(hidden) if self.positions.has(query) => {
                    hidden.iter().filter(|key| **key < len).for_each(|key| row[*key] = 0.0);
                    normalize(row);
                }
                _ if !self.replaces(query, len) => {}
                PatternRows::Kind(kind) => kind.fill(query, keys, row),
                PatternRows::Donor(rows) => row.copy_from_slice(&rows[query * len..(query + 1) * len]),
                PatternRows::Table { values, width } => {
                    let first = if values.len() == *width { 0 } else { query * width };
                    row.fill(0.0);
                    keys.of(query).filter(|key| key < width).for_each(|key| row[key] = values[first + key]);
                    normalize(row);
                }
                PatternRows::Without(_) => {}
            }
        }
    }

    /// Whether another row takes the place of a query's, of so many keys.
    pub(super) fn replaces(&self, query: usize, len: usize) -> bool {
        let has_row = match &self.rows {
            PatternRows::Kind(_) => true,
            PatternRows::Donor(rows) => rows.len() == len * len,
            PatternRows::Table { values, width } => {
                values.len() == *width || (query + 1) * width <= values.len()
            }
            PatternRows::Without(_) => false,
        };
        has_row && self.positions.has(query)
    }
}

/// Divides a row by its sum, unless that is 0.
fn normalize(row: &mut [f32]) {
    let sum: f32 = row.iter().sum();
    if sum > 0.0 {
        row.iter_mut().for_each(|x| *x /= sum);
    }
}
