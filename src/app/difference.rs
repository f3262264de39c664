//! The difference to a remembered subject.
//!
//! A second app, which nobody sees, stands before the remembered subject at the user's place. Its panels are subtracted
//! from the user's.

use std::ops::Range;
use std::sync::Arc;

use super::curves::Place;
use super::event::{Command, Event, Notice};
use super::studies::Refresh;
use super::{App, Cursor, Mode, Timeline};
use crate::inquiry::{AskedBy, Probe};
use crate::model::{Interventions, Snapshot};

/// Generations of the questions about remembered subjects.
const GENERATIONS: Range<u64> = 1 << 41..1 << 42;

/// Whether two snapshots are of the same weights, read once or twice.
fn are_same(ours: &Arc<Snapshot>, theirs: &Arc<Snapshot>) -> bool {
    let are_equal = || ours.step == theirs.step && ours.weights.values == theirs.weights.values;
    Arc::ptr_eq(ours, theirs) || are_equal()
}

impl App {
    /// Remembers the subject in view; forgets it if it is remembered.
    pub(super) fn remember(&mut self) -> Vec<Command> {
        let Some(snapshot) = self.timeline.current().cloned() else {
            return self.say(Notice::info("there are no weights yet"));
        };
        if self.remembers() && self.compared().is_none() {
            self.remembered = None;
            return self.say(Notice::info("forgotten: nothing is subtracted"));
        }
        // Late answers about the subject remembered before are of no use.
        let generation = self.remembered.as_ref().map_or(GENERATIONS.start, |other| other.generation + 1);
        let mut other = Box::new(Self::new(self.options.clone()).0);
        // The newest snapshot tells whether steps are known, and the key frequencies of a task on a circle.
        let kept = self.timeline.newest().into_iter().chain([&snapshot]).collect();
        Place::of(self).put(&mut other, Timeline::at(&snapshot, kept));
        (other.generation, other.asked, other.shown) = (generation, generation, generation);
        (other.studies, other.tracked) = (self.studies.known_of(&snapshot), Arc::clone(&self.tracked));
        let is_its = |probe: &Arc<Probe>| Arc::ptr_eq(&probe.subject.snapshot, &snapshot);
        other.probe = self.probe.clone().filter(|probe| self.is_answered() && is_its(probe));
        self.remembered = Some(other);
        self.say(Notice::info("remembered: another step, sequence or edit is shown less this"))
    }

    /// Shows this app's numbers less those of another at the same place.
    pub(crate) fn subtract(&mut self, other: Self) {
        self.remembered = Some(Box::new(other));
    }

    /// Whether a subject is remembered.
    pub(crate) fn remembers(&self) -> bool {
        self.remembered.is_some()
    }

    /// The app before the remembered subject, while another subject is in view.
    pub(crate) fn compared(&self) -> Option<&Self> {
        self.remembered.as_deref().filter(|other| !self.differences(other).is_empty())
    }

    /// The remembered subject in words, by what differs from the one in view: `step 120`, `unedited`.
    fn differences(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (&self.ablation.off, &other.ablation.off);
        let ours_now = self.timeline.current();
        let step =
            other.timeline.current().filter(|theirs| !ours_now.is_some_and(|ours| are_same(ours, theirs)));
        let sequence = (self.sequence.tokens != other.sequence.tokens).then(|| "the earlier sequence".into());
        let edits = (ours != theirs && !(ours.is_empty() && theirs.is_empty())).then(|| {
            let with_our_kind = Interventions { kind: ours.kind, ..theirs.clone() };
            match theirs.is_empty() {
                true => "unedited".into(),
                false if with_our_kind == *ours => format!("to {}", theirs.kind.word()),
                false => "the earlier edits".into(),
            }
        });
        let form = (self.form != other.form).then(|| other.form.words().into());
        let step = step.map(|snapshot| match &other.options.mode {
            Mode::Exploring { weights } if other.is_without_step() => weights.clone(),
            _ => format!("step {}", snapshot.step),
        });
        [step, sequence, edits, form].into_iter().flatten().collect()
    }

    /// What the numbers on screen are less than before: `less step 120, unedited`; empty unless a difference is shown.
    pub(crate) fn less(&self) -> String {
        let words = self.compared().map(|other| self.differences(other).join(", "));
        words.map_or(String::new(), |words| format!("less {words}"))
    }

    /// Whether an answer for the view is pending.
    pub(crate) fn is_pending(&self) -> bool {
        !self.is_answered() || self.is_waiting()
    }

    /// Whether a question is about a remembered subject.
    pub(super) fn is_of_remembered(&self, generation: u64) -> bool {
        self.remembers() && GENERATIONS.contains(&generation)
    }

    /// Hands an answer to the app before the remembered subject.
    pub(super) fn tell_remembered(&mut self, event: Event) -> Vec<Command> {
        let Some(other) = self.remembered.as_mut() else { return Vec::new() };
        self.dirty = true;
        Self::for_comparison(other.update(event))
    }

    /// Takes the app before the remembered subject to the user's place, and asks for what is missing there.
    pub(super) fn follow_remembered(&mut self) -> Vec<Command> {
        if self.compared().is_none() {
            return Vec::new();
        }
        let Some(mut other) = self.remembered.take() else { return Vec::new() };
        let mut cursor = Cursor { neuron_is_chosen: true, ..self.cursor };
        cursor.position = cursor.position.min(other.sequence.tokens.len().saturating_sub(1));
        cursor.keep_key(self.options.model.attention_dir, other.sequence.tokens.len());
        (other.view, other.cursor) = (self.view, cursor);
        if (&other.settings, &other.circuits) != (&self.settings, &self.circuits) {
            (other.settings, other.circuits) = (self.settings.clone(), self.circuits.clone());
        }
        let asked = match &other.probe {
            Some(_) => other.request_studies(Refresh::Missing, AskedBy::User),
            None if other.asked == other.shown => other.request_probe(),
            None => Vec::new(),
        };
        self.remembered = Some(other);
        Self::for_comparison(asked)
    }

    fn for_comparison(mut commands: Vec<Command>) -> Vec<Command> {
        commands.retain(|command| matches!(command, Command::Ask(_)));
        for command in &mut commands {
            if let Command::Ask(inquiry) = command {
                inquiry.by = AskedBy::Comparison;
            }
        }
        commands
    }
}
