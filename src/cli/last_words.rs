//! Records where the training panicked, for the one line of the error.

use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The location of the first panic.
#[derive(Clone, Default)]
pub(super) struct LastWords(Arc<Mutex<Option<String>>>);

impl LastWords {
    /// Records panics of the training instead of printing them; with `RUST_BACKTRACE` they are also printed.
    pub(super) fn listen() -> Self {
        let words = Self::default();
        let kept = words.clone();
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if is_of_the_training() {
                kept.keep(panic);
            }
            if !is_of_the_training() || asks_for_a_backtrace() {
                print(panic);
            }
        }));
        words
    }

    fn keep(&self, panic: &PanicHookInfo<'_>) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = panic.location().map(ToString::to_string);
        }
    }

    /// ` at`, the location, and how to learn more; empty without a panic.
    pub(super) fn place(&self) -> String {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.as_ref().map_or(String::new(), |place| format!(" at {place} (RUST_BACKTRACE=1 tells more)"))
    }
}

/// Whether this is the trainer, or one of its unnamed compute threads, whose panics it forwards.
fn is_of_the_training() -> bool {
    thread::current().name().is_none_or(|name| name == "trainer")
}

fn asks_for_a_backtrace() -> bool {
    std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
}
