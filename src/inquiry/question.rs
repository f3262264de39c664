//! The registry of questions: each with its name in files, and the file that answers.

use std::mem::discriminant;

use super::job::Job;
use super::patching::Patching;
use super::paths::PathsTo;
use super::projection::Vectors;
use super::{
    ablation, accuracy, circuits, class_patterns, component_means, composition, copying, damage, dose,
    examples, fit, flip, heads, lens, patching, paths, predictions, probe, probing, progress, projection,
    quadrants, repeated, single_neurons, sources, spectra, tracker_sets, trackers,
};
use crate::analysis::dose::Doses;
use crate::analysis::probing::Reads;
use crate::analysis::{ControlPool, NeuronHook, Target};
use crate::figure::Subject;
use crate::model::{HeadId, NeuronId};
use crate::task::Class;

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

    /// The end of the requested paths, if any.
    pub fn paths_to(&self) -> Option<&PathsTo> {
        if let Self::Paths(to) = self { Some(to) } else { None }
    }

    /// The head and the target of a contribution by source.
    pub fn source(&self) -> Option<(HeadId, Target)> {
        if let Self::Sources { head, target } = self { Some((*head, *target)) } else { None }
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
