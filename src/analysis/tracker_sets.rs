//! The neurons that track each class, as sets that stay the same while the weights change.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::controls::control;
use super::hypotheses::Tracker;
use super::total::Total;
use crate::model::{Activations, Interventions, NeuronId};
use crate::task::Example;

/// Most neurons of a set.
const BEST: usize = 4;

/// Random sets beside each.
const RANDOM: usize = 8;

/// The neurons that track a class best, and random sets of as many.
#[derive(Clone, Debug, Default)]
pub struct TrackerSet {
    /// Possibly none.
    pub own: BTreeSet<NeuronId>,
    /// Others of the same layer and of similar activity.
    pub random: Vec<BTreeSet<NeuronId>>,
}

/// The set of each class; `activity` is `[layer][neuron]`.
pub fn tracker_sets(trackers: &[Vec<Tracker>], activity: &[Vec<f32>], seed: u64) -> Vec<TrackerSet> {
    let of_class = |(class, ranked): (usize, &Vec<Tracker>)| {
        let best = ranked.iter().take(BEST);
        let own = best.map(|one| NeuronId { layer: one.layer, neuron: one.neuron }).collect();
        let own = Interventions { neurons: own, ..Interventions::default() };
        let source = (activity, &BTreeSet::new());
        let random = |at: usize| control(&own, source, seed, (class * RANDOM + at) as u64);
        let random = (0..RANDOM).filter_map(random).map(|(set, _)| set.neurons).collect();
        TrackerSet { own: own.neurons, random }
    };
    trackers.iter().enumerate().map(of_class).collect()
}

/// How well a class's set separates the class from the others, beside its random sets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SetScore {
    /// Correlation of the set's summed activation with "the class is the target"; `None` without neurons or without such
    /// targets.
    pub own: Option<f64>,
    /// The largest of the random sets; `None` without any.
    pub random: Option<f64>,
}

/// Sums of a set's summed activation x over scored positions: x, x², and x where the class is the target.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    x: f64,
    squares: f64,
    of_class: f64,
}

/// Sums for [`SetScore`].
pub struct SetSums {
    sets: Arc<Vec<TrackerSet>>,
    /// Of each class's own set, then of its random ones.
    sums: Vec<Vec<Sums>>,
    /// Scored positions, and those of each class.
    seen: usize,
    of_class: Vec<usize>,
}

impl SetSums {
    /// Empty sums.
    pub fn new(sets: &Arc<Vec<TrackerSet>>) -> Self {
        let sums = sets.iter().map(|set| vec![Sums::default(); 1 + set.random.len()]).collect();
        Self { sets: Arc::clone(sets), sums, seen: 0, of_class: vec![0; sets.len()] }
    }

    /// By class.
    pub fn scores(&self) -> Vec<SetScore> {
        let of_class = |(class, set): (usize, &TrackerSet)| {
            let score = |at: usize| self.correlation(class, self.sums[class][at]);
            let random = (1..=set.random.len()).filter_map(score).reduce(f64::max);
            SetScore { own: score(0).filter(|_| !set.own.is_empty()), random }
        };
        self.sets.iter().enumerate().map(of_class).collect()
    }

    /// Pearson's correlation with the class as target, 0 of a constant; `None` if the class is never or always the target.
    fn correlation(&self, class: usize, sums: Sums) -> Option<f64> {
        let (n, here) = (self.seen as f64, self.of_class[class] as f64);
        let (spread, spread_of_class) = (sums.squares - sums.x * sums.x / n, here - here * here / n);
        let shared = sums.of_class - sums.x * here / n;
        let is_constant = spread <= 1e-9 * sums.squares;
        let correlation = if is_constant { 0.0 } else { shared / (spread * spread_of_class).sqrt() };
        (spread_of_class > 0.0).then_some(correlation)
    }
}

impl Total for SetSums {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.sets)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let targets = example.targets().iter().enumerate();
        for (position, target) in targets.filter_map(|(at, target)| Some((at, usize::from((*target)?)))) {
            self.seen += 1;
            self.of_class[target] += 1;
            for (class, (set, sums)) in self.sets.iter().zip(&mut self.sums).enumerate() {
                for (neurons, sums) in [&set.own].into_iter().chain(&set.random).zip(sums) {
                    let post = |id: &NeuronId| super::NeuronHook::Post.of(from, *id, position);
                    let x = f64::from(neurons.iter().map(post).sum::<f32>());
                    (sums.x, sums.squares) = (sums.x + x, sums.squares + x * x);
                    sums.of_class += if class == target { x } else { 0.0 };
                }
            }
        }
    }

    fn merge(&mut self, next: Self) {
        self.seen += next.seen;
        self.of_class.iter_mut().zip(next.of_class).for_each(|(ours, theirs)| *ours += theirs);
        for (ours, theirs) in self.sums.iter_mut().flatten().zip(next.sums.into_iter().flatten()) {
            ours.x += theirs.x;
            ours.squares += theirs.squares;
            ours.of_class += theirs.of_class;
        }
    }
}
