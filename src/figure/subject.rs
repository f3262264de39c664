//! What a number is of.

use serde::Serialize;

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

/// The inputs that a number was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// None: the weights alone.
    Weights,
    /// One sequence.
    Sequence(String),
    /// So many sequences of a set.
    Set {
        /// Its name.
        name: String,
        /// Sequences.
        sequences: usize,
    },
    /// The run's own steps.
    Training,
}

/// What a number is of: everything that is needed to compute it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The file or the run of the weights.
    pub weights: String,
    /// Optimiser steps taken; `None` for a file that does not say.
    pub step: Option<usize>,
    /// The form of the weights.
    pub form: WeightForm,
    /// The task that gives targets and data.
    pub task: String,
    /// The inputs.
    pub over: Over,
    /// What is edited, a line each; of a figure with an edits axis the entry after the first. Empty: nothing is.
    pub edits: Vec<String>,
    /// Of everything random.
    pub seed: u64,
}

impl Subject {
    /// As the heading of a panel says it: the inputs, the step and what else is not the default.
    pub fn words(&self) -> String {
        let over = match &self.over {
            Over::Weights => None,
            Over::Sequence(name) => Some(name.clone()),
            Over::Set { name, sequences } => Some(format!("{sequences} {name} sequences")),
            Over::Training => Some("training".into()),
        };
        let step = self.step.map(|step| format!("step {step}"));
        let edits = (!self.edits.is_empty()).then(|| format!("edited: {}", self.edits.join("; ")));
        let parts = [Some(self.form.words().to_owned()), step, over, edits];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}
