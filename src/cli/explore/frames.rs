//! When the next frame is due: at once after a key, otherwise when the bandwidth budget allows.

use std::time::{Duration, Instant};

use crate::inquiry::{AskedBy, Inquiry};

/// Shortest and longest time between two training frames.
pub(super) const TRAINING_FRAME: Duration = Duration::from_millis(100);
const RAREST_FRAME: Duration = Duration::from_secs(4);

/// How long a frame waits for the answers to a key: most come sooner, and one frame shows both.
const GRACE: Duration = Duration::from_millis(30);

/// Quick questions of the user, whose answers are drawn at once; questions that follow training do not count.
#[derive(Debug, Default)]
pub struct Awaited {
    asked: Vec<Inquiry>,
    /// When the first of them was asked.
    since: Option<Instant>,
}

impl Awaited {
    pub(super) fn ask(&mut self, inquiry: &Inquiry, now: Instant) {
        if inquiry.by == AskedBy::User && inquiry.question.is_quick() {
            self.asked.retain(|other| !other.question.is_like(&inquiry.question));
            self.asked.push(inquiry.clone());
            self.since.get_or_insert(now);
        }
    }

    /// Records an answer. Returns whether to draw it at once: it answers a study, or is the last awaited.
    pub(super) fn is_answered(&mut self, answer: &Inquiry) -> bool {
        let before = self.asked.len();
        self.asked.retain(|asked| {
            !(asked.question.is_like(&answer.question) && asked.generation <= answer.generation)
        });
        if self.asked.is_empty() {
            self.since = None;
        }
        // Training never asks for a study.
        !answer.question.is_quick() || self.asked.len() < before
    }

    /// How much longer a frame waits for answers.
    pub(super) fn grace(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| (since + GRACE).saturating_duration_since(now))
    }
}

/// Whether a frame is due, and when.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) dirty: bool,
    /// Draw without waiting for the next training frame.
    pub(super) now: bool,
    /// When the next training frame is due.
    pub(super) next: Option<Instant>,
}

impl Pending {
    /// After a frame of `bytes`, on a line that carries `line_rate` bytes a second for training. After a key's frame the
    /// pause is twice as long: the next key often comes soon, and finds the line free.
    pub(super) fn drawn(bytes: usize, line_rate: u32, by_key: bool) -> Self {
        Self { next: Some(Instant::now() + Self::pause(bytes, line_rate, by_key)), ..Self::default() }
    }

    fn pause(bytes: usize, line_rate: u32, by_key: bool) -> Duration {
        pause_after(if by_key { 2 * bytes } else { bytes }, line_rate)
    }

    /// Time until the next training frame is due.
    pub(super) fn left(&self) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
    }
}

/// Delay before the next frame under the bandwidth budget.
fn pause_after(bytes: usize, line_rate: u32) -> Duration {
    let carried = Duration::from_secs_f64(bytes as f64 / f64::from(line_rate.max(1)));
    carried.clamp(TRAINING_FRAME, RAREST_FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_frames_keep_to_the_budget_and_are_at_most_four_seconds_apart() {
        for rate in [800, 6144] {
            for bytes in [0, 100, 500, 1000, 3000] {
                let pause = pause_after(bytes, rate).as_secs_f64();
                assert!(bytes as f64 / pause <= 1.001 * f64::from(rate), "{bytes} bytes, {pause} s");
                assert!((0.1..=4.0).contains(&pause));
            }
        }
        assert!(pause_after(1500, 6144) <= Duration::from_millis(250), "four frames a second");
        assert_eq!(pause_after(1 << 20, 0), RAREST_FRAME);
        assert_eq!(Pending::pause(800, 800, false), Duration::from_secs(1));
        assert_eq!(
            Pending::pause(800, 800, true),
            Duration::from_secs(2),
            "the next key finds the line free"
        );
    }
}
