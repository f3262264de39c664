//! Edits of activations.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::visible::VisibleKeys;

/// A hook of a block at which activations can be changed, in the order of the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// `hook_resid_pre`; its only index is 0, as of every hook in the residual stream.
    ResidPre,
    /// `attn.hook_q`, before any rotation; its indices are heads.
    Q,
    /// `attn.hook_k`, before any rotation; its indices are heads.
    K,
    /// `attn.hook_v`; its indices are heads.
    V,
    /// `attn.hook_pattern`; its indices are heads, its positions queries.
    Pattern,
    /// `attn.hook_z`; its indices are heads.
    Z,
    /// `hook_attn_out`.
    AttnOut,
    /// `hook_resid_mid`.
    ResidMid,
    /// `mlp.hook_pre`; its indices are neurons.
    Pre,
    /// `mlp.hook_post`; its indices are neurons.
    Post,
    /// `hook_mlp_out`.
    MlpOut,
    /// `hook_resid_post`: in the last block, what the logits alone read.
    ResidPost,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 12] = [
        Self::ResidPre,
        Self::Q,
        Self::K,
        Self::V,
        Self::Pattern,
        Self::Z,
        Self::AttnOut,
        Self::ResidMid,
        Self::Pre,
        Self::Post,
        Self::MlpOut,
        Self::ResidPost,
    ];

    /// TransformerLens' name without the block and `hook_`: `resid_pre`, for example.
    pub fn site(self) -> &'static str {
        match self {
            Self::ResidPre => "resid_pre",
            Self::Q => "q",
            Self::K => "k",
            Self::V => "v",
            Self::Pattern => "pattern",
            Self::Z => "z",
            Self::AttnOut => "attn_out",
            Self::ResidMid => "resid_mid",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::MlpOut => "mlp_out",
            Self::ResidPost => "resid_post",
        }
    }

    /// TransformerLens' name in a block.
    pub fn name(self, layer: usize) -> String {
        let part = match self {
            Self::Q | Self::K | Self::V | Self::Pattern | Self::Z => "attn.",
            Self::Pre | Self::Post => "mlp.",
            Self::ResidPre | Self::AttnOut | Self::ResidMid | Self::MlpOut | Self::ResidPost => "",
        };
        format!("blocks.{layer}.{part}hook_{}", self.site())
    }

    /// Whether its indices are heads.
    pub fn is_of_heads(self) -> bool {
        matches!(self, Self::Q | Self::K | Self::V | Self::Pattern | Self::Z)
    }

    /// Whether the model has it.
    pub fn is_in(self, c: &ModelConfig) -> bool {
        c.has_mlp() || !matches!(self, Self::ResidMid | Self::Pre | Self::Post | Self::MlpOut)
    }

    /// Number of its indices.
    pub fn indices(self, c: &ModelConfig) -> usize {
        match self {
            Self::ResidPre | Self::AttnOut | Self::ResidMid | Self::MlpOut | Self::ResidPost => 1,
            Self::Q | Self::K | Self::V | Self::Pattern | Self::Z => c.n_heads,
            Self::Pre | Self::Post => c.d_mlp,
        }
    }

    /// The part of a block from which an edit makes it run again.
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::ResidPre | Self::Q | Self::K | Self::V => Stage::Input,
            Self::Pattern | Self::Z | Self::AttnOut | Self::ResidMid => Stage::Heads,
            Self::Pre => Stage::Neurons,
            Self::Post | Self::MlpOut | Self::ResidPost => Stage::Output,
        }
    }

    /// Values of one index at a position; of a pattern, none of fixed number.
    pub(super) fn width(self, c: &ModelConfig) -> usize {
        match self {
            Self::ResidPre | Self::AttnOut | Self::ResidMid | Self::MlpOut | Self::ResidPost => c.d_model,
            Self::Q | Self::K | Self::V | Self::Z => c.d_head,
            Self::Pre | Self::Post => 1,
            Self::Pattern => 0,
        }
    }

    /// The first column of an index in the rows of the pass, where queries, keys and values share a row.
    pub(super) fn first(self, c: &ModelConfig, index: usize) -> usize {
        let part = match self {
            Self::K => c.d_heads(),
            Self::V => 2 * c.d_heads(),
            _ => 0,
        };
        part + index * self.width(c)
    }
}

/// The part of a block from which an edit makes it run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The embeddings, of the first block alone.
    Embedding,
    /// The whole block.
    Input,
    /// What the heads write.
    Heads,
    /// The neurons.
    Neurons,
    /// What the neurons write.
    Output,
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
    /// Whether a position is among them.
    pub fn has(&self, position: usize) -> bool {
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
    /// The activation of another sequence at the same position: activation patching, and resample ablation.
    Donor,
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
            hook => hook.width(config),
        };
        let positions = (0..len).filter(|&position| self.positions.has(position));
        self.indices.len() * positions.map(width).sum::<usize>()
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.hook {
            Hook::Z => "head",
            Hook::Post => "neuron",
            hook => hook.site(),
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
            Change::Donor => "from another sequence",
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
    /// Its value at the same position of another sequence.
    Resample,
}

impl AblationKind {
    /// The next one, after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Zero => Self::Mean,
            Self::Mean => Self::MeanPosition,
            Self::MeanPosition => Self::Resample,
            Self::Resample => Self::Zero,
        }
    }

    /// In one word, as an option of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Mean => "mean",
            Self::MeanPosition => "mean-position",
            Self::Resample => "resample",
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
    pub(super) fn fill(self, query: usize, keys: &VisibleKeys, row: &mut [f32]) {
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
