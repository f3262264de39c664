//! Questions about the weights, or about all validation sequences: too long for a keystroke, short enough to wait for.

use std::sync::Arc;

use super::attention::{HeadAverages, averages};
use super::circuits::{HeadCircuits, circuits};
use super::evaluation::{Evaluation, evaluate, means};
use super::hypotheses::{Tracker, fit, trackers};
use super::lens::{LensFigures, lens_over};
use crate::model::{AblationKind, Interventions, NeuronId, Patch, Snapshot};
use crate::task::{Class, Example, Feature};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Every head's circuits, from the folded weights whichever are looked at.
    Circuits,
    /// How well each place in the residual stream already answers.
    Lens,
    /// Every head's mean pattern and scores, with the interventions in force.
    Heads,
    /// How well each feature of a class explains the summed activation of some neurons.
    Fit {
        /// The neurons.
        neurons: Vec<NeuronId>,
        /// The class.
        class: Class,
    },
    /// For each class the neurons that track it.
    Trackers,
    /// How well the weights answer, with nothing switched off.
    Accuracy,
}

impl Topic {
    /// Its name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Circuits => "circuits",
            Self::Lens => "lens",
            Self::Heads => "heads",
            Self::Fit { .. } => "fit",
            Self::Trackers => "trackers",
            Self::Accuracy => "accuracy",
        }
    }
}

/// A question.
#[derive(Clone, Debug)]
pub struct StudyRequest {
    /// The weights.
    pub snapshot: Arc<Snapshot>,
    /// Whether to fold them first.
    pub folded: bool,
    /// What is switched off; only [`Topic::Heads`] heeds it.
    pub interventions: Interventions,
    /// What is asked.
    pub topic: Topic,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Findings {
    /// By layer, then head.
    Circuits(Vec<HeadCircuits>),
    /// By place.
    Lens(Vec<LensFigures>),
    /// By layer, then head.
    Heads(Vec<HeadAverages>),
    /// By feature, in the task's order.
    Fit(Vec<f64>),
    /// By class, the strongest first; a class may have none.
    Trackers(Vec<Vec<Tracker>>),
    /// Over all labels and positions.
    Accuracy(Evaluation),
}

/// A question and its answer.
#[derive(Clone, Debug)]
pub struct Study {
    /// What was asked; `snapshot` is as asked, not folded.
    pub request: StudyRequest,
    /// Sequences that were looked at; 0 where only the weights were.
    pub sequences: usize,
    /// What was found.
    pub findings: Findings,
}

/// Answers `request` over `examples` of a task with these features, looking at `weights`: the request's snapshot, folded if it says so.
/// `folded` are its folded weights.
pub fn study(
    request: StudyRequest,
    looked_at: &Snapshot,
    folded: &Snapshot,
    examples: &[Example<'_>],
    features: &[Feature],
) -> Study {
    let weights = &looked_at.weights;
    let findings = match &request.topic {
        Topic::Circuits => Findings::Circuits(circuits(&folded.weights)),
        Topic::Lens => Findings::Lens(lens_over(weights, examples)),
        Topic::Heads => {
            let off = &request.interventions;
            let needs_means = off.kind == AblationKind::Mean && !off.is_empty();
            let means = needs_means.then(|| means(weights, examples).0);
            let patch = off.patch(weights.config(), means.as_ref());
            Findings::Heads(averages(weights, &patch, examples))
        }
        Topic::Fit { neurons, class } => Findings::Fit(fit(weights, examples, neurons, *class, features)),
        Topic::Trackers => Findings::Trackers(trackers(weights, examples, features)),
        Topic::Accuracy => Findings::Accuracy(evaluate(weights, &Patch::default(), examples)),
    };
    let sequences = if request.topic == Topic::Circuits { 0 } else { examples.len() };
    Study { request, sequences, findings }
}
