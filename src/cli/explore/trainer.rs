//! The thread that trains, as long as the screen is open and, if required, longer.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::Failure;
#[cfg(debug_assertions)]
use super::super::fault;
use super::event_loop::LoopEvent;
use crate::term::{SignalKind, TermEvent};
use crate::train::{DeviceChoice, Outcome, Setup, TrainCommand, TrainError, train_on};

/// How long to wait for a silent trainer.
const PATIENCE: Duration = Duration::from_millis(1500);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Time between two looks at a trainer without a screen.
const NAP: Duration = Duration::from_millis(50);

/// The training thread; when dropped during training, it saves first.
pub(super) struct Trainer {
    pub(super) commands: Sender<TrainCommand>,
    thread: Option<JoinHandle<Result<Outcome, TrainError>>>,
}

impl Trainer {
    pub(super) fn spawn(
        device: DeviceChoice,
        setup: Setup,
        sender: Sender<LoopEvent>,
    ) -> Result<Self, Failure> {
        let (commands, inbox) = channel();
        // The loop may end before the trainer does.
        let mut emit = move |event| {
            #[cfg(debug_assertions)]
            fault::strike(fault::Place::Trainer, &event);
            drop(sender.send(LoopEvent::Train(event)));
        };
        let thread = thread::Builder::new()
            .name("trainer".into())
            .spawn(move || train_on(device, setup, &inbox, &mut emit))
            .map_err(|error| Failure::Failed(format!("cannot start the trainer: {error}")))?;
        Ok(Self { commands, thread: Some(thread) })
    }

    /// Makes the trainer save and stop. Waits only briefly for a silent trainer.
    pub(super) fn stop(mut self, is_silent: bool) -> Result<Outcome, Failure> {
        let _ = self.commands.send(TrainCommand::Stop);
        let deadline = is_silent.then(|| Instant::now() + PATIENCE);
        while !self.is_finished() {
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.thread = None;
                return Err(Failure::Failed(
                    "the trainer hangs: nothing since the last checkpoint is saved".into(),
                ));
            }
            thread::sleep(LOOK_AGAIN);
        }
        self.join()
    }

    /// Lets it train to the end without a screen, unless a signal arrives: returns that signal.
    pub(super) fn outlive_the_screen(
        self,
        loop_events: &Receiver<LoopEvent>,
    ) -> Result<Option<SignalKind>, Failure> {
        // Without a screen no key can resume training.
        let _ = self.commands.send(TrainCommand::Resume);
        while !self.is_finished() {
            // Waking up for every step would cost 1 % of a core.
            thread::sleep(NAP);
            for loop_event in loop_events.try_iter() {
                match loop_event {
                    LoopEvent::Term(TermEvent::Signal(kind @ SignalKind::Fatal(_))) => {
                        return self.stop(false).map(|_| Some(kind));
                    }
                    LoopEvent::Term(TermEvent::Signal(SignalKind::User1)) => {
                        let _ = self.commands.send(TrainCommand::Save);
                    }
                    _ => {}
                }
            }
        }
        self.join().map(|_| None)
    }

    fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn join(mut self) -> Result<Outcome, Failure> {
        let died = || Failure::Failed("the trainer died".into());
        let thread = self.thread.take().ok_or_else(died)?;
        Ok(thread.join().map_err(|_| died())??)
    }
}

impl Drop for Trainer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.commands.send(TrainCommand::Stop);
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trainer_that_hangs_is_abandoned() {
        let (commands, inbox) = channel();
        let hang = move || {
            thread::sleep(Duration::from_secs(60));
            drop(inbox);
            Ok(Outcome::Stopped)
        };
        let trainer = Trainer { commands, thread: Some(thread::spawn(hang)) };
        let started = Instant::now();
        let error = trainer.stop(true).unwrap_err().to_string();
        assert!(error.contains("hangs") && started.elapsed() < Duration::from_secs(3), "{error}");
    }

    #[test]
    fn a_trainer_that_is_dropped_saves_first() {
        let (commands, inbox) = channel();
        let (saved, was_saved) = channel();
        let train = move || {
            let told = inbox.recv();
            thread::sleep(Duration::from_millis(50));
            let _ = saved.send(told);
            Ok(Outcome::Stopped)
        };
        drop(Trainer { commands, thread: Some(thread::spawn(train)) });
        assert_eq!(was_saved.try_recv().unwrap(), Ok(TrainCommand::Stop));
    }
}
