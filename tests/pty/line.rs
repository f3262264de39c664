//! The line between the terminal and who reads it, which may be slow.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Shared;

/// What the buffers along a connection hold before the terminal itself fills up.
const CAPACITY: usize = 64 << 10;

#[derive(Default)]
pub(super) struct Line {
    waiting: Vec<u8>,
    /// When the byte that was sent last had arrived.
    arrived: Option<Instant>,
}

impl Line {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= CAPACITY
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Lets arrive what has had the time to.
    pub(super) fn carry(&mut self, shared: &Shared) {
        let now = Instant::now();
        let since = self.arrived.filter(|_| !self.waiting.is_empty()).unwrap_or(now);
        let count = match shared.rate.load(Ordering::Acquire) {
            0 => self.waiting.len(),
            rate => {
                let each = Duration::from_secs_f64(1.0 / rate as f64);
                let count = ((now - since).as_nanos() / each.as_nanos()) as usize;
                let count = count.min(self.waiting.len());
                self.arrived = Some(since + each * count as u32);
                count
            }
        };
        let arrived = self.waiting.drain(..count);
        shared.output.lock().expect("nobody panics with it").extend(arrived);
        shared.queued.store(self.waiting.len(), Ordering::Release);
    }

    /// Nothing more comes: what is on its way arrives.
    pub(super) fn end(mut self, shared: &Shared) {
        shared.rate.store(0, Ordering::Release);
        self.carry(shared);
    }
}
