//! What each action does: this file sends it on, its neighbours do it.

use super::cursor::moved;
use super::event::{Command, Notice};
use super::keymap::{self, Action};
use super::sequence::Edit;
use super::studies::Again;
use super::{App, Focus};
use crate::train::{RunState, TrainCommand};

impl App {
    pub(super) fn act(&mut self, action: Action) -> Vec<Command> {
        self.choose_neuron(action);
        let mut commands = self.obey(action);
        self.stay_on_first_neuron();
        self.refresh_circuits();
        self.refresh_lens();
        commands.extend(self.request_studies(Again::ForAnotherQuestion));
        commands
    }

    fn obey(&mut self, action: Action) -> Vec<Command> {
        if matches!(self.focus, Focus::Quit) {
            self.focus = Focus::View;
            if matches!(action, Action::Quit | Action::QuitNow) {
                return self.quit();
            }
            if action == Action::Dismiss {
                return Vec::new();
            }
        }
        match action {
            Action::View(_) | Action::NextView | Action::PreviousView => self.act_on_tabs(action),
            Action::Toggle => self.toggle(),
            Action::Clear | Action::Restore | Action::CycleKind => self.act_on_ablation(action),
            Action::RandomSequence | Action::ValidationSequence(_) => self.change_sequence(action),
            Action::Freeze | Action::Back | Action::Forward | Action::FirstSnapshot | Action::Follow => {
                self.act_on_timeline(action)
            }
            Action::PauseResume | Action::SingleStep => self.act_on_trainer(action),
            Action::ReplacePattern => self.replace_patterns(false),
            Action::ReplacePatterns => self.replace_patterns(true),
            Action::PickTrackers => self.pick_trackers(),
            Action::ToggleTrackers => self.toggle_trackers(),
            Action::Copy => self.copy(),
            Action::Export => self.export(),
            Action::Fold => self.switch_form(),
            Action::Evaluate => self.take_anew(),
            Action::Repaint => vec![Command::Repaint],
            Action::Suspend => vec![Command::Suspend],
            Action::Quit if self.is_training() => {
                self.focus = Focus::Quit;
                Vec::new()
            }
            Action::Quit | Action::QuitNow => self.quit(),
            Action::Edit => {
                self.focus = Focus::Edit(Edit::new(&self.sequence, &self.cursor));
                Vec::new()
            }
            Action::EditMove(_)
            | Action::EditStart
            | Action::EditEnd
            | Action::EditBackspace
            | Action::EditDelete
            | Action::EditCut
            | Action::EditInsert
            | Action::EditFinish
            | Action::EditApply
            | Action::EditCancel => self.act_on_edit(action),
            Action::Help => {
                self.focus = Focus::Help(0);
                Vec::new()
            }
            Action::HelpLine(_) | Action::HelpClose | Action::Dismiss => self.act_on_help(action),
            _ => {
                self.act_on_cursor(action);
                self.act_on_settings(action);
                self.act_on_circuits(action);
                Vec::new()
            }
        }
    }

    fn act_on_tabs(&mut self, action: Action) -> Vec<Command> {
        self.view = match action {
            Action::View(view) => view,
            Action::NextView => self.view.next(1),
            _ => self.view.next(-1),
        };
        let mut commands = self.request_evaluation();
        commands.extend(self.request_studies(Again::ForANewerSnapshot));
        commands
    }

    fn change_sequence(&mut self, action: Action) -> Vec<Command> {
        match action {
            Action::ValidationSequence(by) => {
                if !self.sequence.next_validation(&self.options.dataset, by) {
                    return self
                        .say(Notice::warning("there is no validation sequence: r draws a random one"));
                }
            }
            _ => self.sequence.random(),
        }
        self.request_probe()
    }

    fn act_on_timeline(&mut self, action: Action) -> Vec<Command> {
        let (changed, otherwise) = match action {
            Action::Freeze => (self.timeline.toggle_freeze(), "there is no snapshot yet"),
            Action::Back => (self.timeline.back(), "there is no earlier snapshot"),
            Action::Forward => (self.timeline.forward(), "this is the newest snapshot"),
            Action::FirstSnapshot => (self.timeline.first(), "there is no snapshot yet"),
            _ => (self.timeline.follow(), "this is the newest snapshot"),
        };
        if changed { self.look_again() } else { self.say(Notice::info(otherwise)) }
    }

    fn act_on_trainer(&mut self, action: Action) -> Vec<Command> {
        if self.is_exploring() {
            return self.say(Notice::info("nothing trains here: these weights are only explored"));
        }
        if let Some(command) = self.trainer.tell(action == Action::SingleStep) {
            return vec![Command::Train(command)];
        }
        self.say(Notice::info(match self.trainer.state {
            None => "training has not started yet",
            Some(RunState::Finished) => "the run is finished",
            Some(_) => "the run is over",
        }))
    }

    fn quit(&mut self) -> Vec<Command> {
        let stop = self.is_training().then_some(Command::Train(TrainCommand::Stop));
        stop.into_iter().chain([Command::Quit]).collect()
    }

    fn act_on_help(&mut self, action: Action) -> Vec<Command> {
        match (action, &mut self.focus) {
            (Action::HelpLine(by), Focus::Help(line)) => {
                let shown = usize::from(self.size.1.saturating_sub(crate::view::HELP_CHROME));
                *line = moved(*line, by, (keymap::help_lines() + 1).saturating_sub(shown).max(1));
            }
            (Action::HelpClose, _) => self.focus = Focus::View,
            _ => {}
        }
        Vec::new()
    }
}
