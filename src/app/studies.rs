//! Questions asked and answers known: one slot for each kind of question except the probe.

use std::sync::Arc;

use super::event::Command;
use super::{App, Look, Mode};
use crate::analysis::circuits::{HeadCircuits, HeadDrive, HeadMaps};
use crate::analysis::class_patterns::ClassPatterns;
use crate::analysis::component_means::ComponentMeans;
use crate::analysis::examples::NeuronExamples;
use crate::analysis::head_scores::HeadAverages;
use crate::analysis::hypotheses::{Fitted, Tracker};
use crate::analysis::lens::{LensFigures, LensRow};
use crate::analysis::pairs::Spectra;
use crate::analysis::probing::{ProbeFits, Reads};
use crate::analysis::progress::ProgressMeasures;
use crate::analysis::quadrants::Quadrants;
use crate::analysis::tracker_sets::SetScore;
use crate::analysis::{Evaluation, LowRank, NeuronHook, Scores, SingleNeurons, Target};
use crate::inquiry::{
    AblationReport, Answer, AskedBy, Compositions, Copyings, DamageReport, DoseReport, Findings, FlipPoint,
    Inquiry, Origin, Over, PatchingReport, Probe, Projected, Question, RepeatedHeads, Subject, TokenPath,
    Tracked, Vectors, WeightForm,
};
use crate::model::{HeadId, NeuronId, Snapshot};
use crate::task::{Class, Split};

/// A question and its subject.
pub(crate) type Asked = (Subject, Question);

/// The last question of a kind, and the last answer.
#[derive(Clone, Debug)]
struct Slot {
    asked: Inquiry,
    answer: Option<Answer>,
    has_failed: bool,
}

/// The slots of all questions except the probe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Studies(Vec<Slot>);

/// The questions to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// All questions of the view, again if the answer is of an older snapshot.
    Newer,
    /// Only questions that were never asked, and quick ones, which always follow the snapshot.
    Missing,
}

/// The findings of a slot: an accessor of [`Studies`].
macro_rules! found {
    ($(#[$doc:meta])* $name:ident, $found:ident, $of:ty) => {
        $(#[$doc])*
        pub(crate) fn $name(&self) -> Option<(&Answer, &$of)> {
            self.0.iter().filter_map(|slot| slot.answer.as_ref()).find_map(|answer| match &answer.findings {
                Findings::$found(found) => Some((answer, found)),
                _ => None,
            })
        }
    };
}

impl Studies {
    /// Asks a question, unless it was asked before.
    pub(super) fn ask(&mut self, inquiry: Inquiry, refresh: Refresh) -> Option<Command> {
        // Quick questions follow the probe, and so the training.
        let refreshes = refresh == Refresh::Newer || inquiry.question.is_quick();
        let slot = self.0.iter_mut().find(|slot| slot.asked.question.is_like(&inquiry.question));
        let Some(slot) = slot else {
            self.0.push(Slot { asked: inquiry.clone(), answer: None, has_failed: false });
            return Some(Command::Ask(Box::new(inquiry)));
        };
        let asked = &slot.asked;
        let is_same = asked.question == inquiry.question && asked.subject.is_like(&inquiry.subject);
        let is_of_these = asked.subject == inquiry.subject;
        let retries = slot.has_failed && refresh == Refresh::Newer;
        if is_same && !retries && (is_of_these || !refreshes) {
            return None;
        }
        if !is_same {
            slot.answer = None;
        }
        (slot.asked, slot.has_failed) = (inquiry.clone(), false);
        Some(Command::Ask(Box::new(inquiry)))
    }

    /// Stores an answer. Returns false if another question has replaced its own.
    fn answer(&mut self, answer: Answer) -> bool {
        let generation = answer.inquiry.generation;
        let slot = self.0.iter_mut().find(|slot| slot.asked.generation == generation);
        slot.map(|slot| slot.answer = Some(answer)).is_some()
    }

    /// The slots whose answer is known, of these weights.
    pub(super) fn known_of(&self, snapshot: &Arc<Snapshot>) -> Self {
        let is_known = |slot: &&Slot| {
            let answered = slot.answer.as_ref().map(|answer| answer.inquiry.generation);
            answered == Some(slot.asked.generation) && Arc::ptr_eq(&slot.asked.subject.snapshot, snapshot)
        };
        Self(self.0.iter().filter(is_known).cloned().collect())
    }

    /// Records that a question failed.
    fn fail(&mut self, generation: u64) {
        let slots = self.0.iter_mut().filter(|slot| slot.asked.generation == generation);
        slots.for_each(|slot| slot.has_failed = true);
    }

    /// Whether an answer to a matching question is pending.
    fn is_pending(&self, is_it: impl Fn(&Question) -> bool) -> bool {
        let is_waited_for = |slot: &Slot| {
            let answered = slot.answer.as_ref().map(|answer| answer.inquiry.generation);
            !slot.has_failed && answered != Some(slot.asked.generation)
        };
        self.0.iter().any(|slot| is_it(&slot.asked.question) && is_waited_for(slot))
    }

    /// The slot of a question, if last asked about a subject like this one.
    fn slot(&self, subject: &Subject, question: &Question) -> Option<&Slot> {
        let is_it = |slot: &&Slot| slot.asked.question == *question && slot.asked.subject.is_like(subject);
        self.0.iter().find(is_it)
    }

    /// Whether the question was asked and has not failed.
    pub(super) fn is_waited_for(&self, subject: &Subject, question: &Question) -> bool {
        self.slot(subject, question).is_some_and(|slot| !slot.has_failed)
    }

    /// Whether the answer, known or pending, is of another step, or failed.
    fn is_stale(&self, subject: &Subject, question: &Question) -> bool {
        let slot = self.slot(subject, question);
        slot.is_some_and(|slot| slot.has_failed || slot.asked.subject.step() != subject.step())
    }

    found!(/** Every head's circuits. */ circuits, Circuits, Arc<Vec<HeadCircuits>>);
    found!(/** Accuracy of the lens at each place in the stream. */ lens, Lens, Arc<Vec<LensFigures>>);
    found!(/** The lens on the sequence. */ sequence_lens, SequenceLens, Arc<Vec<LensRow>>);
    found!(/** Every head's averages. */ heads, Heads, Arc<Vec<HeadAverages>>);
    found!(/** Every head on random tokens repeated. */ repeated, Repeated, Arc<RepeatedHeads>);
    found!(/** Accuracy of the weights without edits. */ accuracy, Accuracy, Arc<Evaluation>);
    found!(/** The neurons that track each token. */ trackers, Trackers, Arc<Vec<Vec<Tracker>>>);
    found!(/** Predictions over the validation set. */ predictions, Predictions, Arc<Scores>);
    found!(/** The strongest paths. */ paths, Paths, Arc<Vec<TokenPath>>);
    found!(/** The smallest change of tokens that changes the answer. */ flip, Flip, Arc<FlipPoint>);
    found!(/** The patching grid. */ patching, Patching, Arc<PatchingReport>);
    found!(/** What sets cost each class. */ damage, Damage, Arc<DamageReport>);
    found!(/** Spectra over the task's circle of tokens. */ spectra, Spectra, Arc<Spectra>);
    found!(/** Progress measures. */ progress, Progress, Arc<ProgressMeasures>);
    found!(/** Scores of tracker sets. */ tracker_scores, TrackerScores, Arc<Tracked<SetScore>>);
    found!(/** Damage of tracker sets. */ tracker_damage, TrackerDamage, Arc<Tracked<Option<f64>>>);
    found!(examples_of, Examples, Arc<NeuronExamples>);
    found!(patterns_by_class, ClassPatterns, Arc<ClassPatterns>);
    found!(ablation, Ablation, Arc<AblationReport>);
    found!(/** Heads and neurons at several doses. */ doses_of, Doses, Arc<DoseReport>);
    found!(single, SingleNeurons, Arc<SingleNeurons>);
    found!(fits, Fit, Arc<Vec<Fitted>>);
    found!(drives, Drive, Arc<HeadDrive>);
    found!(positions_of, Positions, Arc<LowRank>);
    found!(maps_of, Maps, Arc<HeadMaps>);
    found!(quadrants_of, Quadrants, Arc<Quadrants>);
    found!(/** What tokens add to the logits without any layer. */ direct_path, DirectPath, Arc<LowRank>);
    found!(sources_of, Sources, Arc<Vec<f32>>);
    found!(/** Mean contributions. */ component_means, ComponentMeans, Arc<ComponentMeans>);
    found!(/** Composition of heads. */ composition, Composition, Arc<Compositions>);
    found!(/** Eigenvalues, and copying scores of permuted tokens. */ copying, Copying, Arc<Copyings>);

    /// The fit of the features, if it is for these neurons, read there, and this class.
    pub(crate) fn fit(
        &self,
        (of, at): (&[NeuronId], NeuronHook),
        to: Class,
    ) -> Option<(&Answer, &Arc<Vec<Fitted>>)> {
        let (answer, found) = self.fits()?;
        match &answer.inquiry.question {
            Question::Fit { neurons, class, hook } if neurons == of && *hook == at && *class == to => {
                Some((answer, found))
            }
            _ => None,
        }
    }

    /// What each neuron of a layer costs alone.
    pub(crate) fn single_neurons(&self, layer: usize) -> Option<(&Answer, &Arc<SingleNeurons>)> {
        self.single().filter(|(_, found)| found.layer == layer)
    }

    /// Linear probes.
    pub(crate) fn probing(&self, reads: Reads) -> Option<(&Answer, &Arc<ProbeFits>)> {
        self.0.iter().filter_map(|slot| slot.answer.as_ref()).find_map(|answer| match &answer.findings {
            Findings::Probing(found) if found.reads == reads => Some((answer, found)),
            _ => None,
        })
    }

    /// Vectors along directions.
    pub(crate) fn projection(&self, of: Vectors) -> Option<(&Answer, &Arc<Projected>)> {
        self.0.iter().filter_map(|slot| slot.answer.as_ref()).find_map(|answer| match &answer.findings {
            Findings::Projection(found) if found.of == of => Some((answer, found)),
            _ => None,
        })
    }

    /// Where a neuron, read there, is most and least active.
    pub(crate) fn examples(&self, id: NeuronId, hook: NeuronHook) -> Option<(&Answer, &Arc<NeuronExamples>)> {
        self.examples_of().filter(|(answer, _)| answer.inquiry.question == Question::Examples(id, hook))
    }

    /// A head's mean pattern by class.
    pub(crate) fn class_patterns(&self, id: HeadId) -> Option<(&Answer, &Arc<ClassPatterns>)> {
        self.patterns_by_class().filter(|(_, found)| found.id == id)
    }

    /// How strongly a head drives its layer's neurons.
    pub(crate) fn drive(&self, id: HeadId) -> Option<(&Answer, &Arc<HeadDrive>)> {
        self.drives().filter(|(_, drive)| drive.id == id)
    }

    /// A head's maps over the vocabulary.
    pub(crate) fn maps(&self, id: HeadId) -> Option<(&Answer, &Arc<HeadMaps>)> {
        self.maps_of().filter(|(_, maps)| maps.id == id)
    }

    /// How well positions match as query and key in a head.
    pub(crate) fn positions(&self, id: HeadId) -> Option<(&Answer, &Arc<LowRank>)> {
        self.positions_of().filter(|(answer, _)| answer.inquiry.question == Question::Positions(id))
    }

    /// Tokens with positions, and bias terms, in a head.
    pub(crate) fn quadrants(&self, id: HeadId) -> Option<(&Answer, &Arc<Quadrants>)> {
        self.quadrants_of().filter(|(answer, _)| answer.inquiry.question == Question::Quadrants(id))
    }

    /// What each position adds to the target through a head.
    pub(crate) fn sources(&self, head: HeadId, target: Target) -> Option<(&Answer, &Arc<Vec<f32>>)> {
        let asked = Question::Sources { head, target };
        self.sources_of().filter(|(answer, _)| answer.inquiry.question == asked)
    }
}

impl App {
    /// The validation in the training view: the trainer's last, or a later one of the current weights.
    pub(crate) fn validation(&self) -> Option<(&Evaluation, Option<&Answer>)> {
        let last = self.history.validation.as_ref();
        let study = self
            .studies
            .accuracy()
            .filter(|(answer, _)| self.validates_here() || last.is_none_or(|last| last.step < answer.step()));
        let study = study.map(|(answer, found)| (&**found, Some(answer)));
        study.or_else(|| last.map(|last| (&last.validation, None)))
    }

    /// Whether the current weights are validated here: the trainer's validations are of its own weights, and files keep
    /// only a part.
    pub(super) fn validates_here(&self) -> bool {
        self.is_exploring() || !matches!(self.timeline.look, Look::Live)
    }

    /// The lens on a probe's sequence; possibly of an earlier step.
    pub(crate) fn lens_of(&self, probe: &Probe) -> Option<(&Answer, &Arc<Vec<LensRow>>)> {
        self.studies.sequence_lens().filter(|(answer, _)| answer.inquiry.subject.is_like(&probe.subject))
    }

    /// Whether any answer is pending.
    pub(super) fn is_waiting(&self) -> bool {
        self.studies.is_pending(|_| true)
    }

    /// Whether paths are being ranked.
    pub(super) fn is_ranking(&self) -> bool {
        self.studies.is_pending(|question| matches!(question, Question::Paths(_) | Question::Circuits))
    }

    pub(super) fn study_answer(&mut self, answer: Answer) -> Vec<Command> {
        let (is_of_trackers, by) = (answer.inquiry.question == Question::Trackers, answer.inquiry.by);
        let is_searched = answer.inquiry.question == Question::Predictions;
        if !self.studies.answer(answer) {
            return Vec::new();
        }
        self.dirty = true;
        if is_of_trackers {
            self.note_tracked();
        }
        if is_searched {
            return self.search_on();
        }
        (self.view.room().prepare)(self);
        // The next question may depend on the circuits.
        self.request_studies(Refresh::Missing, by)
    }

    pub(super) fn study_failed(&mut self, generation: u64) {
        self.studies.fail(generation);
    }

    /// Asks the current view's questions beyond the probe, unless known.
    pub(super) fn request_studies(&mut self, refresh: Refresh, by: AskedBy) -> Vec<Command> {
        let mut asks = (self.view.room().asks)(self);
        asks.retain(|(_, question)| *question != Question::Trackers || self.trackers_too_large().is_none());
        let ask = |(subject, question): (Subject, Question)| {
            self.generation += 1;
            self.studies.ask(Inquiry { generation: self.generation, by, subject, question }, refresh)
        };
        asks.into_iter().filter_map(ask).collect()
    }

    /// A subject of weights in a form, with their origin.
    pub(super) fn subject(&self, snapshot: &Arc<Snapshot>, form: WeightForm) -> Subject {
        Subject::weights(snapshot, form).from(&Arc::new(self.origin()))
    }

    /// Origin of weights and data.
    fn origin(&self) -> Origin {
        let weights_file = match &self.options.mode {
            Mode::Exploring { weights } => Some(weights.clone()),
            Mode::Live => None,
        };
        Origin {
            weights_file,
            has_steps: !self.is_without_step(),
            task: self.options.title.clone(),
            seed: self.options.seed,
            sequences: self.options.dataset.len(Split::Validation),
        }
    }

    /// Whether the weights come from a file that does not tell their step.
    pub(crate) fn is_without_step(&self) -> bool {
        self.is_exploring() && self.timeline.all().all(|snapshot| snapshot.step == 0)
    }

    /// The validation set as subject, with the current weights; `None` if it is empty.
    pub(super) fn of_validation(&self) -> Option<Subject> {
        let snapshot = self.timeline.current().filter(|_| self.has_data())?;
        Some(self.subject(snapshot, self.form).over(Over::Validation))
    }

    /// Evaluates everything over the validation set again, at the current step.
    pub(super) fn refresh(&mut self) -> Vec<Command> {
        let mut commands = self.request_studies(Refresh::Newer, AskedBy::User);
        commands.extend(self.validate_now());
        if self.inquiry_failure.take().is_some() && !self.is_answered() {
            commands.extend(self.request_probe());
        }
        commands
    }

    /// Whether a number on screen is, or will be, of another step than the weights.
    pub(crate) fn is_stale(&self) -> bool {
        let asks = (self.view.room().asks)(self);
        let mut studies = asks.iter().filter(|(_, question)| !question.is_quick());
        let has_failed = self.inquiry_failure.is_some() && !self.is_answered();
        has_failed || studies.any(|(subject, question)| self.studies.is_stale(subject, question))
    }

    /// Whether the trainer's last validation is older than the current weights.
    pub(super) fn is_validated_before(&self) -> bool {
        let last = self.history.validation.as_ref().map(|last| last.step);
        let shown = self.validation().and_then(|(_, study)| study.map(Answer::step).or(last));
        let current = self.timeline.current().map(|current| current.step);
        self.view.room().is_of_run && !self.validates_here() && shown < current && shown.is_some()
    }

    fn validate_now(&mut self) -> Option<Command> {
        let subject = self.of_validation().filter(|_| self.is_validated_before())?;
        self.generation += 1;
        let (generation, by, question) = (self.generation, AskedBy::User, Question::Accuracy);
        self.studies.ask(Inquiry { generation, by, subject, question }, Refresh::Newer)
    }

    /// Whether the numbers of the sequence are old: of other tokens, edits or form than the last question.
    pub(crate) fn is_computing(&self) -> bool {
        self.probe.is_some() && !self.is_answered()
    }
}
