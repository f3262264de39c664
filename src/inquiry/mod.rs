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
mod random_sets;
pub mod repeated;
pub mod schedule;
pub mod single_neurons;
pub mod sources;
pub mod spectra;
pub mod tracker_sets;
pub mod trackers;

use std::mem::discriminant;
use std::sync::Arc;

use crate::analysis::circuits::{HeadCircuits, HeadDrive, HeadMaps};
use crate::analysis::class_patterns::ClassPatterns;
use crate::analysis::component_means::ComponentMeans;
use crate::analysis::dose::Doses;
use crate::analysis::examples::NeuronExamples;
use crate::analysis::head_scores::HeadAverages;
use crate::analysis::hypotheses::{Fitted, Tracker};
use crate::analysis::lens::{LensFigures, LensRow};
use crate::analysis::pairs::Spectra;
use crate::analysis::probing::{ProbeFits, Reads};
use crate::analysis::progress::ProgressMeasures;
use crate::analysis::quadrants::Quadrants;
use crate::analysis::tracker_sets::SetScore;
use crate::analysis::{ControlPool, Evaluation, LowRank, NeuronHook, Scores, SingleNeurons, Target};
use crate::figure::{Axis, Datum, Figure, Spec};
use crate::model::{HeadId, ModelConfig, NeuronId};
use crate::task::Class;

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
pub use repeated::RepeatedHeads;

pub use crate::figure::{Origin, Over, Subject, WeightForm};
pub use schedule::{Lane, Schedule};
pub use tracker_sets::Tracked;

/// A question, without its subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// What the model does on the sequence.
    Probe,
    /// The logits at each place in the residual stream.
    SequenceLens,
    /// A head's maps over the vocabulary.
    Maps(HeadId),
    /// How well positions match as query and key.
    Positions(HeadId),
    /// How a head drives the neurons of its layer.
    Drive(HeadId),
    /// How well tokens and positions match as query and key, and the bias terms.
    Quadrants(HeadId),
    /// What tokens add to the logits without any layer.
    DirectPath,
    /// What each position adds to the target through a head.
    Sources {
        /// The head.
        head: HeadId,
        /// The target at each query.
        target: Target,
    },
    /// What each component adds to each logit on average.
    ComponentMeans,
    /// How much of what earlier heads write later heads read.
    Composition,
    /// Eigenvalues of each head's map of tokens, and copying scores of permuted tokens.
    Copying,
    /// The strongest paths from tokens to a target.
    Paths(PathsTo),
    /// Every head's circuits.
    Circuits,
    /// Accuracy of the lens at each place in the residual stream, over the validation set.
    Lens,
    /// Accuracy of linear probes at each place in the residual stream and each position.
    Probing(Reads),
    /// Every head's mean pattern and scores.
    Heads,
    /// A head's mean pattern by class.
    ClassPatterns(HeadId),
    /// Every head's scores on random tokens repeated.
    Repeated,
    /// How well each feature of a class explains the summed activation of some neurons.
    Fit {
        /// The neurons.
        neurons: Vec<NeuronId>,
        /// The class.
        class: Class,
        /// Where their values are read.
        hook: NeuronHook,
    },
    /// The neurons that track each class.
    Trackers,
    /// Accuracy of the weights without edits.
    Accuracy,
    /// The smallest change of tokens that changes the answer at a position.
    Flip(usize),
    /// A patching grid.
    Patching(Patching),
    /// The prediction at every position of the validation set.
    Predictions,
    /// What each head and each class's trackers cost each class.
    Damage,
    /// What each neuron of a layer costs alone.
    SingleNeurons(usize),
    /// Spectra of weights, logits and neurons over the task's circle of tokens.
    Spectra,
    /// Progress measures of a task of pairs, with the key frequencies of another subject.
    Progress(Box<Subject>),
    /// How well the sets of neurons that track each class in another subject track it here.
    TrackerScores(Box<Subject>),
    /// What those sets cost here.
    TrackerDamage(Box<Subject>),
    /// Where a neuron is most and least active.
    Examples(NeuronId, NeuronHook),
    /// Vectors along their principal components.
    Projection(Vectors),
    /// Effect of the edits over the validation set.
    Ablation {
        /// Number of random neuron sets to compare with.
        controls: usize,
        /// Where they are drawn from.
        pool: ControlPool,
    },
    /// Loss and accuracy over the validation set with the edited heads and neurons at several doses.
    Doses {
        /// The doses.
        doses: Doses,
        /// Number of random neuron sets to compare with.
        controls: usize,
        /// Where they are drawn from.
        pool: ControlPool,
    },
}

impl Question {
    /// Its name in files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::SequenceLens => "sequence_lens",
            Self::Maps(_) => "head_maps",
            Self::Positions(_) => "qk_positions",
            Self::Drive(_) => "ov_neurons",
            Self::Quadrants(_) => "qk_quadrants",
            Self::DirectPath => "direct_path",
            Self::Sources { .. } => "sources",
            Self::ComponentMeans => "component_means",
            Self::Composition => "composition",
            Self::Copying => "copying",
            Self::Paths(_) => "paths",
            Self::Circuits => "circuits",
            Self::Lens => "lens",
            Self::Probing(_) => "probing",
            Self::Heads => "heads",
            Self::ClassPatterns(_) => "class_patterns",
            Self::Repeated => "repeated",
            Self::Fit { .. } => "fit",
            Self::Trackers => "trackers",
            Self::Accuracy => "accuracy",
            Self::Flip(_) => "flip",
            Self::Patching(_) => "patching",
            Self::Predictions => "predictions",
            Self::Damage => "damage",
            Self::SingleNeurons(_) => "single_neurons",
            Self::Spectra => "spectra",
            Self::Progress(_) => "progress",
            Self::TrackerScores(_) => "tracker_scores",
            Self::TrackerDamage(_) => "tracker_damage",
            Self::Examples(..) => "examples",
            Self::Projection(_) => "projection",
            Self::Ablation { .. } => "validation",
            Self::Doses { .. } => "doses",
        }
    }

    /// The question's head, if any.
    pub fn head(&self) -> Option<HeadId> {
        match self {
            Self::Maps(id) | Self::Positions(id) | Self::Drive(id) | Self::Quadrants(id) => Some(*id),
            _ => None,
        }
    }

    /// The number of random sets to compare with, if any are drawn.
    pub fn controls_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Ablation { controls, .. } | Self::Doses { controls, .. } => Some(controls),
            _ => None,
        }
    }

    /// Whether two questions are of one kind: the later replaces the earlier.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Projection(ours), Self::Projection(theirs)) => discriminant(ours) == discriminant(theirs),
            (Self::Probing(ours), Self::Probing(theirs)) => discriminant(ours) == discriminant(theirs),
            _ => discriminant(self) == discriminant(other),
        }
    }

    /// Whether the answer takes only a pass or two; others are studies.
    pub fn is_quick(&self) -> bool {
        matches!(
            self,
            Self::Probe
                | Self::SequenceLens
                | Self::Maps(_)
                | Self::Positions(_)
                | Self::Drive(_)
                | Self::Quadrants(_)
                | Self::DirectPath
                | Self::Sources { .. }
                | Self::Paths(_)
        )
    }

    /// Starts the computation of the answer.
    pub fn ask(&self, subject: &Subject) -> Box<dyn Job> {
        match self {
            Self::Probe => probe::ask(subject),
            Self::SequenceLens => lens::ask_of_sequence(subject),
            Self::Maps(id) => circuits::ask_maps(subject, *id),
            Self::Positions(id) => circuits::ask_positions(subject, *id),
            Self::Drive(id) => circuits::ask_drive(subject, *id),
            Self::Quadrants(id) => quadrants::ask(subject, *id),
            Self::DirectPath => quadrants::ask_direct(subject),
            Self::Sources { head, target } => sources::ask(subject, *head, *target),
            Self::ComponentMeans => component_means::ask(subject),
            Self::Composition => composition::ask(subject),
            Self::Copying => copying::ask(subject),
            Self::Paths(to) => paths::ask(subject, to),
            Self::Circuits => circuits::ask(subject),
            Self::Lens => lens::ask(subject),
            Self::Probing(reads) => probing::ask(subject, *reads),
            Self::Heads => heads::ask(subject),
            Self::ClassPatterns(id) => class_patterns::ask(subject, *id),
            Self::Repeated => repeated::ask(subject),
            Self::Fit { neurons, class, hook } => fit::ask(subject, (neurons, *hook), *class),
            Self::Trackers => trackers::ask(subject),
            Self::Accuracy => accuracy::ask(subject),
            Self::Flip(position) => flip::ask(subject, *position),
            Self::Patching(asked) => patching::ask(subject, asked),
            Self::Predictions => predictions::ask(subject),
            Self::Damage => damage::ask(subject),
            Self::SingleNeurons(layer) => single_neurons::ask(subject, *layer),
            Self::Spectra => spectra::ask(subject),
            Self::Progress(keys_of) => progress::ask(subject, keys_of),
            Self::TrackerScores(sets_of) => tracker_sets::ask(subject, sets_of),
            Self::TrackerDamage(sets_of) => tracker_sets::ask_damage(subject, sets_of),
            Self::Examples(id, hook) => examples::ask(subject, *id, *hook),
            Self::Projection(of) => projection::ask(subject, *of),
            Self::Ablation { controls, pool } => ablation::ask(subject, (*controls, *pool)),
            Self::Doses { doses, controls, pool } => dose::ask(subject, (*doses, *controls, *pool)),
        }
    }
}

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
