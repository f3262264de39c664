//! Random sets of neurons to compare a subject's edits with.

use std::collections::BTreeSet;
use std::task::Poll;

use super::bench::Bench;
use super::job::{MeansOf, TrackersOf};
use crate::analysis::ControlPool;
use crate::analysis::controls::{control, strongest};
use crate::figure::Subject;
use crate::model::{Interventions, NeuronId};

/// Draws one set after another.
pub(super) struct RandomSets {
    /// Where they are drawn from: any neurons, if there are too few others.
    pub(super) pool: ControlPool,
    tracking: TrackersOf,
    /// The neurons that no set contains.
    excluded: Option<BTreeSet<NeuronId>>,
}

/// A set with its activity over that of the original neurons.
pub(super) type RandomSet = (Interventions, f64);

impl RandomSets {
    pub(super) fn of(pool: ControlPool) -> Self {
        Self { pool, tracking: TrackersOf::default(), excluded: None }
    }

    /// The set of a number, to compare the neurons of `edited` with; none if a layer has too few others.
    pub(super) fn step(
        &mut self,
        (edited, clean): (&Subject, &Subject),
        means: &mut MeansOf,
        number: usize,
        bench: &Bench,
    ) -> Poll<Option<RandomSet>> {
        let Some(activity) = means.step(clean, bench) else { return Poll::Pending };
        let excluded = match self.excluded.take() {
            Some(known) => known,
            None if self.pool == ControlPool::Any || TrackersOf::are_too_large(edited, bench) => {
                BTreeSet::new()
            }
            None => match self.tracking.step(clean, bench) {
                Some(trackers) => strongest(&trackers),
                None => return Poll::Pending,
            },
        };
        let set = control(&edited.edits, (&activity.activity, &excluded), bench.seed(), number as u64);
        if set.is_none() && self.pool == ControlPool::NonTrackers {
            // In a small model every neuron tracks some class.
            self.pool = ControlPool::Any;
            return Poll::Pending;
        }
        self.excluded = Some(excluded);
        Poll::Ready(set)
    }
}
