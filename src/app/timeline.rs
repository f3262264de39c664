//! The kept snapshots of the run, and the one on screen.

use std::sync::Arc;

use crate::model::{ModelConfig, Snapshot};
use crate::train::{capacity, is_crowded, is_spaced, surplus};

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

/// The first snapshot, the newest, and in between those that a run directory keeps, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// By step, the newest last.
    kept: Vec<Arc<Snapshot>>,
    pub(crate) look: Look,
}

impl Timeline {
    /// Adds the newest snapshot; of a training, only spaced ones stay. Returns true if it is now on screen.
    pub(super) fn push(&mut self, snapshot: Arc<Snapshot>, is_training: bool) -> bool {
        if is_training
            && let [.., before, last] = &self.kept[..]
            && is_crowded([before.step, last.step, snapshot.step])
        {
            self.kept.pop();
        }
        let capacity = capacity(snapshot.weights.values.len() as u128);
        self.kept.push(snapshot);
        let steps: Vec<usize> = self.settled(is_training).map(|snapshot| snapshot.step).collect();
        if let Some(at) = surplus(&steps).filter(|_| self.kept.len() > capacity) {
            self.kept.remove(at);
        }
        matches!(self.look, Look::Live)
    }

    /// The snapshots that the next one does not replace: during training, all but a newest one that is not spaced.
    pub(super) fn settled(&self, is_training: bool) -> impl DoubleEndedIterator<Item = &Arc<Snapshot>> {
        let is_passing = |newest: &Arc<Snapshot>| is_training && !is_spaced(newest.step);
        let passing = usize::from(self.newest().is_some_and(is_passing));
        self.kept[..self.kept.len() - passing].iter()
    }

    /// Some of the snapshots, looking at one of them.
    pub(super) fn at(snapshot: &Arc<Snapshot>, kept: Vec<&Arc<Snapshot>>) -> Self {
        let kept = kept.into_iter().map(Arc::clone).collect();
        Self { kept, look: Look::Scrub(Arc::clone(snapshot)) }
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
    fn the_first_the_newest_and_the_spaced_snapshots_are_kept() {
        let mut timeline = Timeline::default();
        for step in 0..3000 {
            timeline.push(snapshot(step), true);
            let steps: Vec<usize> = timeline.all().map(|snapshot| snapshot.step).collect();
            assert!(steps.len() <= capacity(10) && steps.is_sorted());
            assert_eq!((steps[0], steps[steps.len() - 1]), (0, step));
            assert!((0..=step).filter(|step| is_spaced(*step)).all(|spaced| steps.contains(&spaced)));
        }
        assert!(timeline.all().count() < 145, "{}", timeline.all().count());
    }

    #[test]
    fn of_too_many_snapshots_spaced_ones_are_kept_evenly() {
        let config =
            ModelConfig { d_model: 256, d_mlp: 0, n_ctx: 4, d_vocab: 2000, ..ModelConfig::default() };
        let weights = Weights::zeros(&config);
        let mut timeline = Timeline::default();
        for step in 0..2000 {
            timeline.push(Arc::new(Snapshot::new(step, weights.clone())), true);
            let settled: Vec<usize> = timeline.settled(true).map(|snapshot| snapshot.step).collect();
            assert!(settled.iter().all(|step| is_spaced(*step)), "{settled:?}");
            let spaced = (0..=step).rev().find(|step| is_spaced(*step));
            assert_eq!((settled.first(), settled.last().copied()), (Some(&0), spaced));
        }
        let steps: Vec<usize> = timeline.settled(true).map(|snapshot| snapshot.step).collect();
        assert!((6..20).contains(&steps.len()), "{steps:?}");
        let gaps: Vec<f64> = steps[1..].windows(2).map(|two| two[1] as f64 / two[0] as f64).collect();
        let largest = gaps.iter().copied().fold(0.0, f64::max);
        assert!(largest < 6.0 * 2000_f64.powf(1.0 / steps.len() as f64), "{steps:?}");
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
