//! Questions about a model, and the scheduling of their answers: one file per question, independent of the others.
//!
//! Pure: no thread, no channel. The explorer's worker, or a test, serves the [`Schedule`].

pub mod ablation;
pub mod accuracy;
pub mod attention;
mod bench;
pub mod circuits;
pub mod class_patterns;
pub mod component_means;
pub mod composition;
pub mod copying;
pub mod damage;
pub mod dose;
pub mod examples;
pub mod fit;
pub mod flip;
pub mod heads;
mod job;
pub mod lens;
pub mod logits;
mod memo;
pub mod neurons;
pub mod pairs;
mod passes;
pub mod patching;
pub mod paths;
pub mod predictions;
mod probe;
pub mod probing;
pub mod progress;
pub mod projection;
pub mod quadrants;
mod question;
mod random_sets;
pub mod repeated;
pub mod schedule;
pub mod single_neurons;
pub mod sources;
pub mod spectra;
pub mod tracker_sets;
pub mod trackers;

use std::sync::Arc;

use crate::analysis::circuits::{HeadCircuits, HeadDrive, HeadMaps};
use crate::analysis::class_patterns::ClassPatterns;
use crate::analysis::component_means::ComponentMeans;
use crate::analysis::examples::NeuronExamples;
use crate::analysis::head_scores::HeadAverages;
use crate::analysis::hypotheses::{Fitted, Tracker};
use crate::analysis::lens::{LensFigures, LensRow};
use crate::analysis::pairs::Spectra;
use crate::analysis::probing::ProbeFits;
use crate::analysis::progress::ProgressMeasures;
use crate::analysis::quadrants::Quadrants;
use crate::analysis::tracker_sets::SetScore;
use crate::analysis::{Evaluation, LowRank, Scores, SingleNeurons};
use crate::figure::{Axis, Datum, Figure, Spec};
use crate::model::ModelConfig;

pub use ablation::AblationReport;
pub use bench::{Bench, YieldPoint};
pub use composition::Compositions;
pub use copying::Copyings;
pub use damage::DamageReport;
pub use dose::DoseReport;
pub use flip::FlipPoint;
pub use job::{Job, Progress};
pub use passes::Probe;
pub use patching::{Patching, PatchingReport};
pub use paths::{PathsTo, TokenPath};
pub use projection::{Projected, Vectors};
pub use question::Question;
pub use repeated::RepeatedHeads;

pub use crate::figure::{Origin, Over, Subject, WeightForm};
pub use schedule::{Lane, Schedule};
pub use tracker_sets::Tracked;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBy {
    /// The user: answered first.
    User,
    /// The training, which has published newer weights.
    Training,
    /// The difference to a remembered subject: answered like the user's, after those.
    Comparison,
    /// A curve over the steps: answered when nothing else is asked.
    Curve,
}

impl AskedBy {
    /// Whether a later question of the one replaces an earlier one of the other.
    fn is_like(self, other: Self) -> bool {
        let is_of_view = |by| matches!(by, Self::User | Self::Training);
        self == other || is_of_view(self) && is_of_view(other)
    }
}

/// A question with its subject and origin.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// Increases with every question.
    pub generation: u64,
    /// Who asked.
    pub by: AskedBy,
    /// The subject.
    pub subject: Subject,
    /// The question.
    pub question: Question,
}

/// Results.
#[derive(Clone, Debug)]
pub enum Findings {
    /// Of the subject's sequence.
    Probe(Arc<Probe>),
    /// By place.
    SequenceLens(Arc<Vec<LensRow>>),
    /// Of one head.
    Maps(Arc<HeadMaps>),
    /// `[query, key]`, without 1/sqrt(`d_head`) and layer norm scales.
    Positions(Arc<LowRank>),
    /// Of one head.
    Drive(Arc<HeadDrive>),
    /// Of one head.
    Quadrants(Arc<Quadrants>),
    /// `[token, class]`.
    DirectPath(Arc<LowRank>),
    /// `[query, key]`, of one head.
    Sources(Arc<Vec<f32>>),
    /// To each component's target.
    ComponentMeans(Arc<ComponentMeans>),
    /// Of all pairs of heads of two layers.
    Composition(Arc<Compositions>),
    /// By layer, then head.
    Copying(Arc<Copyings>),
    /// Largest |score| first.
    Paths(Arc<Vec<TokenPath>>),
    /// By layer, then head.
    Circuits(Arc<Vec<HeadCircuits>>),
    /// By place.
    Lens(Arc<Vec<LensFigures>>),
    /// By place, then position.
    Probing(Arc<ProbeFits>),
    /// By layer, then head.
    Heads(Arc<Vec<HeadAverages>>),
    /// Of one head.
    ClassPatterns(Arc<ClassPatterns>),
    /// By layer, then head.
    Repeated(Arc<RepeatedHeads>),
    /// By feature, in the task's order.
    Fit(Arc<Vec<Fitted>>),
    /// By class, strongest first; a class may have none.
    Trackers(Arc<Vec<Vec<Tracker>>>),
    /// Over all labels and positions.
    Accuracy(Arc<Evaluation>),
    /// Of one position.
    Flip(Arc<FlipPoint>),
    /// Of two sequences.
    Patching(Arc<PatchingReport>),
    /// By sequence.
    Predictions(Arc<Scores>),
    /// As far as computed.
    Damage(Arc<DamageReport>),
    /// Of one layer.
    SingleNeurons(Arc<SingleNeurons>),
    /// Of a task with a circle of tokens.
    Spectra(Arc<Spectra>),
    /// Of a task of pairs on a circle.
    Progress(Arc<ProgressMeasures>),
    /// By class.
    TrackerScores(Arc<Tracked<SetScore>>),
    /// By class; `None` without neurons or targets.
    TrackerDamage(Arc<Tracked<Option<f64>>>),
    /// Of one neuron.
    Examples(Arc<NeuronExamples>),
    /// Of one kind of vectors.
    Projection(Arc<Projected>),
    /// As far as computed.
    Ablation(Arc<AblationReport>),
    /// As far as computed.
    Doses(Arc<DoseReport>),
}

/// An answer, complete or partial.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The question.
    pub inquiry: Inquiry,
    /// Number of sequences evaluated; 0 for questions about the weights alone.
    pub sequences: usize,
    /// The results.
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

    /// A figure about the subject of the question.
    fn figure<D: Into<Datum>>(
        &self,
        spec: &'static Spec,
        axes: Vec<Axis>,
        cell: impl Fn(&[usize]) -> D + Send + Sync + 'static,
    ) -> Arc<Figure> {
        Figure::new(spec, axes, &Arc::new(self.inquiry.subject.clone()), move |at| cell(at).into())
    }

    /// Optimiser steps that produced the weights.
    pub fn step(&self) -> usize {
        self.inquiry.subject.step()
    }

    /// The form of the weights.
    pub fn form(&self) -> WeightForm {
        self.inquiry.subject.form
    }
}

/// Computes an answer from the first step to the last.
pub fn answer(inquiry: Inquiry, bench: &Bench) -> Answer {
    let mut job = inquiry.question.ask(&inquiry.subject);
    loop {
        if let Progress::Done(findings) = job.step(bench) {
            return Answer::new(inquiry, findings, bench);
        }
    }
}
