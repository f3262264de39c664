//! Makes a trainer, a worker or a screen fail on request, so that tests can observe the whole program. Builds without
//! debug assertions, such as `cargo build --release`, do not contain this.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::inquiry::Question;
use crate::train::TrainEvent;

/// Names the fault.
const VARIABLE: &str = "HEADCOUNT_TEST_FAULT";
/// Late enough for the screen to be open and the training speed to be known.
const STEP: usize = 200;

/// The thread that calls [`strike`].
#[derive(Clone, Copy)]
pub(super) enum Place {
    Trainer,
    Screen,
}

/// Fails now if the requested fault is of this place and step.
pub(super) fn strike(place: Place, event: &TrainEvent) {
    if !matches!(event, TrainEvent::Step(metrics) if metrics.step == STEP) {
        return;
    }
    let asked = std::env::var(VARIABLE).unwrap_or_default();
    match (place, asked.as_str()) {
        (Place::Trainer, "trainer-panic") | (Place::Screen, "screen-panic") => {
            panic!("{VARIABLE} asks for it")
        }
        (Place::Trainer, "trainer-out-of-memory") => {
            drop(std::hint::black_box(Vec::<u8>::with_capacity(isize::MAX as usize)));
        }
        (Place::Trainer, "trainer-overflow") => drop(overflow(0)),
        (Place::Trainer, "trainer-hang") => loop {
            std::thread::park();
        },
        _ => {}
    }
}

/// Recurses until the stack overflows, in frames smaller than the page that guards the stack.
#[inline(never)]
fn overflow(depth: usize) -> usize {
    let part = std::hint::black_box([depth; 64]);
    if part[0] == usize::MAX { 0 } else { overflow(depth + 1) + part[63] }
}

/// Fails at the first question about circuits, if requested.
pub(super) fn strike_question(question: &Question) {
    static STRUCK: AtomicBool = AtomicBool::new(false);
    let asked = std::env::var(VARIABLE).unwrap_or_default();
    let is_here = *question == Question::Circuits && asked.starts_with("inquiry-");
    if !is_here || STRUCK.swap(true, Ordering::Relaxed) {
        return;
    }
    match asked.as_str() {
        "inquiry-panic" => panic!("{VARIABLE} asks for it"),
        _ => loop {
            std::thread::park();
        },
    }
}

/// Time limit of a step: one second if a step should hang.
pub(super) fn patience(usual: Duration) -> Duration {
    let hangs = std::env::var(VARIABLE).is_ok_and(|asked| asked == "inquiry-hang");
    if hangs { Duration::from_secs(1) } else { usual }
}
