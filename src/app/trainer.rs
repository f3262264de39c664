//! The known state of the trainer.

use crate::train::{RunState, TrainCommand, TrainPlan};

/// The trainer's state, from its last events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trainer {
    /// The plan; `None` until training starts, or without a run.
    pub(crate) plan: Option<TrainPlan>,
    pub(crate) state: Option<RunState>,
    /// State requested but not yet confirmed.
    told: Option<RunState>,
    /// Steps taken.
    pub(crate) step: usize,
    /// The epoch of the last step: from 1.
    pub(crate) epoch: usize,
    /// Used and total bytes of the device's own memory.
    pub(crate) memory: Option<(usize, usize)>,
    /// Steps per second.
    pub(crate) rate: Option<f64>,
    /// Seconds without an event.
    pub(crate) silent: Option<f64>,
    /// Why the newest state is not saved.
    pub(crate) unsaved: Option<String>,
    /// Why the run failed.
    pub(crate) failure: Option<String>,
}

impl Trainer {
    /// Whether the run keeps the weights of a step.
    pub(super) fn keeps(&self, step: usize) -> bool {
        self.plan.as_ref().is_none_or(|plan| plan.keeps(step))
    }

    /// Records a state that the trainer reports.
    pub(super) fn turn(&mut self, state: RunState) {
        self.state = Some(state);
        if state != RunState::Running {
            self.rate = None;
        }
        if self.told == Some(state) || self.is_over() {
            self.told = None;
        }
    }

    /// The command of a key press, based on the requested state: during a long step the trainer has not confirmed it
    /// yet.
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

    /// Whether ending now would lose training.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Some(RunState::Running | RunState::Paused))
    }

    /// Whether no further steps will follow.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, Some(RunState::Finished | RunState::Stopped | RunState::Failed))
    }

    /// Step at which the run ends.
    pub(crate) fn total(&self) -> Option<usize> {
        self.plan.as_ref().map(|plan| plan.total_steps)
    }
}
