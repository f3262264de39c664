//! The positions of a set of sequences where a neuron is most and least active.

use super::logits::prediction;
use super::neurons::NeuronHook;
use super::total::Total;
use crate::model::{Activations, NeuronId};
use crate::task::{Class, Example};

/// Most examples at either end.
const MOST: usize = 20;

/// A position of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeuronExample {
    /// The neuron's value.
    pub value: f32,
    /// Index of the sequence.
    pub sequence: usize,
    /// The position of the sequence with this extreme, the first of equal ones.
    pub position: usize,
    /// The model's prediction there; `None` where a logit is NaN.
    pub prediction: Option<Class>,
}

/// The most extreme values of a neuron at scored positions, or at all of a sequence without targets, and mean and deviation
/// of all. NaN is left out.
#[derive(Clone, Debug)]
pub struct NeuronExamples {
    id: NeuronId,
    hook: NeuronHook,
    /// Sequences seen.
    sequences: usize,
    /// Values seen, their sum and their sum of squares.
    sums: [f64; 3],
    /// Of each sequence its highest position, the highest first; at most twenty.
    pub highest: Vec<NeuronExample>,
    /// Of each sequence its lowest position, the lowest first; at most twenty.
    pub lowest: Vec<NeuronExample>,
}

impl NeuronExamples {
    /// Of no sequence yet.
    pub fn new(id: NeuronId, hook: NeuronHook) -> Self {
        Self { id, hook, sequences: 0, sums: [0.0; 3], highest: Vec::new(), lowest: Vec::new() }
    }

    /// Mean over all these positions.
    pub fn mean(&self) -> f64 {
        self.sums[1] / self.sums[0]
    }

    /// Standard deviation over all these positions.
    pub fn deviation(&self) -> f64 {
        (self.sums[2] / self.sums[0] - self.mean().powi(2)).max(0.0).sqrt()
    }
}

/// Keeps the examples of largest `sign` times value, in order; of equal ones, the first.
fn keep(examples: &mut Vec<NeuronExample>, sign: f32, new: NeuronExample) {
    let at = examples.partition_point(|one| sign * one.value >= sign * new.value);
    if at < MOST {
        examples.insert(at, new);
        examples.truncate(MOST);
    }
}

impl Total for NeuronExamples {
    fn empty(&self) -> Self {
        Self::new(self.id, self.hook)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let outputs = from.logits.len() / from.len.max(1);
        let at = |position: usize| NeuronExample {
            value: self.hook.of(from, self.id, position),
            sequence: self.sequences,
            position,
            prediction: prediction(&from.logits[position * outputs..(position + 1) * outputs]),
        };
        let is_compared = |at: &usize| example.scored() == 0 || example.targets()[*at].is_some();
        let all = (0..from.len).filter(is_compared).map(at);
        let all: Vec<_> = all.filter(|example| !example.value.is_nan()).collect();
        self.sequences += 1;
        for value in all.iter().map(|example| f64::from(example.value)) {
            [1.0, value, value * value].iter().zip(&mut self.sums).for_each(|(x, sum)| *sum += x);
        }
        for (list, sign) in [(&mut self.highest, 1.0), (&mut self.lowest, -1.0)] {
            // Of equal ones `max_by` takes the last.
            let best = all.iter().rev().max_by(|a, b| (sign * a.value).total_cmp(&(sign * b.value)));
            best.into_iter().for_each(|best| keep(list, sign, *best));
        }
    }

    fn merge(&mut self, next: Self) {
        let later =
            |example: NeuronExample| NeuronExample { sequence: example.sequence + self.sequences, ..example };
        next.highest.into_iter().map(later).for_each(|example| keep(&mut self.highest, 1.0, example));
        next.lowest.into_iter().map(later).for_each(|example| keep(&mut self.lowest, -1.0, example));
        self.sums.iter_mut().zip(next.sums).for_each(|(sum, x)| *sum += x);
        self.sequences += next.sequences;
    }
}
