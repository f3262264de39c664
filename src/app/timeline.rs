//! The kept snapshots of the run, and the one on screen.

use std::sync::Arc;

use crate::model::{ModelConfig, Snapshot};

/// Number of snapshots kept, including the newest: for large ones limited by `BUDGET` in bytes, but never below
/// `LEAST`.
const CAPACITY: usize = 48;
const LEAST: usize = 4;
const BUDGET: u128 = 512 << 20;

/// Number of snapshots kept for a parameter count.
fn capacity(parameters: u128) -> usize {
    let most = BUDGET / (parameters * size_of::<f32>() as u128).max(1);
    usize::try_from(most).unwrap_or(CAPACITY).clamp(LEAST, CAPACITY)
}

/// Bytes of all kept snapshots of a model.
pub fn snapshot_bytes(model: &ModelConfig) -> u128 {
    let parameters = model.approximate_parameters();
    parameters * (size_of::<f32>() * (capacity(parameters) + 1)) as u128
}

/// The snapshot on screen.
#[derive(Clone, Debug, Default)]
pub(crate) enum Look {
    /// Always the newest.
    #[default]
    Live,
    /// The snapshot that was newest when the view was frozen.
    Frozen(Arc<Snapshot>),
    /// An earlier one.
    Scrub(Arc<Snapshot>),
}

/// The first snapshot, the newest, and in between at growing distances as the run gets longer.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    kept: Vec<Arc<Snapshot>>,
    newest: Option<Arc<Snapshot>>,
    seen: usize,
    stride: usize,
    pub(crate) look: Look,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { kept: Vec::new(), newest: None, seen: 0, stride: 1, look: Look::Live }
    }
}

impl Timeline {
    /// Adds the newest snapshot. Returns true if it is now on screen.
    pub(super) fn push(&mut self, snapshot: Arc<Snapshot>) -> bool {
        let capacity = capacity(snapshot.weights.values.len() as u128);
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push(Arc::clone(&snapshot));
        }
        self.seen += 1;
        if self.kept.len() >= capacity {
            self.kept = self.kept.drain(..).step_by(2).collect();
            self.stride *= 2;
        }
        self.newest = Some(snapshot);
        matches!(self.look, Look::Live)
    }

    /// The snapshot on screen; `None` before the first.
    pub(crate) fn current(&self) -> Option<&Arc<Snapshot>> {
        match &self.look {
            Look::Live => self.newest.as_ref(),
            Look::Frozen(snapshot) | Look::Scrub(snapshot) => Some(snapshot),
        }
    }

    /// The newest snapshot.
    pub(crate) fn newest(&self) -> Option<&Arc<Snapshot>> {
        self.newest.as_ref()
    }

    /// Every kept snapshot, by step.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Snapshot>> {
        let newest = self
            .newest
            .iter()
            .filter(|newest| self.kept.last().is_none_or(|last| !Arc::ptr_eq(last, newest)));
        self.kept.iter().chain(newest)
    }

    /// Goes to the previous snapshot. Returns true if there is one.
    pub(super) fn back(&mut self) -> bool {
        let Some(step) = self.current().map(|current| current.step) else { return false };
        let earlier = self.all().rev().find(|snapshot| snapshot.step < step).cloned();
        earlier.map(|snapshot| self.look = Look::Scrub(snapshot)).is_some()
    }

    /// Goes to the snapshot nearest to a step; of two, the earlier.
    pub(super) fn look_at(&mut self, step: usize) {
        let nearest = self.all().min_by_key(|snapshot| snapshot.step.abs_diff(step)).cloned();
        if let Some(nearest) = nearest {
            self.look = Look::Scrub(nearest);
        }
    }

    /// Goes to the next snapshot; after the newest, follows the run again. Returns true after a change.
    pub(super) fn forward(&mut self) -> bool {
        let Some(step) = self.current().map(|current| current.step) else { return false };
        let later = self.all().find(|snapshot| snapshot.step > step).cloned();
        match later {
            Some(later) if self.newest.as_ref().is_some_and(|newest| later.step < newest.step) => {
                self.look = Look::Scrub(later);
                true
            }
            _ => self.follow(),
        }
    }

    /// Goes to the first snapshot. Returns true if there is one.
    pub(super) fn first(&mut self) -> bool {
        let first = self.kept.first().cloned();
        first.map(|snapshot| self.look = Look::Scrub(snapshot)).is_some()
    }

    /// Follows the run again. Returns true after a change.
    pub(super) fn follow(&mut self) -> bool {
        !matches!(std::mem::take(&mut self.look), Look::Live)
    }

    /// Freezes the current snapshot, or follows the run again.
    pub(super) fn toggle_freeze(&mut self) -> bool {
        match (&self.look, &self.newest) {
            (Look::Live, Some(newest)) => {
                self.look = Look::Frozen(Arc::clone(newest));
                true
            }
            _ => self.follow(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weights;

    fn snapshot(step: usize) -> Arc<Snapshot> {
        let config = ModelConfig {
            d_model: 1,
            d_head: 1,
            n_heads: 1,
            d_mlp: 0,
            n_ctx: 1,
            d_vocab: 2,
            ..ModelConfig::default()
        };
        Arc::new(Snapshot::new(step, Weights::zeros(&config)))
    }

    #[test]
    fn the_first_and_the_newest_are_always_kept() {
        let mut timeline = Timeline::default();
        for step in 0..1000 {
            timeline.push(snapshot(step));
            let steps: Vec<usize> = timeline.all().map(|snapshot| snapshot.step).collect();
            assert!(steps.len() <= CAPACITY && steps.is_sorted());
            assert_eq!((steps[0], steps[steps.len() - 1]), (0, step));
        }
    }

    #[test]
    fn few_large_snapshots_are_kept_the_first_and_the_newest_among_them() {
        assert_eq!(capacity(60_106), CAPACITY);
        assert_eq!(capacity(16 << 20), 8);
        assert_eq!(capacity(1 << 40), LEAST);
        let model = ModelConfig { d_model: 512, d_vocab: 20_000, ..ModelConfig::default() };
        assert!(snapshot_bytes(&model) < BUDGET + (200 << 20), "{}", snapshot_bytes(&model));
    }

    #[test]
    fn going_back_and_forward_ends_at_the_live_snapshot() {
        let mut timeline = Timeline::default();
        assert!(!timeline.back());
        for step in [0, 5, 9] {
            timeline.push(snapshot(step));
        }
        assert!(timeline.back() && timeline.back() && !timeline.back());
        assert_eq!(timeline.current().map(|s| s.step), Some(0));
        assert!(timeline.forward() && timeline.forward());
        assert!(matches!(timeline.look, Look::Live));
        assert!(!timeline.forward());
    }

    #[test]
    fn a_frozen_view_stays_while_the_run_continues() {
        let mut timeline = Timeline::default();
        timeline.push(snapshot(0));
        assert!(timeline.toggle_freeze());
        assert!(!timeline.push(snapshot(1)));
        assert_eq!(timeline.current().map(|s| s.step), Some(0));
        assert!(timeline.toggle_freeze());
        assert_eq!(timeline.current().map(|s| s.step), Some(1));
    }
}
