//! What a test may wait for, and what it measures.
//!
//! `HEADCOUNT_LONG=1` holds times and speeds against the bars that are stated for them, on a machine that does nothing
//! else. Without it a test is right on a machine however busy: what must come to pass has to, at any speed.

#![allow(dead_code, reason = "each test program uses its part")]

use std::time::Duration;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn is_long() -> bool {
    std::env::var_os("HEADCOUNT_LONG").is_some()
}

/// The most that something may take.
pub fn bar(time: Duration) -> Duration {
    if is_long() { time } else { PATIENCE }
}

/// The most frames that may be drawn in so much time, however the screen changes.
pub fn frames_in(time: Duration) -> usize {
    (60.0 * time.as_secs_f64().max(1.0)) as usize
}

/// How long something is watched: the long time only on request.
pub fn watch(short: Duration, long: Duration) -> Duration {
    if is_long() { long } else { short }
}

/// How often something is done: the long form only on request.
pub fn times(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}
