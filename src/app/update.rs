//! Turns events into changes of state and commands.

use std::sync::Arc;

use super::event::{Command, Event, Level, Notice};
use super::keymap::{self, Key};
use super::studies::Refresh;
use super::{App, Focus};
use crate::inquiry::{Answer, AskedBy, Findings, Inquiry, Over, Probe, Question};
use crate::train::{RunState, TrainEvent};

impl App {
    /// Handles an event.
    pub fn update(&mut self, event: Event) -> Vec<Command> {
        let mut commands = self.handle(event);
        commands.extend(self.follow_remembered());
        commands.extend(self.next_point());
        commands
    }

    fn handle(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Key(event) => self.key(Key::of(&event)),
            Event::Paste(text) => self.paste(&text),
            Event::Resize { width, height } => {
                self.size = (width, height);
                self.dirty = true;
                Vec::new()
            }
            Event::Train(event) => self.train(event),
            Event::Answer(answer) => self.answer(*answer),
            Event::InquiryFailed(failure) if self.is_of_remembered(failure.generation) => {
                self.tell_remembered(Event::InquiryFailed(failure))
            }
            Event::InquiryFailed(failure) if Self::is_of_curve(failure.generation) => {
                self.curve_failed();
                Vec::new()
            }
            Event::InquiryFailed(failure) => {
                self.inquiry_failure = Some(failure.what);
                self.study_failed(failure.generation);
                self.dirty = true;
                Vec::new()
            }
            Event::Notice(notice) => self.say(notice),
            Event::Edits(text) => self.take_edits(&text),
            Event::StepRate(rate) => {
                self.dirty |= self.trainer.rate.map(tenths) != Some(tenths(rate));
                self.trainer.rate = Some(rate);
                Vec::new()
            }
            Event::TrainerSilent(seconds) => {
                self.dirty |= self.trainer.silent.map(f64::round) != Some(seconds.round());
                self.trainer.silent = Some(seconds);
                Vec::new()
            }
        }
    }

    pub(super) fn say(&mut self, notice: Notice) -> Vec<Command> {
        self.notice = Some(notice);
        self.dirty = true;
        Vec::new()
    }

    fn key(&mut self, key: Option<Key>) -> Vec<Command> {
        if self.notice.take().is_some() {
            self.dirty = true;
        }
        self.searching = None;
        let Some(key) = key else { return Vec::new() };
        if let (Focus::Pick(_), Some(typed)) = (&self.focus, key.typed()) {
            self.dirty = true;
            self.type_choice(typed);
            return Vec::new();
        }
        let typed = key.typed().filter(|c| self.task().vocabulary().has(*c));
        if let (Focus::Edit(_), Some(typed)) = (&self.focus, typed) {
            self.dirty = true;
            return self.edit(|edit| edit.typed(typed));
        }
        let Some(binding) = keymap::find(self.context(), key) else { return Vec::new() };
        self.dirty = true;
        self.press(binding)
    }

    fn paste(&mut self, text: &str) -> Vec<Command> {
        self.dirty = true;
        self.notice = None;
        match self.focus {
            Focus::Edit(_) => self.edit(|edit| edit.paste(text)),
            Focus::Pick(_) => {
                text.chars().filter(|c| !c.is_control()).for_each(|c| self.type_choice(c));
                Vec::new()
            }
            _ => self.say(Notice::warning("paste ignored: i edits the tokens, and then they can be pasted")),
        }
    }

    fn train(&mut self, event: TrainEvent) -> Vec<Command> {
        self.dirty = true;
        self.trainer.silent = None;
        match event {
            TrainEvent::Started(plan) => {
                self.trainer.step = plan.start_step;
                self.trainer.epoch = plan.start_step.div_ceil(plan.steps_per_epoch.max(1));
                self.trainer.state.get_or_insert(RunState::Running);
                self.trainer.plan = Some(plan);
            }
            TrainEvent::Step(metrics) => {
                (self.trainer.step, self.trainer.epoch) = (metrics.step, metrics.epoch);
                self.history.step(metrics);
            }
            TrainEvent::Epoch(metrics) => {
                self.trainer.epoch = metrics.epoch;
                self.history.epoch(metrics);
            }
            TrainEvent::Outside(metrics) => {
                self.trainer.step = self.trainer.step.max(metrics.step);
                self.history.outside(metrics);
            }
            TrainEvent::Snapshot(snapshot) => {
                self.trainer.step = self.trainer.step.max(snapshot.step);
                let stays = !self.is_training() || self.trainer.keeps(snapshot.step);
                if self.timeline.push(snapshot, stays) {
                    // After the first answer, snapshots start no evaluation: each would take the processor from
                    // training. A followed run has only checkpoints, which are rare.
                    let asks = (self.view.room().asks)(self);
                    let is_validated_here = asks.iter().any(|(_, question)| *question == Question::Accuracy);
                    let evaluates = self.probe.is_none() || is_validated_here;
                    return if evaluates { self.look_again() } else { self.probe_by(AskedBy::Training) };
                }
            }
            TrainEvent::Extended { total_steps, by } => {
                if let Some(plan) = &mut self.trainer.plan {
                    plan.total_steps = total_steps;
                }
                return self.say(Notice::info(format!("to step {total_steps} now, {by}")));
            }
            TrainEvent::Memory { used, total } => self.trainer.memory = Some((used, total)),
            TrainEvent::State(state) => {
                self.trainer.turn(state);
                if !self.is_training() && matches!(self.focus, Focus::Quit) {
                    self.focus = Focus::View;
                }
            }
            TrainEvent::Notice(text) => return self.say(Notice { level: Level::Warning, text }),
            TrainEvent::Unsaved(why) => {
                let is_saved_again = why.is_none();
                self.trainer.unsaved = why;
                if is_saved_again {
                    return self.say(Notice::info("saved again"));
                }
            }
            TrainEvent::Rescued { step, run_dir } => {
                let text = format!("saved at step {step}, and the run goes on in a new directory: {run_dir}");
                self.trainer.unsaved = None;
                if let Some(plan) = &mut self.trainer.plan {
                    plan.run_dir = Some(run_dir);
                }
                return self.say(Notice::info(text));
            }
            TrainEvent::Failed(reason) => {
                self.trainer.failure = Some(reason);
                self.trainer.turn(RunState::Failed);
            }
        }
        Vec::new()
    }

    fn answer(&mut self, answer: Answer) -> Vec<Command> {
        if self.is_of_remembered(answer.inquiry.generation) {
            return self.tell_remembered(Event::Answer(Box::new(answer)));
        }
        // The reader of curves receives such answers too, and has no curves.
        if Self::is_of_curve(answer.inquiry.generation) && !self.curves.groups.is_empty() {
            return self.curve_answer(answer);
        }
        match &answer.findings {
            Findings::Probe(probe) => self.probe_answer(&answer.inquiry, Arc::clone(probe)),
            _ => self.study_answer(answer),
        }
    }

    fn probe_answer(&mut self, to: &Inquiry, probe: Arc<Probe>) -> Vec<Command> {
        if !self.is_wanted(to.generation) || !self.is_of_this_model(&probe) {
            return Vec::new();
        }
        self.say_what_folding_changed(&probe);
        (self.probe, self.shown) = (Some(probe), to.generation);
        (self.view.room().prepare)(self);
        self.dirty = true;
        // A question may depend on the first neuron, or on the answer's token.
        self.request_studies(Refresh::Missing, to.by)
    }

    /// Whether a probe answers the user's last request, possibly for an earlier snapshot: snapshots may come faster
    /// than answers.
    fn is_wanted(&self, generation: u64) -> bool {
        (self.asked..=self.generation).contains(&generation)
    }

    /// Whether the numbers on screen answer the user's last request.
    pub(super) fn is_answered(&self) -> bool {
        self.probe.is_some() && self.is_wanted(self.shown)
    }

    /// Asks for a probe of the current tokens, edits and weights.
    pub(super) fn request_probe(&mut self) -> Vec<Command> {
        let commands = self.probe_by(AskedBy::User);
        self.asked = self.generation;
        commands
    }

    fn probe_by(&mut self, by: AskedBy) -> Vec<Command> {
        self.cursor.position = self.cursor.position.min(self.sequence.tokens.len().saturating_sub(1));
        self.keep_key();
        let tokens = &self.sequence.tokens;
        let Some(snapshot) = self.timeline.current() else { return Vec::new() };
        self.generation += 1;
        let subject = self.subject(snapshot, self.form);
        let subject = subject.over(Over::Sequence(Arc::clone(tokens))).edited(&self.ablation.off);
        let (generation, question) = (self.generation, Question::Probe);
        vec![Command::Ask(Box::new(Inquiry { generation, by, subject, question }))]
    }

    /// Asks for a probe and all studies, after the user changed something.
    pub(super) fn look_again(&mut self) -> Vec<Command> {
        let mut commands = self.request_probe();
        commands.extend(self.request_studies(Refresh::Newer, AskedBy::User));
        commands
    }
}

/// A rate at display precision: an invisible change draws nothing.
fn tenths(rate: f64) -> i64 {
    (rate * 10.0).round() as i64
}
