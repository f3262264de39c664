//! Loss and predictions over sequences, each with a patch of its own.

use std::borrow::Cow;
use std::cmp::Reverse;

use rand::Rng;

use super::logits::prediction;
use super::total::{Total, over_each};
use super::{Pass, Tally};
use crate::model::{Activations, ModelConfig, Patch, Weights};
use crate::random::{Purpose, stream};
use crate::task::{Class, Dataset, Example, Split};

/// Loss and predictions over sequences.
#[derive(Clone, Debug, Default)]
pub struct Scores {
    /// Mean cross-entropy over targets, in nats; `None` without targets.
    pub loss: Option<f32>,
    /// Share of targets predicted; `None` without targets.
    pub accuracy: Option<f32>,
    /// By sequence, then position; `None` where a logit is NaN.
    pub predictions: Vec<Vec<Option<Class>>>,
}

impl Scores {
    /// Of one sequence with these targets, by its pass.
    pub fn of(pass: &Pass, targets: &[Option<Class>]) -> Self {
        let predictions = vec![pass.predictions.clone()];
        Self { loss: pass.loss(), accuracy: pass.accuracy(targets), predictions }
    }

    /// Of every sequence, each with its patch by its index.
    pub fn over(
        weights: &Weights,
        examples: &[Example<'_>],
        patch_of: &(dyn Fn(usize) -> Patch + Sync),
    ) -> Self {
        let total = Predicted::new(weights.config());
        over_each(total, weights, &|index| Cow::Owned(patch_of(index)), examples).scores()
    }
}

/// Counts over sequences, and the predictions themselves.
pub struct Predicted {
    tally: Tally,
    predictions: Vec<Vec<Option<Class>>>,
}

impl Predicted {
    /// Of no sequence yet.
    pub fn new(config: &ModelConfig) -> Self {
        Self { tally: Tally::new(config), predictions: Vec::new() }
    }

    /// Of all sequences added.
    pub fn scores(self) -> Scores {
        let all = self.tally.all();
        Scores {
            loss: all.mean_loss().map(|loss| loss as f32),
            accuracy: all.share().map(|share| share as f32),
            predictions: self.predictions,
        }
    }
}

impl Total for Predicted {
    fn empty(&self) -> Self {
        Self { tally: self.tally.empty(), predictions: Vec::new() }
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        Total::add(&mut self.tally, from, example, between);
        let rows = from.logits.chunks_exact(self.tally.by_class().len());
        self.predictions.push(rows.map(prediction).collect());
    }

    fn merge(&mut self, next: Self) {
        self.tally.merge(next.tally);
        self.predictions.extend(next.predictions);
    }
}

/// For each of the sequences of these lengths another one of a pool, at least as long, drawn by the seed; the same
/// sequence is never its own, if the pool is the set itself.
///
/// # Errors
/// The first sequence that has none.
pub fn donors(lens: &[usize], pool: &[usize], is_same_set: bool, seed: u64) -> Result<Vec<usize>, usize> {
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by_key(|at| Reverse(pool[*at]));
    let mut rank = vec![0; pool.len()];
    order.iter().enumerate().for_each(|(at, index)| rank[*index] = at);
    let drawn = |(index, len): (usize, &usize)| {
        let fitting = order.partition_point(|at| pool[*at] >= *len);
        let others = fitting - usize::from(is_same_set);
        if others == 0 {
            return Err(index);
        }
        let at = stream(seed, Purpose::Resample, index as u64).gen_range(0..others);
        Ok(order[if is_same_set && at >= rank[index] { at + 1 } else { at }])
    };
    lens.iter().enumerate().map(drawn).collect()
}

/// Lengths of the validation sequences.
fn lens(data: &Dataset) -> Vec<usize> {
    data.examples(Split::Validation).iter().map(|one| one.tokens().len()).collect()
}

/// For each validation sequence another one, as [`donors`]; `None` if a sequence has none.
pub fn donors_among(data: &Dataset, seed: u64) -> Option<Vec<usize>> {
    let lens = lens(data);
    donors(&lens, &lens, true, seed).ok().filter(|donors| !donors.is_empty())
}

/// A validation sequence for a sequence of this length that is not among them: of those at least as long, else the longest,
/// which leaves the positions after its end as they are.
pub fn donor_for(len: usize, data: &Dataset, seed: u64) -> Option<usize> {
    let lens = lens(data);
    let longest = (0..lens.len()).max_by_key(|index| lens[*index]);
    donors(&[len], &lens, false, seed).map_or(longest, |drawn| drawn.first().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_donor_is_another_sequence_that_is_long_enough() {
        let lens = [3, 5, 5, 2, 4];
        for seed in 0..200 {
            let drawn = donors(&lens, &lens, true, seed).unwrap();
            for (index, donor) in drawn.iter().enumerate() {
                assert!(*donor != index && lens[*donor] >= lens[index], "{index} from {donor}");
            }
            assert_eq!((drawn[1], drawn[2]), (2, 1), "the only other one");
        }
        let of_the_first = |seed| donors(&lens, &lens, true, seed).unwrap()[0];
        let found: BTreeSet<usize> = (0..200).map(of_the_first).collect();
        assert_eq!(found, [1, 2, 4].into(), "each of those that fit");
        assert_eq!(donors(&[3, 6], &lens, false, 1), Err(1));
        assert_eq!(donors(&[4], &[4], true, 1), Err(0), "itself alone");
        assert_eq!(donors(&[4], &[4], false, 1), Ok(vec![0]));
    }
}
