//! Edits as the user writes them: a site, what its values become, and who sees the change.

use std::fmt;

use super::config::ModelConfig;
use super::edit::{Hook, PatternKind, Positions, Stage};
use super::ids::HeadId;
use super::places::Places;
use super::rule_table::EditTable;
use super::visible::VisibleKeys;
use crate::task::{Class, Token};

/// An activation that a rule changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// `hook_embed`.
    Embed,
    /// `hook_pos_embed`, where it is added to the residual stream.
    PosEmbed,
    /// A hook of a block.
    Of(Hook),
}

impl From<Hook> for Site {
    fn from(hook: Hook) -> Self {
        Self::Of(hook)
    }
}

impl Site {
    /// TransformerLens' name without the block and `hook_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::PosEmbed => "pos_embed",
            Self::Of(hook) => hook.site(),
        }
    }

    /// Number of its indices.
    pub fn indices(self, c: &ModelConfig) -> usize {
        match self {
            Self::Of(hook) => hook.indices(c),
            Self::Embed | Self::PosEmbed => 1,
        }
    }

    /// The first column of an index in the rows of the pass.
    pub(super) fn first(self, c: &ModelConfig, index: usize) -> usize {
        match self {
            Self::Of(hook) => hook.first(c, index),
            Self::Embed | Self::PosEmbed => 0,
        }
    }

    /// The part of a block from which an edit makes it run again.
    pub(super) fn stage(self) -> Stage {
        match self {
            Self::Embed | Self::PosEmbed => Stage::Embedding,
            Self::Of(hook) => hook.stage(),
        }
    }

    /// Values of one index at a position; of a pattern, none of fixed number.
    pub fn width(self, c: &ModelConfig) -> usize {
        match self {
            Self::Of(hook) => hook.width(c),
            Self::Embed | Self::PosEmbed => c.d_model,
        }
    }
}

/// A vector in the space of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditDirection {
    /// The unembedding of a class, minus that of another if given.
    Class(Class, Option<Class>),
    /// The mean over positions with this target, minus the mean over those with the other target, or with any other.
    Mean(Class, Option<Class>),
    /// What a linear probe of a class reads: the least-squares fit of whether the target is this class.
    Probe(Class),
}

/// What the values of a rule become.
#[derive(Clone, Debug, PartialEq)]
pub enum Becomes {
    /// 0.
    Zero,
    /// Their mean over a data set and all positions; of a pattern, the mean attention to each key, whatever the query.
    Mean,
    /// Their mean over a data set at the same position.
    MeanPosition,
    /// Those of another sequence of the data set.
    Resample,
    /// Those of this sequence.
    From(Vec<Token>),
    /// This number.
    Set(f32),
    /// This number more, or so many times a direction.
    Add(f32, Option<EditDirection>),
    /// So many times as much.
    Scale(f32),
    /// No less than the first number, and no more than the second.
    Clamp(f32, f32),
    /// Themselves without their component along a direction.
    Without(EditDirection),
    /// An attention pattern of this kind.
    Pattern(PatternKind),
    /// The head's own pattern without these keys, its rows divided by the sum of the rest.
    Unseen(Places),
}

/// The only reader that sees a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The queries, keys or values of a head.
    Head(Hook, HeadId),
    /// The MLP of a layer.
    Mlp(usize),
    /// The final norm and the unembedding.
    Logits,
}

/// An edit as the user writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct EditRule {
    /// Activation.
    pub site: Site,
    /// Block; 0 for the embeddings.
    pub layer: usize,
    /// Heads or neurons, or 0.
    pub indices: Vec<usize>,
    /// Positions; all if none are named.
    pub places: Option<Places>,
    /// What the values become.
    pub becomes: Becomes,
    /// The only reader that sees the change; all if none is named.
    pub reader: Option<Reader>,
    /// As written.
    pub(super) table: EditTable,
}

impl EditRule {
    /// Its positions in a sequence.
    pub fn positions(&self, tokens: &[Token]) -> Positions {
        self.places.as_ref().map_or(Positions::All, |places| places.of(tokens))
    }

    /// Number of values changed in a sequence; for a pattern, only keys that the query sees count.
    pub fn cells(&self, config: &ModelConfig, (tokens, keys): (&[Token], &VisibleKeys)) -> usize {
        let places = self.positions(tokens);
        let hidden = match &self.becomes {
            Becomes::Unseen(hidden) => Some(hidden.of(tokens)),
            _ => None,
        };
        let is_changed = |key: &usize| hidden.as_ref().is_none_or(|hidden| hidden.has(*key));
        let width = |position: usize| match self.site {
            Site::Of(Hook::Pattern) => keys.of(position).filter(is_changed).count(),
            site => site.width(config),
        };
        let positions = (0..tokens.len()).filter(|&position| places.has(position));
        self.indices.len() * positions.map(width).sum::<usize>()
    }

    /// Whether its values follow from a data set.
    pub fn needs_data(&self) -> bool {
        match &self.becomes {
            Becomes::Mean | Becomes::MeanPosition => true,
            Becomes::Add(_, Some(direction)) | Becomes::Without(direction) => {
                !matches!(direction, EditDirection::Class(..))
            }
            _ => false,
        }
    }

    /// The table of a file that says it.
    pub fn table(&self) -> &EditTable {
        &self.table
    }
}

impl fmt::Display for EditRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}
