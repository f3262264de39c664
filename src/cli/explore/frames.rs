//! When the next frame is due: at once after a key, otherwise when the bandwidth budget allows.

use std::time::{Duration, Instant};

use crate::inquiry::{AskedBy, Inquiry};

/// Between two frames that nothing but training asks for, at least and at most.
pub(super) const TRAINING_FRAME: Duration = Duration::from_millis(100);
const RAREST_FRAME: Duration = Duration::from_secs(4);
/// Bytes a second that such frames may take on a screen of 80 by 24, so that 9,600 bit/s carry them; a larger screen,
/// on a faster line one hopes, may take up to [`LARGEST_SHARE`] times as much.
const ALLOWANCE: f64 = 800.0;
const SMALL_SCREEN: f64 = 80.0 * 24.0;
const LARGEST_SHARE: f64 = 4.0;

/// How long a frame waits for the answers to a key: most come sooner, and one frame shows both.
const GRACE: Duration = Duration::from_millis(30);

/// Quick questions of the user, whose answers are drawn at once: those that only follow the training are not.
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

    /// Takes note of an answer. Whether it is drawn at once: of a study, or the last that is waited for.
    pub(super) fn is_answered(&mut self, answer: &Inquiry) -> bool {
        let before = self.asked.len();
        self.asked.retain(|asked| {
            !(asked.question.is_like(&answer.question) && asked.generation <= answer.generation)
        });
        if self.asked.is_empty() {
            self.since = None;
        }
        // No training asks for a study.
        !answer.question.is_quick() || self.asked.len() < before
    }

    /// How long a frame still waits for answers.
    pub(super) fn grace(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| (since + GRACE).saturating_duration_since(now))
    }
}

/// What is to be drawn, and when.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) dirty: bool,
    /// Without waiting for the next training frame.
    pub(super) now: bool,
    /// When the next training frame is due.
    pub(super) next: Option<Instant>,
}

impl Pending {
    /// A frame of so many bytes has gone out.
    pub(super) fn drawn(bytes: usize, cells: u32) -> Self {
        Self { next: Some(Instant::now() + pause_after(bytes, cells)), ..Self::default() }
    }

    /// Until the next training frame is due.
    pub(super) fn left(&self) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
    }
}

/// How long the line has earned after a frame of so many bytes.
fn pause_after(bytes: usize, cells: u32) -> Duration {
    let share = (f64::from(cells) / SMALL_SCREEN).clamp(1.0, LARGEST_SHARE);
    let earned = Duration::from_secs_f64(bytes as f64 / (ALLOWANCE * share));
    earned.clamp(TRAINING_FRAME, RAREST_FRAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_9600_bits_carries_what_training_sends() {
        for bytes in [0, 100, 500, 1000, 3000] {
            let pause = pause_after(bytes, 80 * 24).as_secs_f64();
            assert!(bytes as f64 / pause <= 960.0, "{bytes} bytes, {pause} s");
            assert!((0.1..=4.0).contains(&pause));
        }
        assert!(pause_after(4000, 200 * 50) < pause_after(4000, 80 * 24));
        assert_eq!(pause_after(1 << 20, 0), RAREST_FRAME);
    }
}
