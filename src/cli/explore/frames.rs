//! When the next frame is due: at once for what she did, else when the line has earned it.

use std::time::{Duration, Instant};

use super::probe_worker::Answer;
use crate::app::Command;

/// Between two frames that nothing but training asks for, at least and at most.
pub(super) const TRAINING_FRAME: Duration = Duration::from_millis(100);
const RAREST_FRAME: Duration = Duration::from_secs(4);
/// Bytes a second that such frames may take on a screen of 80 by 24, so that 9,600 bit/s carry them; a larger screen,
/// on a faster line one hopes, may take up to [`LARGEST_SHARE`] times as much.
const ALLOWANCE: f64 = 800.0;
const SMALL_SCREEN: f64 = 80.0 * 24.0;
const LARGEST_SHARE: f64 = 4.0;

/// Answers to what she did, which are drawn at once: those that only follow the training are not.
#[derive(Debug)]
pub struct Awaited {
    /// A probe, by its generation.
    probe: Option<u64>,
}

impl Default for Awaited {
    /// She has opened the program, and waits for the first.
    fn default() -> Self {
        Self { probe: Some(0) }
    }
}

impl Awaited {
    pub(super) fn ask(&mut self, commands: &[Command]) {
        for command in commands {
            if let Command::Probe(request) = command {
                self.probe = Some(request.generation);
            }
        }
    }

    pub(super) fn is_answered(&mut self, answer: &Answer) -> bool {
        match answer {
            Answer::Probe(probe) => self.probe.take_if(|asked| *asked <= probe.request.generation).is_some(),
            // No training asks for these.
            Answer::Study(_) | Answer::Evaluation(_) => true,
        }
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
