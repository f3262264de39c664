//! What is known of the trainer.

use crate::train::{RunState, TrainCommand, TrainPlan};

/// The trainer, as it last described itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trainer {
    /// What it is going to do; `None` until it starts, or when there is no run.
    pub(crate) plan: Option<TrainPlan>,
    pub(crate) state: Option<RunState>,
    /// What it was told to be and has not said that it is.
    told: Option<RunState>,
    /// Steps taken.
    pub(crate) step: usize,
    /// The epoch of the last step: from 1.
    pub(crate) epoch: usize,
    /// Used and total bytes of the device's own memory.
    pub(crate) memory: Option<(usize, usize)>,
    /// Steps per second.
    pub(crate) rate: Option<f64>,
    /// Seconds without a word.
    pub(crate) silent: Option<f64>,
    /// Why the newest state is not on disk.
    pub(crate) unsaved: Option<String>,
    /// Why the run is over.
    pub(crate) failure: Option<String>,
}

impl Trainer {
    /// It says what it is now.
    pub(super) fn turn(&mut self, state: RunState) {
        self.state = Some(state);
        if state != RunState::Running {
            self.rate = None;
        }
        if self.told == Some(state) || self.is_over() {
            self.told = None;
        }
    }

    /// What a key makes of it: what it will be by then, which a long step may keep it from saying.
    pub(super) fn tell(&mut self, is_single_step: bool) -> Option<TrainCommand> {
        let (command, then) = match self.told.or(self.state)? {
            RunState::Running | RunState::Paused if is_single_step => (TrainCommand::Step, RunState::Paused),
            RunState::Running => (TrainCommand::Pause, RunState::Paused),
            RunState::Paused => (TrainCommand::Resume, RunState::Running),
            RunState::Finished | RunState::Stopped | RunState::Failed => return None,
        };
        self.told = (self.state != Some(then)).then_some(then);
        Some(command)
    }

    /// Whether it would lose something by being ended now.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Some(RunState::Running | RunState::Paused))
    }

    /// Whether no further step is to come.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, Some(RunState::Finished | RunState::Stopped | RunState::Failed))
    }

    /// Steps at which it ends.
    pub(crate) fn total(&self) -> Option<usize> {
        self.plan.as_ref().map(|plan| plan.total_steps)
    }
}
