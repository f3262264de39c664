//! What a number is of.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::model::{AblationKind, Interventions, Snapshot};
use crate::number::count;
use crate::task::Token;

/// The form of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightForm {
    /// As training left them.
    #[default]
    Trained,
    /// With the layer norms folded in, and centred.
    Folded,
}

impl WeightForm {
    /// The form that a flag asks for.
    pub fn of(folded: bool) -> Self {
        if folded { Self::Folded } else { Self::Trained }
    }

    /// Whether the norms are folded in.
    pub fn is_folded(self) -> bool {
        self == Self::Folded
    }

    /// As every number that depends on it is marked on screen.
    pub fn words(self) -> &'static str {
        match self {
            Self::Trained => "trained weights",
            Self::Folded => "folded weights",
        }
    }

    /// As files call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trained => "trained",
            Self::Folded => "folded",
        }
    }
}

/// The inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// None: the weights alone.
    Weights,
    /// One sequence: from 1 to `n_ctx` tokens of the vocabulary.
    Sequence(Arc<[Token]>),
    /// The validation set.
    Validation,
    /// The run's own steps, up to that of the snapshot.
    Training,
}

/// Where weights and data are from, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file of the weights; `None` for those of the run itself.
    pub weights_file: Option<String>,
    /// Whether the weights say after how many steps they were saved.
    pub has_steps: bool,
    /// The task that gives targets and data.
    pub task: String,
    /// Of everything random.
    pub seed: u64,
    /// Sequences of the validation set.
    pub sequences: usize,
}

/// What a number is of: everything that is needed to compute the number again.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The weights, as training left them.
    pub snapshot: Arc<Snapshot>,
    /// The form in which they are looked at.
    pub form: WeightForm,
    /// The inputs.
    pub over: Over,
    /// What is switched off or replaced; of a figure with an edits axis the second entry.
    pub edits: Interventions,
    /// Where weights and data are from.
    pub origin: Arc<Origin>,
    /// The step of a number that a trainer took of weights that are not kept.
    pub taken_at: Option<usize>,
}

impl Subject {
    /// The weights alone, in a form.
    pub fn weights(snapshot: &Arc<Snapshot>, form: WeightForm) -> Self {
        let (snapshot, edits, origin) = (Arc::clone(snapshot), Interventions::default(), Arc::default());
        Self { snapshot, form, over: Over::Weights, edits, origin, taken_at: None }
    }

    /// The same weights over other inputs.
    #[must_use]
    pub fn over(self, over: Over) -> Self {
        Self { over, ..self }
    }

    /// The same with other edits.
    #[must_use]
    pub fn edited(self, edits: &Interventions) -> Self {
        Self { edits: edits.clone(), ..self }
    }

    /// The same from a known origin.
    #[must_use]
    pub fn from(self, origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin), ..self }
    }

    /// Optimiser steps taken.
    pub fn step(&self) -> usize {
        self.taken_at.unwrap_or(self.snapshot.step)
    }

    /// The tokens of the sequence; none of other inputs.
    pub fn tokens(&self) -> &[Token] {
        if let Over::Sequence(tokens) = &self.over { tokens } else { &[] }
    }

    /// Sequences that are looked at.
    pub fn sequences(&self) -> usize {
        match self.over {
            Over::Weights | Over::Training => 0,
            Over::Sequence(_) => 1,
            Over::Validation => self.origin.sequences,
        }
    }

    /// Whether two subjects differ in the step at most.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.form, &self.over, &self.edits) == (other.form, &other.over, &other.edits)
    }

    /// Whether edits put mean activations in place of computed ones.
    pub fn needs_means(&self) -> bool {
        let is_ablated = !(self.edits.heads.is_empty() && self.edits.neurons.is_empty());
        is_ablated && self.edits.kind == AblationKind::Mean
    }

    fn edit_words(&self) -> Vec<String> {
        self.edits.edits().iter().map(ToString::to_string).collect()
    }

    /// As the heading of a panel says it: the form, the step, the inputs and the edits.
    pub fn words(&self) -> String {
        let over = match &self.over {
            Over::Weights => None,
            Over::Sequence(tokens) => Some(format!("a sequence of {}", count(tokens.len(), "token"))),
            Over::Validation => Some(count(self.origin.sequences, "validation sequence")),
            Over::Training => Some("all steps so far".into()),
        };
        let step = self.origin.has_steps.then(|| format!("step {}", self.step()));
        let edits = self.edit_words();
        let edits = (!edits.is_empty()).then(|| format!("edited: {}", edits.join("; ")));
        let parts = [self.origin.weights_file.clone(), Some(self.form.words().into()), step, over, edits];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.snapshot, &other.snapshot) && self.is_like(other)
    }
}

/// A subject as files have it.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_file: Option<&'a str>,
    weights: WeightForm,
    step: Option<usize>,
    task: &'a str,
    seed: u64,
    over: &'static str,
    #[serde(skip_serializing_if = "<[Token]>::is_empty")]
    tokens: &'a [Token],
    #[serde(skip_serializing_if = "Option::is_none")]
    sequences: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<String>,
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let over = match &self.over {
            Over::Weights => "weights",
            Over::Sequence(_) => "sequence",
            Over::Validation => "validation",
            Over::Training => "training",
        };
        let written = Written {
            weights_file: self.origin.weights_file.as_deref(),
            weights: self.form,
            step: self.origin.has_steps.then(|| self.step()),
            task: &self.origin.task,
            seed: self.origin.seed,
            over,
            tokens: self.tokens(),
            sequences: (self.over == Over::Validation).then_some(self.origin.sequences),
            edits: self.edit_words(),
        };
        written.serialize(serializer)
    }
}
