//! The thread that trains, as long as the screen is there and, if it must, longer.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::Failure;
#[cfg(debug_assertions)]
use super::super::fault;
use super::event_loop::LoopEvent;
use crate::term::{SignalKind, TermEvent};
use crate::train::{DeviceChoice, Outcome, Setup, TrainCommand, TrainError, train_on};

/// How long a trainer that had fallen silent is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Between two looks at a trainer that nobody watches.
const NAP: Duration = Duration::from_millis(50);

/// The thread; if it is dropped while it trains, it saves first.
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
        // The loop may have ended before the trainer has.
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

    /// Has it save and stop. One that had fallen silent is not waited for long.
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

    /// Lets it train to its end without a screen, unless a signal says otherwise: that is returned.
    pub(super) fn outlive_the_screen(
        self,
        loop_events: &Receiver<LoopEvent>,
    ) -> Result<Option<SignalKind>, Failure> {
        // Nobody is left to press a key.
        let _ = self.commands.send(TrainCommand::Resume);
        while !self.is_finished() {
            // Waking up for every step would take a processor's hundredth.
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
    fn a_trainer_that_hangs_is_left_behind() {
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
