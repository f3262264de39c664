//! Actions of the keys that every view has.

use std::borrow::Cow;

use super::cursor::moved;
use super::event::{Command, Notice};
use super::keymap::{self, Binding, Offer};
use super::sequence::Edit;
use super::studies::Refresh;
use super::views::ViewId;
use super::{App, Focus, Mode};
use crate::inquiry::AskedBy;
use crate::task::Split;
use crate::train::{RunState, TrainCommand};

/// Lines around the list of keys: status, tabs, heading, key line.
const HELP_CHROME: u16 = 4;

impl App {
    /// Executes a key's action, or says why it does nothing.
    pub(super) fn press(&mut self, binding: &Binding) -> Vec<Command> {
        let offer = match self.focus {
            Focus::Quit if !binding.is_end() => {
                self.focus = Focus::View;
                if binding.is_dismissal() {
                    return Vec::new();
                }
                (binding.offer)(self)
            }
            _ => (binding.offer)(self),
        };
        let mut commands = match offer {
            Offer::Do(effect) | Offer::Quiet(effect) => effect(self),
            Offer::Nothing(why) => self.say(Notice::info(why)),
        };
        (self.view.room().prepare)(self);
        commands.extend(self.request_studies(Refresh::Missing, AskedBy::User));
        commands
    }

    /// Shows a view.
    pub(super) fn show(&mut self, view: ViewId) -> Vec<Command> {
        self.view = view;
        self.request_studies(Refresh::Newer, AskedBy::User)
    }

    /// Whether there is a validation set.
    pub(crate) fn has_data(&self) -> bool {
        self.options.dataset.len(Split::Validation) > 0
    }

    /// An offer that needs neurons.
    pub(super) fn if_has_neurons(&self, offer: impl FnOnce() -> Offer) -> Offer {
        if self.options.model.has_mlp() {
            offer()
        } else {
            Offer::nothing("this model has attention only: there are no neurons")
        }
    }

    /// A change of the state that needs neurons.
    pub(super) fn if_neurons(&self, effect: fn(&mut Self)) -> Offer {
        self.if_has_neurons(|| Offer::set(effect))
    }

    /// An offer that needs numbers on screen.
    pub(super) fn if_numbers(&self, act: fn(&mut Self) -> Vec<Command>) -> Offer {
        if self.has_numbers() { Offer::act(act) } else { Offer::nothing("there are no numbers here yet") }
    }

    pub(super) fn random_sequence(&mut self) -> Vec<Command> {
        self.sequence.random();
        self.request_probe()
    }

    pub(super) fn validation_sequence(&mut self, by: isize) -> Vec<Command> {
        if let Some(filter) = self.filter.filter(|_| self.has_data()) {
            return self.filtered_sequence(filter, by);
        }
        if self.sequence.next_validation(&self.options.dataset, by) {
            return self.request_probe();
        }
        self.say(Notice::warning("there is no validation sequence: r draws a random one"))
    }

    /// Pauses, resumes or steps the trainer.
    pub(super) fn trainer_offer(&self, is_single_step: bool) -> Offer {
        if self.is_exploring() {
            return Offer::nothing("nothing trains here: these weights are only explored");
        }
        if !self.is_training() {
            return Offer::nothing(match self.trainer.state {
                None => "training has not started yet",
                Some(RunState::Finished) => "the run is finished",
                Some(_) => "the run is over",
            });
        }
        let tell = move |app: &mut Self| app.trainer.tell(is_single_step).map(Command::Train);
        Offer::act(move |app| tell(app).into_iter().collect())
    }

    /// Extends the run during training.
    pub(super) fn longer_offer(&self) -> Offer {
        if self.is_training() {
            return Offer::act(|_| vec![Command::Train(TrainCommand::Extend)]);
        }
        let of_run = self.trainer.plan.as_ref().and_then(|plan| plan.run_dir.as_deref());
        Offer::nothing(match (self.is_exploring(), self.trainer.state) {
            (true, _) => "nothing trains here: headcount train --resume --epochs N goes on with a run".into(),
            (false, None) => "training has not started yet".into(),
            (false, Some(_)) => {
                format!(
                    "the run has ended: headcount train --resume --epochs N --run {}",
                    of_run.unwrap_or("DIR")
                )
            }
        })
    }

    /// Saves an unsaved state in another directory.
    pub(super) fn rescue_offer(&self) -> Offer {
        if self.is_training() && self.trainer.unsaved.is_some() {
            Offer::act(|_| vec![Command::Train(TrainCommand::Rescue)])
        } else {
            Offer::nothing("nothing is left unsaved: the run directory takes what is saved")
        }
    }

    /// What quitting would do, and the alternatives.
    pub(crate) fn quit_question(&self) -> Cow<'static, str> {
        let of_run = self.trainer.plan.as_ref().and_then(|plan| plan.run_dir.as_deref());
        match (&self.trainer.unsaved, of_run) {
            (None, _) => "still training: q again stops it, saves and quits; Esc goes on".into(),
            (Some(_), of_run) => format!(
                "NOT SAVED: R saves and goes on, q saves and quits, Esc neither: in {}-rescued-N",
                of_run.unwrap_or("DIR")
            )
            .into(),
        }
    }

    /// Ends the program, or asks first if a run is training.
    pub(super) fn ask_to_quit(&mut self) -> Vec<Command> {
        if self.is_training() && !matches!(self.focus, Focus::Quit) {
            self.focus = Focus::Quit;
            return Vec::new();
        }
        self.quit()
    }

    pub(super) fn quit(&mut self) -> Vec<Command> {
        self.focus = Focus::View;
        let stop = self.is_training().then_some(Command::Train(TrainCommand::Stop));
        stop.into_iter().chain([Command::Quit]).collect()
    }

    pub(super) fn start_typing(&mut self) {
        self.focus = Focus::Edit(Edit::new(&self.sequence, &self.cursor));
    }

    pub(super) fn show_help(&mut self) {
        self.focus = Focus::Help(0);
    }

    pub(super) fn scroll_help(&mut self, by: isize) {
        let (all, shown) =
            (keymap::help(self, true).len(), usize::from(self.size.1.saturating_sub(HELP_CHROME)));
        if let Focus::Help(line) = &mut self.focus {
            *line = moved(*line, by, (all + 1).saturating_sub(shown).max(1));
        }
    }

    /// Whether the weights on screen are explored without a trainer.
    pub(crate) fn is_exploring(&self) -> bool {
        self.options.mode != Mode::Live
    }
}
