//! What the trainer has been told: to go on, to wait, to end.

use std::sync::mpsc::{Receiver, TryRecvError};

use super::events::TrainCommand;

/// Whether to take another step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Running,
    /// One step, then wait.
    Once,
    Paused,
    Stop,
}

impl Pace {
    /// Hears the commands that wait; while paused, waits for one.
    pub(super) fn next(self, commands: &Receiver<TrainCommand>, save: &mut dyn FnMut()) -> Self {
        let mut pace = if self == Self::Once { Self::Paused } else { self };
        loop {
            let command = match commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) if pace == Self::Paused && self == Self::Paused => {
                    match commands.recv() {
                        Ok(command) => command,
                        Err(_) => return Self::Stop,
                    }
                }
                Err(TryRecvError::Empty) => return pace,
                Err(TryRecvError::Disconnected) => return Self::Stop,
            };
            pace = match command {
                TrainCommand::Pause => Self::Paused,
                TrainCommand::Resume => Self::Running,
                TrainCommand::Step => return Self::Once,
                TrainCommand::Stop => return Self::Stop,
                TrainCommand::Save => {
                    save();
                    pace
                }
            };
        }
    }
}
