//! What has been asked, and what is known: one slot for each kind of question but the probe.

use std::sync::Arc;

use super::event::Command;
use super::{App, CircuitMap, Look, Mode};
use crate::analysis::Evaluation;
use crate::analysis::attention::HeadAverages;
use crate::analysis::circuits::{HeadCircuits, HeadDrive};
use crate::analysis::hypotheses::Tracker;
use crate::analysis::lens::{LensFigures, LensRow};
use crate::inquiry::{
    AblationReport, Answer, AskedBy, Findings, Inquiry, Origin, Over, PathsTo, Probe, Question, Subject,
    TokenPath, WeightForm,
};
use crate::model::{HeadId, NeuronId, Snapshot};
use crate::task::{Class, Split};

/// A question, and what it is asked of.
pub(crate) type Asked = (Subject, Question);

/// Random neuron sets that an ablation is compared with.
const CONTROLS: usize = 20;

/// Paths of a layer that can be ranked while the user waits.
const MOST_PATHS: usize = 1 << 20;

/// The last question of a kind, and the last answer to it.
#[derive(Clone, Debug)]
struct Slot {
    asked: Inquiry,
    answer: Option<Answer>,
    has_failed: bool,
}

/// The slots of every question but the probe.
#[derive(Clone, Debug, Default)]
pub(crate) struct Studies(Vec<Slot>);

/// Whether a newer snapshot is reason enough to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// Of a newer snapshot too.
    Newer,
    /// Only what has not been asked of any.
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
    /// The question, unless it has been asked.
    fn ask(&mut self, inquiry: Inquiry, refresh: Refresh) -> Option<Command> {
        // What is quick follows the probe, and with it the training.
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

    /// Takes an answer. False if something else has been asked meanwhile.
    fn answer(&mut self, answer: Answer) -> bool {
        let generation = answer.inquiry.generation;
        let slot = self.0.iter_mut().find(|slot| slot.asked.generation == generation);
        slot.map(|slot| slot.answer = Some(answer)).is_some()
    }

    /// Takes note that a question has come to nothing.
    fn fail(&mut self, generation: u64) {
        let slots = self.0.iter_mut().filter(|slot| slot.asked.generation == generation);
        slots.for_each(|slot| slot.has_failed = true);
    }

    /// Whether the answer to a question like this one is under way.
    fn is_pending(&self, is_it: impl Fn(&Question) -> bool) -> bool {
        let is_waited_for = |slot: &Slot| {
            let answered = slot.answer.as_ref().map(|answer| answer.inquiry.generation);
            !slot.has_failed && answered != Some(slot.asked.generation)
        };
        self.0.iter().any(|slot| is_it(&slot.asked.question) && is_waited_for(slot))
    }

    /// The slot of a question, if it was last asked of such a subject.
    fn slot(&self, subject: &Subject, question: &Question) -> Option<&Slot> {
        let is_it = |slot: &&Slot| slot.asked.question == *question && slot.asked.subject.is_like(subject);
        self.0.iter().find(is_it)
    }

    /// Whether an answer is to come.
    fn is_waited_for(&self, subject: &Subject, question: &Question) -> bool {
        self.slot(subject, question).is_some_and(|slot| !slot.has_failed)
    }

    /// Whether the answer is, or will be, of another step, or failed.
    fn is_stale(&self, subject: &Subject, question: &Question) -> bool {
        let slot = self.slot(subject, question);
        slot.is_some_and(|slot| slot.has_failed || slot.asked.subject.step() != subject.step())
    }

    found!(/** Every head's circuits. */ circuits, Circuits, Arc<Vec<HeadCircuits>>);
    found!(/** How well each place in the stream answers. */ lens, Lens, Arc<Vec<LensFigures>>);
    found!(/** The logits read from the stream at each place. */ sequence_lens, SequenceLens, Arc<Vec<LensRow>>);
    found!(/** Every head's averages. */ heads, Heads, Arc<Vec<HeadAverages>>);
    found!(/** How well the weights answer. */ accuracy, Accuracy, Arc<Evaluation>);
    found!(/** For each token the neurons that track it. */ trackers, Trackers, Arc<Vec<Vec<Tracker>>>);
    found!(/** The strongest paths. */ paths, Paths, Arc<Vec<TokenPath>>);
    found!(ablation, Ablation, Arc<AblationReport>);
    found!(fits, Fit, Arc<Vec<f64>>);
    found!(drives, Drive, Arc<HeadDrive>);
    found!(positions_of, Positions, Arc<Vec<f32>>);

    /// R² of the features, if they are of these neurons and that class.
    pub(crate) fn fit(&self, of: &[NeuronId], to: Class) -> Option<(&Answer, &Arc<Vec<f64>>)> {
        let (answer, found) = self.fits()?;
        match &answer.inquiry.question {
            Question::Fit { neurons, class } if neurons == of && *class == to => Some((answer, found)),
            _ => None,
        }
    }

    /// How a head drives its layer's neurons.
    pub(crate) fn drive(&self, id: HeadId) -> Option<(&Answer, &Arc<HeadDrive>)> {
        self.drives().filter(|(_, drive)| drive.id == id)
    }

    /// How well positions match by a head.
    pub(crate) fn positions(&self, id: HeadId) -> Option<(&Answer, &Arc<Vec<f32>>)> {
        self.positions_of().filter(|(answer, _)| answer.inquiry.question == Question::Positions(id))
    }
}

impl App {
    /// The validation that the training view shows: the trainer's last, or a later one of the weights in view.
    pub(crate) fn validation(&self) -> Option<(&Evaluation, Option<&Answer>)> {
        let last = self.history.validation.as_ref();
        let study = self
            .studies
            .accuracy()
            .filter(|(answer, _)| self.validates_here() || last.is_none_or(|last| last.step < answer.step()));
        let study = study.map(|(answer, found)| (&**found, Some(answer)));
        study.or_else(|| last.map(|last| (&last.validation, None)))
    }

    /// Whether the weights in view are validated here: what a trainer says is of its own, and in part only in a run's files.
    pub(super) fn validates_here(&self) -> bool {
        self.is_exploring() || !matches!(self.timeline.look, Look::Live)
    }

    /// What the edits in force do over the validation set.
    pub(crate) fn ablation_figures(&self) -> Option<(&Answer, &Arc<AblationReport>)> {
        let off = &self.ablation.off;
        self.studies.ablation().filter(|(answer, _)| !off.is_empty() && answer.inquiry.subject.edits == *off)
    }

    /// Whether the view in front waits for figures with the edits in force.
    pub(super) fn is_evaluating(&self) -> bool {
        let asks = (self.view.room().asks)(self);
        let mut edits = asks.iter().filter(|(_, question)| matches!(question, Question::Ablation { .. }));
        let is_known = self.ablation_figures().is_some_and(|(_, report)| report.after.is_some());
        !is_known && edits.any(|(subject, question)| self.studies.is_waited_for(subject, question))
    }

    /// The logits read from the stream at each place, of a probe's sequence; perhaps of an earlier step.
    pub(crate) fn lens_of(&self, probe: &Probe) -> Option<(&Answer, &Arc<Vec<LensRow>>)> {
        self.studies.sequence_lens().filter(|(answer, _)| answer.inquiry.subject.is_like(&probe.subject))
    }

    /// Whether paths are being ranked.
    pub(super) fn is_ranking(&self) -> bool {
        self.studies.is_pending(|question| matches!(question, Question::Paths(_) | Question::Circuits))
    }

    pub(super) fn study_answer(&mut self, answer: Answer) -> Vec<Command> {
        let (is_of_trackers, by) = (answer.inquiry.question == Question::Trackers, answer.inquiry.by);
        if !self.studies.answer(answer) {
            return Vec::new();
        }
        self.dirty = true;
        if is_of_trackers {
            self.note_tracked();
        }
        (self.view.room().prepare)(self);
        // What is asked next may be of the circuits.
        self.request_studies(Refresh::Missing, by)
    }

    pub(super) fn study_failed(&mut self, generation: u64) {
        self.studies.fail(generation);
    }

    /// Asks what the view shows beyond the sequence, where it is not known.
    pub(super) fn request_studies(&mut self, refresh: Refresh, by: AskedBy) -> Vec<Command> {
        let mut asks = (self.view.room().asks)(self);
        asks.retain(|(_, question)| *question != Question::Trackers || self.trackers_too_large().is_none());
        let ask = |(subject, question): (Subject, Question)| {
            self.generation += 1;
            self.studies.ask(Inquiry { generation: self.generation, by, subject, question }, refresh)
        };
        asks.into_iter().filter_map(ask).collect()
    }

    /// Weights in a form, with where they are from.
    pub(super) fn subject(&self, snapshot: &Arc<Snapshot>, form: WeightForm) -> Subject {
        Subject::weights(snapshot, form).from(&Arc::new(self.origin()))
    }

    /// Where weights and data are from.
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

    /// Whether the weights are a lone file's, which does not say after how many steps they were saved.
    pub(crate) fn is_without_step(&self) -> bool {
        self.is_exploring() && self.timeline.all().all(|snapshot| snapshot.step == 0)
    }

    /// The validation set, for the weights in view; `None` where there is none.
    pub(super) fn of_validation(&self) -> Option<Subject> {
        let snapshot = self.timeline.current().filter(|_| self.has_data())?;
        Some(self.subject(snapshot, self.form).over(Over::Validation))
    }

    /// What the edits in force do over the validation set.
    pub(super) fn of_edits(&self) -> Option<Asked> {
        let off = &self.ablation.off;
        let subject = self.of_validation().filter(|_| !off.is_empty())?;
        Some((subject.edited(off), Question::Ablation { controls: CONTROLS }))
    }

    /// What the weights alone say: every head's circuits, and what else is shown of them.
    pub(super) fn of_circuits(&self) -> Vec<Asked> {
        if self.circuits_too_large().is_some() {
            return Vec::new();
        }
        let Some(snapshot) = self.timeline.current() else { return Vec::new() };
        let mut asks = vec![(self.subject(snapshot, WeightForm::Folded), Question::Circuits)];
        let Some((circuits, _)) = self.studies.circuits() else { return asks };
        let (by, id) = (&circuits.inquiry.subject, self.cursor.head_id());
        if self.circuits.map == CircuitMap::QkPositions {
            asks.push((by.clone(), Question::Positions(id)));
        }
        if self.options.model.has_mlp() {
            asks.push((by.clone(), Question::Drive(id)));
            let probe = self.probe.as_deref().filter(|probe| !probe.is_empty());
            let probe = probe.filter(|_| self.paths_of_layer() <= MOST_PATHS);
            let paths =
                probe.map(|probe| ((*probe.subject).clone(), Question::Paths(self.paths_to(probe, by))));
            asks.extend(paths);
        }
        asks
    }

    fn paths_to(&self, probe: &Probe, ranked_by: &Subject) -> PathsTo {
        let position = self.position_in(probe);
        let (layer, target) = (self.cursor.layer, self.target_at(probe, position));
        PathsTo { ranked_by: ranked_by.clone(), layer, position, target }
    }

    /// Takes everything over the validation set again, at the step in view.
    pub(super) fn refresh(&mut self) -> Vec<Command> {
        let mut commands = self.request_studies(Refresh::Newer, AskedBy::User);
        commands.extend(self.validate_now());
        if self.inquiry_failure.take().is_some() && !self.is_answered() {
            commands.extend(self.request_probe());
        }
        commands
    }

    /// Whether something in view is, or will be when it is answered, of another step than the weights.
    pub(crate) fn is_stale(&self) -> bool {
        let asks = (self.view.room().asks)(self);
        let mut studies = asks.iter().filter(|(_, question)| !question.is_quick());
        let has_failed = self.inquiry_failure.is_some() && !self.is_answered();
        has_failed || studies.any(|(subject, question)| self.studies.is_stale(subject, question))
    }

    /// Whether the trainer's last validation is of an earlier step than the weights in view.
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

    /// Whether what is drawn of a sequence is of another one, of other edits or of another form than what is asked.
    pub(crate) fn is_computing(&self) -> bool {
        self.probe.is_some() && !self.is_answered()
    }
}
