//! Pauses studies while a question of the user is answered, even within a pass: two passes at once compete for memory
//! and caches.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::inquiry::YieldPoint;

/// Longest pause of a study: a question may hang.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Open unless a question is being answered. Each answer lets a study take one step, so that studies advance under any
/// number of questions.
#[derive(Default)]
pub(super) struct Gate {
    is_closed: AtomicBool,
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    answers: u64,
    closed_by: Option<ThreadId>,
}

/// Marks a question as being answered, until dropped.
pub(super) struct Urgent<'a>(&'a Gate);

impl Gate {
    /// Closes the gate until the result is dropped.
    pub(super) fn close(&self) -> Urgent<'_> {
        self.state().closed_by = Some(thread::current().id());
        self.is_closed.store(true, Ordering::Relaxed);
        Urgent(self)
    }

    fn wait_for_the_answer(&self) {
        let state = self.state();
        let before = state.answers;
        let is_waiting = |state: &mut State| state.answers == before && state.closed_by.is_some();
        let waited = self.answered.wait_timeout_while(state, LONGEST_WAIT, is_waiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl YieldPoint for Gate {
    fn is_urgent(&self) -> bool {
        self.state().closed_by == Some(thread::current().id())
    }

    fn wait(&self) {
        if self.is_closed.load(Ordering::Relaxed) {
            self.wait_for_the_answer();
        }
    }
}

impl Drop for Urgent<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        *state = State { answers: state.answers + 1, closed_by: None };
        self.0.is_closed.store(false, Ordering::Relaxed);
        self.0.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_study_takes_one_step_after_each_answer_even_if_another_question_waits() {
        let gate = Gate::default();
        gate.wait();
        let (sender, steps) = channel();
        thread::scope(|scope| {
            let first = gate.close();
            assert!(gate.is_urgent());
            let study = scope.spawn(|| {
                assert!(!gate.is_urgent());
                for step in 0..2 {
                    gate.wait();
                    sender.send(step).unwrap();
                }
            });
            let quiet = Duration::from_millis(20);
            assert!(steps.recv_timeout(quiet).is_err(), "a step beside a question");
            drop(first);
            let second = gate.close();
            assert_eq!(steps.recv_timeout(LONGEST_WAIT), Ok(0));
            drop(second);
            assert_eq!(steps.recv_timeout(LONGEST_WAIT), Ok(1));
            study.join().unwrap();
        });
    }
}
