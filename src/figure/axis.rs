//! The axes of a figure.

use std::ops::Range;
use std::sync::Arc;

use super::Datum;
use crate::model::ModelConfig;
use crate::task::{Answers, Class, Task, Token};

/// The kinds of axes, under the names that exported tables use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Blocks.
    Layer,
    /// Heads of a block, or of all blocks by name.
    Head,
    /// Heads of all blocks by name, as the earlier one of two.
    EarlierHead,
    /// Heads of all blocks by name, as the later one of two.
    LaterHead,
    /// Neurons of a block.
    Neuron,
    /// Sequences of a set.
    Sequence,
    /// Positions of a sequence.
    Position,
    /// Positions that attend.
    Query,
    /// Positions that are attended to.
    Key,
    /// Tokens of the input vocabulary.
    Token,
    /// Tokens of the input vocabulary, as queries.
    QueryToken,
    /// Classes of the output vocabulary.
    Class,
    /// Classes of the output vocabulary, as predictions.
    Predicted,
    /// Groups of the task's situations.
    Situation,
    /// Kinds of predictions.
    Answer,
    /// Components.
    Component,
    /// Places in the residual stream, in the order of the pass.
    Place,
    /// Optimiser steps.
    Step,
    /// Without edits, with edits, and with each random set to compare.
    Edits,
    /// Factors of edited values, or numbers in their place.
    Dose,
    /// Sets of heads or neurons.
    Set,
    /// Hypotheses about neurons.
    Hypothesis,
    /// Values of a feature, or intervals of them.
    Bin,
    /// Parts of a sum.
    Part,
    /// Ranks, from the largest.
    Rank,
    /// Frequencies on a circle of tokens, from 1.
    Frequency,
    /// Vectors that are projected.
    Point,
    /// Directions that vectors are projected on.
    Direction,
    /// First operands.
    First,
    /// Second operands.
    Second,
}

impl Dim {
    /// Its name in the singular.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Head => "head",
            Self::EarlierHead => "earlier_head",
            Self::LaterHead => "later_head",
            Self::Neuron => "neuron",
            Self::Sequence => "sequence",
            Self::Position => "position",
            Self::Query => "query",
            Self::Key => "key",
            Self::Token => "token",
            Self::QueryToken => "query_token",
            Self::Class => "class",
            Self::Predicted => "predicted",
            Self::Situation => "situation",
            Self::Answer => "answer",
            Self::Component => "component",
            Self::Place => "place",
            Self::Step => "step",
            Self::Edits => "edits",
            Self::Dose => "dose",
            Self::Set => "set",
            Self::Hypothesis => "hypothesis",
            Self::Bin => "value",
            Self::Part => "part",
            Self::Rank => "rank",
            Self::Frequency => "frequency",
            Self::Point => "point",
            Self::Direction => "direction",
            Self::First => "a",
            Self::Second => "b",
        }
    }
}

#[derive(Clone, Debug)]
enum Names {
    Numbers(Range<usize>),
    Words(Arc<[String]>),
    Steps(Arc<[usize]>),
    Tokens(Arc<dyn Task>),
    Classes(Arc<dyn Task>),
}

/// One axis of a figure: its dimension, and the name of each entry.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The dimension.
    pub dim: Dim,
    names: Names,
}

impl Axis {
    /// Entries numbered from 0.
    pub fn counted(dim: Dim, len: usize) -> Self {
        Self { dim, names: Names::Numbers(0..len) }
    }

    /// Frequencies 1 to `count`.
    pub fn frequencies(count: usize) -> Self {
        Self { dim: Dim::Frequency, names: Names::Numbers(1..count + 1) }
    }

    /// Entries with names.
    pub fn named(dim: Dim, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { dim, names: Names::Words(names.into_iter().map(Into::into).collect()) }
    }

    /// Optimiser steps.
    pub fn steps(steps: impl IntoIterator<Item = usize>) -> Self {
        Self { dim: Dim::Step, names: Names::Steps(steps.into_iter().collect()) }
    }

    /// Every head: layer, then head.
    pub fn heads(of: &ModelConfig) -> [Self; 2] {
        [Self::counted(Dim::Layer, of.n_layers), Self::counted(Dim::Head, of.n_heads)]
    }

    /// The tokens of a task.
    pub fn tokens(task: &Arc<dyn Task>) -> Self {
        Self { dim: Dim::Token, names: Names::Tokens(Arc::clone(task)) }
    }

    /// The tokens of a task, as queries.
    pub fn query_tokens(task: &Arc<dyn Task>) -> Self {
        Self { dim: Dim::QueryToken, ..Self::tokens(task) }
    }

    /// The classes of a task.
    pub fn classes(task: &Arc<dyn Task>) -> Self {
        Self { dim: Dim::Class, names: Names::Classes(Arc::clone(task)) }
    }

    /// The classes of a task, as predictions.
    pub fn predicted(task: &Arc<dyn Task>) -> Self {
        Self { dim: Dim::Predicted, ..Self::classes(task) }
    }

    /// The groups of all of a task's situations: `lead tie`.
    pub fn situations(task: &dyn Task) -> Self {
        let groups = |one: &'static crate::task::Situation| {
            one.values.iter().map(move |value| format!("{} {value}", one.name))
        };
        Self::named(Dim::Situation, task.situations().iter().flat_map(groups))
    }

    /// The kinds of a task's answers: `at ties smallest`.
    pub fn answers(of: &Answers) -> Self {
        Self::named(Dim::Answer, of.values.iter().map(|value| format!("{} {value}", of.name)))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        match &self.names {
            Names::Numbers(range) => range.len(),
            Names::Words(names) => names.len(),
            Names::Steps(steps) => steps.len(),
            Names::Tokens(task) => task.vocabulary().len(),
            Names::Classes(task) => task.outputs().len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether two axes have the same entries; those of a vocabulary are of the same task.
    pub fn is_like(&self, other: &Self) -> bool {
        let are_alike = match (&self.names, &other.names) {
            (Names::Numbers(ours), Names::Numbers(theirs)) => ours == theirs,
            (Names::Words(ours), Names::Words(theirs)) => ours == theirs,
            (Names::Steps(ours), Names::Steps(theirs)) => ours == theirs,
            _ => self.len() == other.len(),
        };
        self.dim == other.dim && are_alike
    }

    /// The name of an entry, which must exist.
    pub fn name(&self, at: usize) -> Datum {
        match &self.names {
            Names::Numbers(range) => Datum::Whole(range.start + at),
            Names::Words(names) => Datum::Text(names[at].clone()),
            Names::Steps(steps) => Datum::Whole(steps[at]),
            Names::Tokens(task) => Datum::token(&**task, at as Token),
            Names::Classes(task) => Datum::class(&**task, at as Class),
        }
    }
}
