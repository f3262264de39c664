//! Edits of activations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::ids::{HeadId, NeuronId};
use super::visible::VisibleKeys;

/// A hook of a block at which activations can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `attn.hook_pattern`; its indices are heads, its positions queries.
    Pattern,
    /// `attn.hook_z`; its indices are heads.
    Z,
    /// `mlp.hook_post`; its indices are neurons.
    Post,
}

impl Hook {
    /// TransformerLens' name in a block.
    pub fn name(self, layer: usize) -> String {
        let hook = match self {
            Self::Pattern => "attn.hook_pattern",
            Self::Z => "attn.hook_z",
            Self::Post => "mlp.hook_post",
        };
        format!("blocks.{layer}.{hook}")
    }
}

/// Positions of an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Positions {
    /// Every one.
    #[default]
    All,
    /// These positions; those after the end of a sequence are ignored.
    Only(BTreeSet<usize>),
}

impl Positions {
    fn has(&self, position: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(positions) => positions.contains(&position),
        }
    }
}

/// The replacement of an edited value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// 0.
    Zero,
    /// Its mean over a set of sequences and all their positions.
    Mean,
    /// Its mean over a set of sequences at the same position.
    MeanPosition,
    /// An attention pattern in place of the head's own.
    Pattern(PatternKind),
}

/// A change to an activation: a hook of a block, indices, positions, and the replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Block.
    pub layer: usize,
    /// Activation.
    pub hook: Hook,
    /// Heads or neurons.
    pub indices: Vec<usize>,
    /// Positions.
    pub positions: Positions,
    /// The replacement.
    pub change: Change,
}

impl Edit {
    /// Number of values replaced in a sequence; for a pattern, only keys that the query sees count.
    pub fn cells(&self, config: &ModelConfig, keys: &VisibleKeys) -> usize {
        let len = keys.len();
        let width = |position: usize| match self.hook {
            Hook::Pattern => keys.of(position).count(),
            Hook::Z => config.d_head,
            Hook::Post => 1,
        };
        let positions = (0..len).filter(|&position| self.positions.has(position));
        self.indices.len() * positions.map(width).sum::<usize>()
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.hook {
            Hook::Pattern => "pattern",
            Hook::Z => "head",
            Hook::Post => "neuron",
        };
        let places: Vec<String> =
            self.indices.iter().map(|index| format!("{noun} {}.{index}", self.layer)).collect();
        let change = match self.change {
            Change::Zero => "to zero",
            Change::Mean => "to its mean",
            Change::MeanPosition => "to its mean at each position",
            Change::Pattern(PatternKind::Uniform) => "uniform",
            Change::Pattern(PatternKind::Identity) => "identity",
            Change::Pattern(PatternKind::Previous) => "previous",
        };
        write!(f, "{} {change}", places.join(", "))?;
        match &self.positions {
            Positions::All => Ok(()),
            Positions::Only(positions) => write!(f, " at {positions:?}"),
        }
    }
}

/// The replacement of an ablated value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AblationKind {
    /// 0.
    #[default]
    Zero,
    /// Its mean over a set of sequences and all their positions.
    Mean,
    /// Its mean over a set of sequences at the same position.
    MeanPosition,
}

impl AblationKind {
    /// The next one, after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Zero => Self::Mean,
            Self::Mean => Self::MeanPosition,
            Self::MeanPosition => Self::Zero,
        }
    }
}

/// An attention pattern that replaces a head's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatternKind {
    /// Equal attention to every key that the query sees.
    Uniform,
    /// The query itself.
    Identity,
    /// The key before the query; the first query attends to itself.
    Previous,
}

impl PatternKind {
    /// Fills the row of one query, `[key]`. The row sums to 1, or to 0 if it is uniform and the query sees no key.
    fn fill(self, query: usize, keys: &VisibleKeys, row: &mut [f32]) {
        row.fill(0.0);
        match self {
            Self::Uniform => {
                let share = 1.0 / keys.of(query).count() as f32;
                keys.of(query).for_each(|key| row[key] = share);
            }
            Self::Identity => row[query] = 1.0,
            Self::Previous => row[query.saturating_sub(1)] = 1.0,
        }
    }
}

/// The edits of the screen and the command line: heads ablated at `attn.hook_z`, neurons at `mlp.hook_post`, patterns
/// replaced at `attn.hook_pattern`, usually at every position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interventions {
    /// Ablated heads.
    pub heads: BTreeSet<HeadId>,
    /// Ablated neurons.
    pub neurons: BTreeSet<NeuronId>,
    /// The replacement for ablated heads and neurons.
    pub kind: AblationKind,
    /// Attention-pattern overrides by head.
    pub patterns: BTreeMap<HeadId, PatternKind>,
    /// The positions of all of them; of a pattern, its queries.
    pub positions: Positions,
}

impl Interventions {
    /// Whether there are no interventions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of heads and neurons switched off, and of patterns replaced.
    pub fn len(&self) -> usize {
        self.heads.len() + self.neurons.len() + self.patterns.len()
    }

    /// Switches a head off, or on again.
    pub fn toggle_head(&mut self, id: HeadId) {
        if !self.heads.remove(&id) {
            self.heads.insert(id);
        }
    }

    /// Switches a neuron off, or on again.
    pub fn toggle_neuron(&mut self, id: NeuronId) {
        if !self.neurons.remove(&id) {
            self.neurons.insert(id);
        }
    }

    /// Removes all interventions.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.neurons.clear();
        self.patterns.clear();
    }

    /// The interventions as a list of edits.
    pub fn edits(&self) -> Vec<Edit> {
        let change = match self.kind {
            AblationKind::Zero => Change::Zero,
            AblationKind::Mean => Change::Mean,
            AblationKind::MeanPosition => Change::MeanPosition,
        };
        let edit = |layer, hook, index, change| Edit {
            layer,
            hook,
            indices: vec![index],
            positions: self.positions.clone(),
            change,
        };
        let heads = self.heads.iter().map(|id| edit(id.layer, Hook::Z, id.head, change));
        let neurons = self.neurons.iter().map(|id| edit(id.layer, Hook::Post, id.neuron, change));
        let pattern = |(id, kind): (&HeadId, &PatternKind)| {
            edit(id.layer, Hook::Pattern, id.head, Change::Pattern(*kind))
        };
        heads.chain(neurons).chain(self.patterns.iter().map(pattern)).collect()
    }

    /// Number of values replaced in a sequence.
    pub fn cells(&self, config: &ModelConfig, keys: &VisibleKeys) -> usize {
        self.edits().iter().map(|edit| edit.cells(config, keys)).sum()
    }

    /// The replacement values. Without `means`, ablation to the mean becomes ablation to zero.
    pub fn patch(&self, config: &ModelConfig, means: Option<&Means>) -> Patch {
        Patch::new(config, &self.edits(), means)
    }
}

/// Activations to replace others by, by layer: means over sequences and positions, means over sequences at each
/// position, or those of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// Of `attn.hook_z`, `[rows, n_heads, d_head]`.
    pub z: Vec<Vec<f32>>,
    /// Of `mlp.hook_post`, `[rows, d_mlp]`.
    pub post: Vec<Vec<f32>>,
    /// 1 for all positions alike, else one row per position; positions without a row stay as they are.
    pub rows: usize,
    /// Number of sequences averaged.
    pub sequences: usize,
}

/// Edits in the form that a pass applies: values by layer.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// One per layer; empty ones change nothing.
    pub(super) blocks: Vec<BlockEdit>,
}

impl Patch {
    /// The edits of a block.
    pub(super) fn block(&self, layer: usize) -> &BlockEdit {
        static NOTHING: BlockEdit = BlockEdit { z: Vec::new(), post: Vec::new(), patterns: Vec::new() };
        self.blocks.get(layer).unwrap_or(&NOTHING)
    }
}

/// The edits of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockEdit {
    z: Vec<Columns>,
    post: Vec<Columns>,
    pub(super) patterns: Vec<PatternEdit>,
}

/// The columns from `first` on are replaced by `values`, `[rows, width]`, at some positions.
#[derive(Clone, Debug)]
struct Columns {
    first: usize,
    width: usize,
    values: Vec<f32>,
    positions: Positions,
}

/// Replaces a head's pattern at some queries.
#[derive(Clone, Debug)]
pub(super) struct PatternEdit {
    pub(super) head: usize,
    kind: PatternKind,
    positions: Positions,
}

impl Patch {
    /// The patch of these edits. Without `means`, a change to the mean becomes a change to zero. Panics if a pattern is
    /// set anywhere but at [`Hook::Pattern`], or anything else is set there.
    pub fn new(config: &ModelConfig, edits: &[Edit], means: Option<&Means>) -> Self {
        let mut patch = Self { blocks: vec![BlockEdit::default(); config.n_layers] };
        for edit in edits {
            let block = &mut patch.blocks[edit.layer];
            for &index in &edit.indices {
                block.add(edit, index, if edit.hook == Hook::Z { config.d_head } else { 1 }, means);
            }
        }
        patch
    }
}

impl BlockEdit {
    /// Adds one index of an edit, with `width` values.
    fn add(&mut self, edit: &Edit, index: usize, width: usize, means: Option<&Means>) {
        let (first, positions) = (index * width, edit.positions.clone());
        let means = means.filter(|_| edit.change != Change::Zero);
        let columns = |of: fn(&Means) -> &Vec<Vec<f32>>| {
            let values = means.map_or(vec![0.0; width], |means| {
                let values = &of(means)[edit.layer];
                let rows = values.chunks_exact(values.len() / means.rows);
                rows.flat_map(|row| row[first..first + width].iter().copied()).collect()
            });
            Columns { first, width, values, positions: positions.clone() }
        };
        match (edit.hook, edit.change) {
            (Hook::Z, Change::Zero | Change::Mean | Change::MeanPosition) => {
                self.z.push(columns(|means| &means.z));
            }
            (Hook::Post, Change::Zero | Change::Mean | Change::MeanPosition) => {
                self.post.push(columns(|means| &means.post));
            }
            (Hook::Pattern, Change::Pattern(kind)) => {
                self.patterns.push(PatternEdit { head: index, kind, positions });
            }
            (hook, change) => panic!("{} cannot become {change:?}", hook.name(edit.layer)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.post.is_empty() && !self.touches_attention()
    }

    pub(super) fn touches_attention(&self) -> bool {
        !(self.z.is_empty() && self.patterns.is_empty())
    }

    /// Edits the rows of a sequence at these positions.
    pub(super) fn apply_to_z(&self, z: &mut [f32], positions: &[usize]) {
        self.z.iter().for_each(|columns| columns.apply(z, positions));
    }

    /// Edits the rows of a sequence at these positions.
    pub(super) fn apply_to_post(&self, post: &mut [f32], positions: &[usize]) {
        self.post.iter().for_each(|columns| columns.apply(post, positions));
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
        for (&query, row) in positions.iter().zip(pattern.chunks_exact_mut(keys.len())) {
            if self.positions.has(query) {
                self.kind.fill(query, keys, row);
            }
        }
    }
}
