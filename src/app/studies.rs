//! What is known of the weights and of the validation set beyond the sequence in view.

use std::sync::Arc;

use super::App;
use super::event::Command;
use crate::analysis::attention::HeadAverages;
use crate::analysis::circuits::HeadCircuits;
use crate::analysis::hypotheses::Tracker;
use crate::analysis::lens::LensFigures;
use crate::analysis::{Evaluation, Findings, Study, StudyRequest, Topic};
use crate::model::{Interventions, NeuronId};
use crate::task::Class;

/// The last question on a topic, and the last answer.
#[derive(Clone, Debug, Default)]
struct Slot {
    asked: Option<StudyRequest>,
    answer: Option<Study>,
}

/// One slot a topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Studies {
    slots: [Slot; 6],
}

const CIRCUITS: usize = 0;
const LENS: usize = 1;
const HEADS: usize = 2;
const FIT: usize = 3;
const TRACKERS: usize = 4;
const ACCURACY: usize = 5;

/// Whether a newer snapshot is reason enough to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    ForANewerSnapshot,
    ForAnotherQuestion,
}

fn slot(topic: &Topic) -> usize {
    match topic {
        Topic::Circuits => CIRCUITS,
        Topic::Lens => LENS,
        Topic::Heads => HEADS,
        Topic::Fit { .. } => FIT,
        Topic::Trackers => TRACKERS,
        Topic::Accuracy => ACCURACY,
    }
}

/// Whether two requests ask the same, of whichever snapshot.
fn is_same_question(a: &StudyRequest, b: &StudyRequest) -> bool {
    a.folded == b.folded && a.topic == b.topic && a.interventions == b.interventions
}

impl Studies {
    /// The question, unless it has been asked.
    fn ask(&mut self, request: StudyRequest, again: Again) -> Option<Command> {
        let slot = &mut self.slots[slot(&request.topic)];
        if let Some(asked) = &slot.asked
            && is_same_question(asked, &request)
        {
            if again == Again::ForAnotherQuestion || Arc::ptr_eq(&asked.snapshot, &request.snapshot) {
                return None;
            }
        } else {
            slot.answer = None;
        }
        slot.asked = Some(request.clone());
        Some(Command::Study(request))
    }

    /// Takes an answer. False if something else has been asked meanwhile.
    fn answer(&mut self, study: Study) -> bool {
        let slot = &mut self.slots[slot(&study.request.topic)];
        let is_wanted = slot.asked.as_ref().is_some_and(|asked| {
            is_same_question(asked, &study.request) && Arc::ptr_eq(&asked.snapshot, &study.request.snapshot)
        });
        if is_wanted {
            slot.answer = Some(study);
        }
        is_wanted
    }

    /// The answers to what a view asks.
    pub(super) fn among<'a>(&'a self, topics: &'a [Topic]) -> impl Iterator<Item = &'a Study> {
        topics.iter().filter_map(|topic| self.on(topic))
    }

    /// The step that a topic was last asked at.
    fn asked_at(&self, topic: &Topic) -> Option<usize> {
        self.slots[slot(topic)].asked.as_ref().map(|request| request.snapshot.step)
    }

    /// The answer on a topic.
    pub(crate) fn on(&self, topic: &Topic) -> Option<&Study> {
        self.slots[slot(topic)].answer.as_ref()
    }

    /// Every head's circuits.
    pub(crate) fn circuits(&self) -> Option<(&Study, &[HeadCircuits])> {
        match self.on(&Topic::Circuits) {
            Some(study @ Study { findings: Findings::Circuits(found), .. }) => Some((study, found)),
            _ => None,
        }
    }

    /// How well each place in the stream answers.
    pub(crate) fn lens(&self) -> Option<(&Study, &[LensFigures])> {
        match self.on(&Topic::Lens) {
            Some(study @ Study { findings: Findings::Lens(found), .. }) => Some((study, found)),
            _ => None,
        }
    }

    /// Every head's averages.
    pub(crate) fn heads(&self) -> Option<(&Study, &[HeadAverages])> {
        match self.on(&Topic::Heads) {
            Some(study @ Study { findings: Findings::Heads(found), .. }) => Some((study, found)),
            _ => None,
        }
    }

    /// R² of the features, if they are of these neurons and that class.
    pub(crate) fn fit(&self, of: &[NeuronId], to: Class) -> Option<(&Study, &[f64])> {
        let study = self.slots[FIT].answer.as_ref()?;
        match (&study.request.topic, &study.findings) {
            (Topic::Fit { neurons, class }, Findings::Fit(found)) if neurons == of && *class == to => {
                Some((study, found))
            }
            _ => None,
        }
    }

    /// How well the weights in view answer.
    pub(crate) fn accuracy(&self) -> Option<(&Study, &Evaluation)> {
        match self.on(&Topic::Accuracy) {
            Some(study @ Study { findings: Findings::Accuracy(found), .. }) => Some((study, found)),
            _ => None,
        }
    }

    /// For each class the neurons that track it.
    pub(crate) fn trackers(&self) -> Option<(&Study, &[Vec<Tracker>])> {
        match self.on(&Topic::Trackers) {
            Some(study @ Study { findings: Findings::Trackers(found), .. }) => Some((study, found)),
            _ => None,
        }
    }
}

impl App {
    /// The validation that the training view shows: of the weights in view, or the trainer's last.
    pub(crate) fn validation(&self) -> Option<&Evaluation> {
        let last = self.history.validation.as_ref().map(|last| &last.validation);
        self.studies.accuracy().map(|(_, found)| found).or(last)
    }

    pub(super) fn study_answer(&mut self, study: Study) -> Vec<Command> {
        let is_of_trackers = study.request.topic == Topic::Trackers;
        if self.studies.answer(study) {
            self.dirty = true;
            if is_of_trackers {
                self.note_tracked();
            }
            (self.view.room().prepare)(self);
        }
        Vec::new()
    }

    /// Asks what the view shows beyond the sequence, where it is not known.
    pub(super) fn request_studies(&mut self, again: Again) -> Vec<Command> {
        let Some(snapshot) = self.timeline.current().cloned() else { return Vec::new() };
        let topics = (self.view.room().topics)(self);
        let request = |topic: Topic| StudyRequest {
            snapshot: Arc::clone(&snapshot),
            // Circuits are of the folded weights in either case.
            folded: self.form.is_folded() && topic != Topic::Circuits,
            interventions: self.in_force_for(&topic),
            topic,
        };
        let requests: Vec<StudyRequest> = topics.into_iter().map(request).collect();
        requests.into_iter().filter_map(|request| self.studies.ask(request, again)).collect()
    }

    /// What holds while a topic is studied: only heads' averages heed it.
    fn in_force_for(&self, topic: &Topic) -> Interventions {
        match topic {
            Topic::Heads => self.ablation.off.clone(),
            _ => Interventions::default(),
        }
    }

    /// Takes everything over the validation set again, at the step in view.
    pub(super) fn refresh(&mut self) -> Vec<Command> {
        let mut commands = self.request_evaluation();
        commands.extend(self.request_studies(Again::ForANewerSnapshot));
        commands
    }

    /// Whether something in view is, or will be when it is answered, of another step than the weights.
    pub(crate) fn is_stale(&self) -> bool {
        let Some(current) = self.timeline.current() else { return false };
        let room = self.view.room();
        let topics = (room.topics)(self);
        let studies = topics.iter().filter_map(|topic| self.studies.asked_at(topic));
        let report = self.ablation.figures().filter(|_| (room.evaluates)(self)).map(|report| report.step);
        studies.chain(report).any(|step| step != current.step)
    }
}
