//! The kept snapshots of the run, and the one on screen.

use std::sync::Arc;

use crate::model::{ModelConfig, Snapshot};
use crate::train::{capacity, surplus};

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

/// The snapshots that a run directory keeps, as far as they are known, and the newest one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// By step, the newest last.
    kept: Vec<Arc<Snapshot>>,
    /// Whether the next snapshot replaces the newest.
    is_passing: bool,
    pub(crate) look: Look,
}

impl Timeline {
    /// Adds the newest snapshot, which stays or is replaced by the next one. Returns true if it is now on screen.
    pub(super) fn push(&mut self, snapshot: Arc<Snapshot>, stays: bool) -> bool {
        let is_again = self.newest().is_some_and(|newest| newest.step == snapshot.step);
        if self.is_passing || is_again {
            self.kept.pop();
        }
        self.is_passing = !stays;
        let capacity = capacity(snapshot.weights.values.len() as u128);
        self.kept.push(snapshot);
        let steps: Vec<usize> = self.settled().map(|snapshot| snapshot.step).collect();
        if let Some(at) = surplus(&steps).filter(|_| steps.len() > capacity) {
            self.kept.remove(at);
        }
        matches!(self.look, Look::Live)
    }

    /// The snapshots that stay.
    pub(super) fn settled(&self) -> impl DoubleEndedIterator<Item = &Arc<Snapshot>> {
        self.kept[..self.kept.len() - usize::from(self.is_passing)].iter()
    }

    /// Some of the snapshots, looking at one of them.
    pub(super) fn at(snapshot: &Arc<Snapshot>, kept: Vec<&Arc<Snapshot>>) -> Self {
        let kept = kept.into_iter().map(Arc::clone).collect();
        Self { kept, is_passing: false, look: Look::Scrub(Arc::clone(snapshot)) }
    }

    /// The snapshot on screen; `None` before the first.
    pub(crate) fn current(&self) -> Option<&Arc<Snapshot>> {
        match &self.look {
            Look::Live => self.newest(),
            Look::Frozen(snapshot) | Look::Scrub(snapshot) => Some(snapshot),
        }
    }

    /// The newest snapshot.
    pub(crate) fn newest(&self) -> Option<&Arc<Snapshot>> {
        self.kept.last()
    }

    /// Every kept snapshot, by step.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Snapshot>> {
        self.kept.iter()
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
            Some(later) if self.newest().is_some_and(|newest| later.step < newest.step) => {
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
        match (&self.look, self.newest().cloned()) {
            (Look::Live, Some(newest)) => {
                self.look = Look::Frozen(newest);
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
    use crate::train::is_spaced;

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
    fn the_newest_snapshot_and_those_that_stay_are_kept() {
        let mut timeline = Timeline::default();
        for step in 0..40 {
            timeline.push(snapshot(step), step % 3 == 0);
            timeline.push(snapshot(step), step % 3 == 0);
            let mut expected: Vec<usize> = (0..=step).filter(|step| step % 3 == 0).collect();
            assert!(timeline.settled().map(|snapshot| snapshot.step).eq(expected.iter().copied()));
            expected.extend((step % 3 > 0).then_some(step));
            assert!(timeline.all().map(|snapshot| snapshot.step).eq(expected));
        }
    }

    #[test]
    fn of_too_many_snapshots_those_of_a_run_directory_are_kept() {
        let config =
            ModelConfig { d_model: 256, d_mlp: 0, n_ctx: 4, d_vocab: 2000, ..ModelConfig::default() };
        let weights = Weights::zeros(&config);
        let most = capacity(weights.values.len() as u128);
        let (mut timeline, mut steps) = (Timeline::default(), Vec::new());
        for step in 0..2000 {
            let stays = is_spaced(step);
            timeline.push(Arc::new(Snapshot::new(step, weights.clone())), stays);
            steps.extend(stays.then_some(step));
            if steps.len() > most {
                steps.remove(surplus(&steps).unwrap());
            }
            assert!(timeline.settled().map(|snapshot| snapshot.step).eq(steps.iter().copied()));
        }
        assert!(steps.len() == most && most < 20, "{steps:?}");
    }

    #[test]
    fn few_large_snapshots_are_kept_the_first_and_the_newest_among_them() {
        let model = ModelConfig { d_model: 512, d_vocab: 20_000, ..ModelConfig::default() };
        let bytes = 4 * model.approximate_parameters();
        assert!(snapshot_bytes(&model) <= 5 * bytes, "{}", snapshot_bytes(&model));
        let small = ModelConfig::default();
        assert!(snapshot_bytes(&small) < 50 << 20, "{}", snapshot_bytes(&small));
    }

    #[test]
    fn going_back_and_forward_ends_at_the_live_snapshot() {
        let mut timeline = Timeline::default();
        assert!(!timeline.back());
        for step in [0, 5, 9] {
            timeline.push(snapshot(step), true);
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
        timeline.push(snapshot(0), true);
        assert!(timeline.toggle_freeze());
        assert!(!timeline.push(snapshot(1), true));
        assert_eq!(timeline.current().map(|s| s.step), Some(0));
        assert!(timeline.toggle_freeze());
        assert_eq!(timeline.current().map(|s| s.step), Some(1));
    }
}
