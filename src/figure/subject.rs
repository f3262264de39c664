//! The subject of a number.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::model::{AblationKind, Becomes, Interventions, Snapshot};
use crate::number::count;
use crate::task::Token;

/// The form of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightForm {
    /// The trained weights.
    #[default]
    Trained,
    /// With the layer norms folded in, and centred.
    Folded,
}

impl WeightForm {
    /// The form for a flag.
    pub fn of(folded: bool) -> Self {
        if folded { Self::Folded } else { Self::Trained }
    }

    /// Whether the norms are folded in.
    pub fn is_folded(self) -> bool {
        self == Self::Folded
    }

    /// Its name on screen, beside every number that depends on the form.
    pub fn words(self) -> &'static str {
        match self {
            Self::Trained => "trained weights",
            Self::Folded => "folded weights",
        }
    }

    /// Its name in files.
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
    /// The run's own steps, up to the snapshot's step.
    Training,
}

/// Origin of weights and data, for messages and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The weights file; `None` for the run's own weights.
    pub weights_file: Option<String>,
    /// Whether the step of the weights is known.
    pub has_steps: bool,
    /// The task that defines targets and data.
    pub task: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// Number of sequences in the validation set.
    pub sequences: usize,
}

/// The steps of a number.
#[derive(Clone, Debug, Default)]
pub enum Taken {
    /// The snapshot's.
    #[default]
    Here,
    /// A step whose weights are not kept: the trainer measured.
    At(usize),
    /// So many kept snapshots, the first and the last step.
    Over(Box<[usize; 3]>),
}

/// The subject of a number: everything needed to recompute the number.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The trained weights.
    pub snapshot: Arc<Snapshot>,
    /// The form of the weights.
    pub form: WeightForm,
    /// The inputs.
    pub over: Over,
    /// Heads and neurons switched off or replaced; in a figure with an edits axis, the second entry.
    pub edits: Interventions,
    /// Origin of weights and data.
    pub origin: Arc<Origin>,
    /// The steps of the number.
    pub taken: Taken,
}

impl Subject {
    /// The weights alone, in a form.
    pub fn weights(snapshot: &Arc<Snapshot>, form: WeightForm) -> Self {
        let (snapshot, edits, origin) = (Arc::clone(snapshot), Interventions::default(), Arc::default());
        Self { snapshot, form, over: Over::Weights, edits, origin, taken: Taken::Here }
    }

    /// The same weights over other inputs.
    #[must_use]
    pub fn over(self, over: Over) -> Self {
        Self { over, ..self }
    }

    /// The same subject with other edits.
    #[must_use]
    pub fn edited(self, edits: &Interventions) -> Self {
        Self { edits: edits.clone(), ..self }
    }

    /// The same subject with a known origin.
    #[must_use]
    pub fn from(self, origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin), ..self }
    }

    /// Optimiser steps taken.
    pub fn step(&self) -> usize {
        if let Taken::At(step) = self.taken { step } else { self.snapshot.step }
    }

    /// The tokens of the sequence; empty for other inputs.
    pub fn tokens(&self) -> &[Token] {
        if let Over::Sequence(tokens) = &self.over { tokens } else { &[] }
    }

    /// Number of sequences evaluated.
    pub fn sequences(&self) -> usize {
        match self.over {
            Over::Weights | Over::Training => 0,
            Over::Sequence(_) => 1,
            Over::Validation => self.origin.sequences,
        }
    }

    /// Whether two subjects differ at most in the step.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.form, &self.over, &self.edits) == (other.form, &other.over, &other.edits)
    }

    /// Whether edits replace activations by means.
    pub fn needs_means(&self) -> bool {
        self.is_ablated() && matches!(self.edits.kind, AblationKind::Mean | AblationKind::MeanPosition)
    }

    /// Whether heads or neurons become those of another sequence.
    pub fn is_resampled(&self) -> bool {
        self.is_ablated() && self.edits.kind == AblationKind::Resample
    }

    /// Whether any edit replaces activations by those of another sequence.
    pub fn needs_donors(&self) -> bool {
        self.is_resampled() || self.edits.list.iter().any(|edit| edit.becomes == Becomes::Resample)
    }

    fn is_ablated(&self) -> bool {
        !(self.edits.heads.is_empty() && self.edits.neurons.is_empty())
    }

    /// Whether these means are taken at each position.
    pub fn means_by_position(&self) -> bool {
        self.edits.kind == AblationKind::MeanPosition
    }

    fn edit_words(&self) -> Vec<String> {
        let switched = self.edits.edits().into_iter().map(|edit| edit.to_string());
        switched.chain(self.edits.list.iter().map(ToString::to_string)).collect()
    }

    /// First and last step of a curve.
    fn span(&self) -> Option<[usize; 2]> {
        if let Taken::Over(over) = &self.taken { Some([over[1], over[2]]) } else { None }
    }

    /// Everything but the weights, in words.
    pub(super) fn identity(&self) -> String {
        let (origin, form) = (&self.origin, self.form.word());
        format!("{form} {:?} {} {} {:?}", self.over, origin.task, origin.seed, self.edit_words())
    }

    /// The heading of a panel: form, step, inputs and edits.
    pub fn words(&self) -> String {
        let over = match &self.over {
            Over::Weights => None,
            Over::Sequence(tokens) => Some(format!("a sequence of {}", count(tokens.len(), "token"))),
            Over::Validation => Some(count(self.origin.sequences, "validation sequence")),
            Over::Training => Some("all steps so far".into()),
        };
        let step = || self.origin.has_steps.then(|| format!("step {}", self.step()));
        let step = match &self.taken {
            Taken::Over(over) => {
                let [snapshots, first, last] = **over;
                Some(format!("{} from step {first} to {last}", count(snapshots, "kept snapshot")))
            }
            Taken::Here | Taken::At(_) => step(),
        };
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

/// A subject in the format of files.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    weights_file: Option<&'a str>,
    weights: WeightForm,
    step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<[usize; 2]>,
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
            steps: self.span(),
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
