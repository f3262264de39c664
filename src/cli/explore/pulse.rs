//! Training speed, and whether the trainer is silent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::app::Event;
use crate::train::{RunState, TrainEvent};

/// Time between two reports of the training speed.
pub(super) const RATE_INTERVAL: Duration = Duration::from_secs(1);
/// Steps per second are measured over the last steps up to this age.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// A trainer counts as silent after this many of its mean step times, and not before one second.
const SILENT_STEPS: u32 = 10;

/// Measures the training speed and notices a silent trainer.
#[derive(Default)]
pub struct Pulse {
    running: bool,
    steps: VecDeque<(usize, Instant)>,
    told: Option<Instant>,
}

impl Pulse {
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the trainer has reported nothing for much longer than a step takes.
    pub fn is_silent(&self) -> bool {
        self.running && self.pace().is_some_and(|(pace, latest)| is_long(latest.elapsed(), pace))
    }

    /// Mean time of a step, and when the last step was.
    fn pace(&self) -> Option<(Duration, Instant)> {
        let ((first, since), (last, latest)) = (self.steps.front()?, self.steps.back()?);
        (last != first).then(|| ((*latest - *since) / (*last - *first) as u32, *latest))
    }

    pub(super) fn hear(&mut self, event: &TrainEvent, now: Instant) {
        match event {
            TrainEvent::Step(metrics) => self.steps.push_back((metrics.step, now)),
            TrainEvent::State(state) => {
                self.running = *state == RunState::Running;
                self.steps.clear();
            }
            _ => {}
        }
        // A fast trainer is measured over fewer steps than one a millisecond for five seconds.
        while self.steps.len() > 2 && self.steps.front().is_some_and(|(_, at)| now - *at > RATE_WINDOW) {
            self.steps.pop_front();
        }
    }

    /// Events to report, at most once per second.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Event> {
        let due = self.running && self.told.is_none_or(|told| now - told >= RATE_INTERVAL);
        let Some((pace, latest)) = self.pace().filter(|_| due) else { return Vec::new() };
        self.told = Some(now);
        let silence = now - latest;
        let mut events = vec![Event::StepRate(1.0 / pace.as_secs_f64().max(1e-9))];
        if is_long(silence, pace) {
            events.push(Event::TrainerSilent(silence.as_secs_f64()));
        }
        events
    }
}

fn is_long(silence: Duration, pace: Duration) -> bool {
    silence > (pace * SILENT_STEPS).max(RATE_INTERVAL)
}
