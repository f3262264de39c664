//! Questions about a model, and the scheduling of their answers: a file per question, and none knows another.
//!
//! Pure: no thread, no channel. What serves the [`Schedule`] is the explorer's worker, or a test.

pub mod ablation;
pub mod accuracy;
pub mod attention;
mod bench;
pub mod circuits;
pub mod fit;
pub mod heads;
mod job;
pub mod lens;
pub mod logits;
pub mod neurons;
mod passes;
pub mod paths;
mod probe;
pub mod schedule;
pub mod trackers;

use std::sync::Arc;

use crate::analysis::Evaluation;
use crate::analysis::attention::HeadAverages;
use crate::analysis::circuits::{HeadCircuits, HeadDrive};
use crate::analysis::hypotheses::Tracker;
use crate::analysis::lens::{LensFigures, LensRow};
use crate::figure::{Axis, Datum, Figure, Spec};
use crate::model::{HeadId, ModelConfig, NeuronId};
use crate::task::Class;

pub use ablation::AblationReport;
pub use bench::{Aside, Bench};
pub use job::{Job, Progress};
pub use passes::Probe;
pub use paths::{PathsTo, TokenPath};

pub use crate::figure::{Origin, Over, Subject, WeightForm};
pub use schedule::{Lane, Schedule};

/// A question, apart from what it is asked of.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// What the model does on the sequence.
    Probe,
    /// The logits read from the residual stream at each place.
    SequenceLens,
    /// How well positions match as query and key.
    Positions(HeadId),
    /// How a head drives the neurons of its layer.
    Drive(HeadId),
    /// The strongest ways from tokens to a target.
    Paths(PathsTo),
    /// Every head's circuits.
    Circuits,
    /// How well each place in the residual stream answers over the validation set.
    Lens,
    /// Every head's mean pattern and scores.
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
    /// What the edits do over the validation set.
    Ablation {
        /// Random neuron sets to compare with.
        controls: usize,
    },
}

impl Question {
    /// As files call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::SequenceLens => "sequence_lens",
            Self::Positions(_) => "qk_positions",
            Self::Drive(_) => "ov_neurons",
            Self::Paths(_) => "paths",
            Self::Circuits => "circuits",
            Self::Lens => "lens",
            Self::Heads => "heads",
            Self::Fit { .. } => "fit",
            Self::Trackers => "trackers",
            Self::Accuracy => "accuracy",
            Self::Ablation { .. } => "validation",
        }
    }

    /// The head that it is of, if it is of one.
    pub fn head(&self) -> Option<HeadId> {
        match self {
            Self::Positions(id) | Self::Drive(id) => Some(*id),
            _ => None,
        }
    }

    /// Whether two questions are of one kind: the later one takes the place of the earlier.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether it is answered in the time of a pass or two, rather than studied.
    pub fn is_quick(&self) -> bool {
        matches!(
            self,
            Self::Probe | Self::SequenceLens | Self::Positions(_) | Self::Drive(_) | Self::Paths(_)
        )
    }

    /// The answer in the making.
    pub fn ask(&self, subject: &Subject) -> Box<dyn Job> {
        match self {
            Self::Probe => probe::ask(subject),
            Self::SequenceLens => lens::ask_of_sequence(subject),
            Self::Positions(id) => circuits::ask_positions(subject, *id),
            Self::Drive(id) => circuits::ask_drive(subject, *id),
            Self::Paths(to) => paths::ask(subject, to),
            Self::Circuits => circuits::ask(subject),
            Self::Lens => lens::ask(subject),
            Self::Heads => heads::ask(subject),
            Self::Fit { neurons, class } => fit::ask(subject, neurons, *class),
            Self::Trackers => trackers::ask(subject),
            Self::Accuracy => accuracy::ask(subject),
            Self::Ablation { controls } => ablation::ask(subject, *controls),
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// The user: answered before all else.
    User,
    /// The training, which has published newer weights.
    Training,
}

/// A question as it is asked.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// Rises with every question.
    pub generation: u64,
    /// Who asks.
    pub by: AskedBy,
    /// What it is asked of.
    pub subject: Subject,
    /// The question.
    pub question: Question,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Findings {
    /// Of the sequence.
    Probe(Arc<Probe>),
    /// By place.
    SequenceLens(Arc<Vec<LensRow>>),
    /// `[query, key]`, without 1/sqrt(`d_head`) and layer norm scales.
    Positions(Arc<Vec<f32>>),
    /// Of one head.
    Drive(Arc<HeadDrive>),
    /// The largest |score| first.
    Paths(Arc<Vec<TokenPath>>),
    /// By layer, then head.
    Circuits(Arc<Vec<HeadCircuits>>),
    /// By place.
    Lens(Arc<Vec<LensFigures>>),
    /// By layer, then head.
    Heads(Arc<Vec<HeadAverages>>),
    /// By feature, in the task's order.
    Fit(Arc<Vec<f64>>),
    /// By class, the strongest first; a class may have none.
    Trackers(Arc<Vec<Vec<Tracker>>>),
    /// Over all labels and positions.
    Accuracy(Arc<Evaluation>),
    /// As far as it has come.
    Ablation(Arc<AblationReport>),
}

/// An answer, whole or in part.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The question.
    pub inquiry: Inquiry,
    /// Sequences that were looked at; 0 where only the weights were.
    pub sequences: usize,
    /// What was found.
    pub findings: Findings,
}

impl Answer {
    fn new(inquiry: Inquiry, findings: Findings, bench: &Bench) -> Self {
        let sequences = match inquiry.subject.over {
            Over::Validation => bench.sequences(),
            _ => inquiry.subject.sequences(),
        };
        Self { inquiry, sequences, findings }
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.inquiry.subject.snapshot.config()
    }

    fn by_head(&self, more: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
        Axis::heads(self.config()).into_iter().chain(more).collect()
    }

    /// A figure of what the question was asked of.
    fn figure<D: Into<Datum>>(
        &self,
        spec: &'static Spec,
        axes: Vec<Axis>,
        cell: impl Fn(&[usize]) -> D + Send + Sync + 'static,
    ) -> Arc<Figure> {
        Figure::new(spec, axes, &Arc::new(self.inquiry.subject.clone()), move |at| cell(at).into())
    }

    /// Optimiser steps that the weights had taken.
    pub fn step(&self) -> usize {
        self.inquiry.subject.step()
    }

    /// The form of the weights.
    pub fn form(&self) -> WeightForm {
        self.inquiry.subject.form
    }
}

/// Answers a question from the first step to the last.
pub fn answer(inquiry: Inquiry, bench: &Bench) -> Answer {
    let mut job = inquiry.question.ask(&inquiry.subject);
    loop {
        if let Progress::Done(findings) = job.step(bench) {
            return Answer::new(inquiry, findings, bench);
        }
    }
}
