//! Random sets of neurons to compare an ablation with.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use serde::Serialize;

use super::hypotheses::Tracker;
use crate::model::{Interventions, NeuronId};
use crate::random::{Purpose, stream};

/// Where random sets are drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlPool {
    /// Neurons that are not among the strongest trackers of any class: sets of other classes' trackers would measure the
    /// damage to those classes.
    #[default]
    NonTrackers,
    /// Any neurons.
    Any,
}

impl ControlPool {
    /// The other one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::NonTrackers => Self::Any,
            Self::Any => Self::NonTrackers,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NonTrackers => "non-trackers",
            Self::Any => "any neurons",
        }
    }
}

/// Trackers of a class that are kept out of random sets.
const TRACKERS: usize = 8;

/// The strongest trackers of every class.
pub fn strongest(by_class: &[Vec<Tracker>]) -> BTreeSet<NeuronId> {
    let id = |tracker: &Tracker| NeuronId { layer: tracker.layer, neuron: tracker.neuron };
    by_class.iter().flat_map(|ranked| ranked.iter().take(TRACKERS).map(id)).collect()
}

/// Random sets of the same number of neurons in the same layers, matched by activity and ablated in the same way; heads
/// and patterns are edited as with the original neurons.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Controls {
    /// Where they are drawn from.
    pub pool: ControlPool,
    /// Number of sets to try.
    pub planned: usize,
    /// Loss of each set tried so far.
    pub losses: Vec<f64>,
    /// Accuracy of each.
    pub accuracies: Vec<f64>,
    /// Summed mean |activation| of each, over that of the original neurons.
    pub activity_ratios: Vec<f64>,
}

impl Controls {
    /// Mean and standard deviation of the losses, over one less than their number; `None` before the first.
    pub fn loss(&self) -> Option<(f64, f64)> {
        moments(&self.losses)
    }

    /// Mean and standard deviation of the accuracies; `None` before the first.
    pub fn accuracy(&self) -> Option<(f64, f64)> {
        moments(&self.accuracies)
    }

    /// The largest loss.
    pub fn worst_loss(&self) -> Option<f64> {
        self.losses.iter().copied().reduce(f64::max)
    }

    /// Percentile of a loss: the share of the sets with a lower one, times 100; `None` before the first.
    pub fn percentile(&self, loss: f64) -> Option<f64> {
        percentile(&self.losses, loss)
    }

    /// Mean ratio of activity; `None` before the first.
    pub fn activity_ratio(&self) -> Option<f64> {
        moments(&self.activity_ratios).map(|(mean, _)| mean)
    }
}

/// The share of the values below one, times 100; `None` without values.
pub fn percentile(values: &[f64], one: f64) -> Option<f64> {
    let below = values.iter().filter(|value| **value < one).count();
    (!values.is_empty()).then(|| 100.0 * below as f64 / values.len() as f64)
}

fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (!values.is_empty()).then(|| (mean, variance.sqrt()))
}

/// Number of neurons of similar activity that a control draws from.
const POOL: usize = 16;

/// Random set number `index` matched to the ablated neurons: for each, another neuron of its layer among those closest
/// in activity, `[layer][neuron]`, that is not `excluded`. Heads and patterns stay edited, so that only the choice of neurons
/// differs. Also the ratio of the activities. `None` when no neuron is ablated or a layer has too few others.
pub fn control(
    interventions: &Interventions,
    (activity, excluded): (&[Vec<f32>], &BTreeSet<NeuronId>),
    seed: u64,
    index: u64,
) -> Option<(Interventions, f64)> {
    let mut random = stream(seed, Purpose::Control, index);
    let mut control = Interventions { neurons: BTreeSet::new(), ..interventions.clone() };
    for id in &interventions.neurons {
        let activity = &activity[id.layer];
        let other = |neuron: usize| NeuronId { layer: id.layer, neuron };
        let is_free = |id: &NeuronId| {
            ![&interventions.neurons, &control.neurons, excluded].iter().any(|taken| taken.contains(id))
        };
        let mut pool: Vec<usize> = (0..activity.len()).filter(|&neuron| is_free(&other(neuron))).collect();
        let distance = |neuron: usize| (activity[neuron] - activity[id.neuron]).abs();
        pool.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        pool.truncate(POOL);
        control.neurons.insert(other(*pool.choose(&mut random)?));
    }
    let sum = |ids: &BTreeSet<NeuronId>| -> f64 {
        ids.iter().map(|id| f64::from(activity[id.layer][id.neuron])).sum()
    };
    let ratio = sum(&control.neurons) / sum(&interventions.neurons);
    (!control.neurons.is_empty()).then_some((control, ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_matched_in_activity_and_leave_out_what_is_excluded() {
        let neuron = |neuron| NeuronId { layer: 0, neuron };
        let off = Interventions { neurons: [neuron(5), neuron(40)].into(), ..Interventions::default() };
        let activity = [(0..100).map(|at| at as f32).collect::<Vec<f32>>()];
        let excluded: BTreeSet<NeuronId> = (30..45).map(neuron).collect();
        for index in 0..50 {
            let (set, ratio) = control(&off, (&activity, &excluded), 7, index).unwrap();
            assert_eq!(set.neurons.len(), 2);
            assert!(set.neurons.is_disjoint(&excluded) && set.neurons.is_disjoint(&off.neurons));
            let sum: usize = set.neurons.iter().map(|id| id.neuron).sum();
            assert!((ratio - sum as f64 / 45.0).abs() < 1e-9 && (0.4..1.8).contains(&ratio), "{ratio}");
        }
        let all = (0..100).map(neuron).collect();
        assert!(control(&off, (&activity, &all), 7, 0).is_none());
    }

    #[test]
    fn a_percentile_is_the_share_below() {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], 3.5), Some(75.0));
        assert_eq!((percentile(&[], 1.0), percentile(&[2.0], 1.0)), (None, Some(0.0)));
        let controls = Controls { losses: vec![1.0, 3.0], ..Controls::default() };
        assert_eq!(controls.loss(), Some((2.0, 2_f64.sqrt())));
    }
}
