//! Loss and accuracy over a set of sequences, with and without interventions, and against random ones.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::Serialize;

use super::probe::argmax;
use crate::model::{
    Activations, Interventions, Means, ModelConfig, NeuronId, Patch, Weights, cross_entropy, forward,
};
use crate::random::{Purpose, stream};
use crate::task::{Example, Token};

/// How well a model does on a set of sequences, counted over all their positions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Sequences.
    pub sequences: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Share of right predictions at the last position.
    pub accuracy_last: f64,
    /// By label; `None` for a label that never occurs.
    pub accuracy_by_class: Vec<Option<f64>>,
    /// By position.
    pub accuracy_by_position: Vec<f64>,
}

/// What an intervention does over a set of sequences, beside matched random ones.
#[derive(Clone, Debug)]
pub struct AblationReport {
    /// That of the request it answers.
    pub generation: u64,
    /// Steps of the snapshot.
    pub step: usize,
    /// With nothing switched off.
    pub before: Evaluation,
    /// With the interventions; `None` when there are none, or while it is being computed.
    pub after: Option<Evaluation>,
    /// Random neuron sets of the same size; `None` when no neuron is switched off.
    pub controls: Option<Controls>,
}

/// Random sets of as many neurons in the same layers, each of like activity, ablated in the same way; heads and patterns
/// are as they are for the neurons that the sets stand in for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Controls {
    /// Sets that will be tried.
    pub planned: usize,
    /// Loss of each set tried so far.
    pub losses: Vec<f64>,
    /// Accuracy of each.
    pub accuracies: Vec<f64>,
}

impl Controls {
    /// Mean and standard deviation of the losses; `None` before the first.
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
}

fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (!values.is_empty()).then(|| (mean, variance.sqrt()))
}

/// Counts over sequences of one length.
pub struct Tally {
    sequences: usize,
    loss: f64,
    right_by_position: Vec<usize>,
    right_by_class: Vec<usize>,
    seen_by_class: Vec<usize>,
}

impl Tally {
    /// Of nothing yet, for sequences of `len` tokens.
    pub fn new(config: &ModelConfig, len: usize) -> Self {
        let classes = || vec![0; config.d_vocab];
        Self {
            sequences: 0,
            loss: 0.0,
            right_by_position: vec![0; len],
            right_by_class: classes(),
            seen_by_class: classes(),
        }
    }

    /// Counts a sequence by its logits, `[pos, d_vocab]`, and its labels, `[pos]`.
    pub fn add(&mut self, logits: &[f32], labels: &[Token]) {
        let d_vocab = self.seen_by_class.len();
        self.sequences += 1;
        self.loss += cross_entropy(logits, labels, d_vocab);
        for (position, (logits, &label)) in logits.chunks_exact(d_vocab).zip(labels).enumerate() {
            // Of logits that are NaN none is the largest.
            let right = usize::from(argmax(logits) == label && !logits.iter().any(|logit| logit.is_nan()));
            self.right_by_position[position] += right;
            self.right_by_class[usize::from(label)] += right;
            self.seen_by_class[usize::from(label)] += 1;
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        let each =
            |to: &mut [usize], from: &[usize]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.sequences += other.sequences;
        self.loss += other.loss;
        each(&mut self.right_by_position, &other.right_by_position);
        each(&mut self.right_by_class, &other.right_by_class);
        each(&mut self.seen_by_class, &other.seen_by_class);
        self
    }

    /// What it comes to.
    pub fn evaluation(&self) -> Evaluation {
        let share = |right: usize| right as f64 / self.sequences as f64;
        let positions = (self.sequences * self.right_by_position.len()) as f64;
        let classes = self.right_by_class.iter().zip(&self.seen_by_class);
        Evaluation {
            sequences: self.sequences,
            loss: self.loss / positions,
            accuracy: self.right_by_position.iter().sum::<usize>() as f64 / positions,
            accuracy_last: self.right_by_position.last().map_or(0.0, |&right| share(right)),
            accuracy_by_class: classes
                .map(|(&right, &seen)| (seen > 0).then(|| right as f64 / seen as f64))
                .collect(),
            accuracy_by_position: self.right_by_position.iter().map(|&right| share(right)).collect(),
        }
    }
}

/// Sequences in each part of a parallel sum: sixteen parts, merged in order, whatever the number of
/// threads, so that the figures do not depend on it.
pub(super) fn part_len(examples: &[Example<'_>]) -> usize {
    examples.len().div_ceil(16).max(1)
}

/// Evaluates `weights` with `patch` in force. Every sequence must have one length, at most `n_ctx`.
pub fn evaluate(weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> Evaluation {
    let len = examples.first().map_or(0, |example| example.tokens.len());
    let tallies: Vec<Tally> = examples
        .par_chunks(part_len(examples))
        .map(|examples| tally(weights, patch, examples, len))
        .collect();
    tallies.iter().fold(Tally::new(weights.config(), len), Tally::merge).evaluation()
}

fn tally(weights: &Weights, patch: &Patch, examples: &[Example<'_>], len: usize) -> Tally {
    let mut activations = Activations::new(weights.config(), len);
    let mut tally = Tally::new(weights.config(), len);
    for &Example { tokens, labels } in examples {
        forward(weights, tokens, patch, &mut activations);
        tally.add(&activations.logits, labels);
    }
    tally
}

/// Mean activations over `examples`, and how active each neuron is: its mean |activation|, by layer.
pub fn means(weights: &Weights, examples: &[Example<'_>]) -> (Means, Vec<Vec<f32>>) {
    let c = weights.config();
    let len = examples.first().map_or(0, |example| example.tokens.len());
    let cells = (examples.len() * len).max(1) as f64;
    let totals: Vec<Totals> = examples
        .par_chunks(part_len(examples))
        .map(|examples| {
            let mut activations = Activations::new(c, len);
            let mut totals = Totals::new(c);
            for example in examples {
                forward(weights, example.tokens, &Patch::default(), &mut activations);
                totals.add(c, &activations);
            }
            totals
        })
        .collect();
    let average = |of: fn(&Totals) -> &Vec<Vec<f64>>| -> Vec<Vec<f32>> {
        (0..c.n_layers)
            .map(|layer| {
                let width = totals.first().map_or(0, |first| of(first)[layer].len());
                (0..width)
                    .map(|at| (totals.iter().map(|t| of(t)[layer][at]).sum::<f64>() / cells) as f32)
                    .collect()
            })
            .collect()
    };
    let means = Means { z: average(|t| &t.z), post: average(|t| &t.post), sequences: examples.len() };
    (means, average(|t| &t.activity))
}

struct Totals {
    z: Vec<Vec<f64>>,
    post: Vec<Vec<f64>>,
    activity: Vec<Vec<f64>>,
}

impl Totals {
    fn new(c: &ModelConfig) -> Self {
        let zeros = |width: usize| vec![vec![0.0; width]; c.n_layers];
        Self { z: zeros(c.d_heads()), post: zeros(c.d_mlp), activity: zeros(c.d_mlp) }
    }

    fn add(&mut self, c: &ModelConfig, from: &Activations) {
        for (layer, block) in from.blocks.iter().enumerate() {
            for row in block.attn.z.chunks_exact(c.d_heads()) {
                self.z[layer].iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x));
            }
            for row in block.mlp.iter().flat_map(|mlp| mlp.post.chunks_exact(c.d_mlp)) {
                self.post[layer].iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x));
                self.activity[layer].iter_mut().zip(row).for_each(|(total, &x)| *total += f64::from(x.abs()));
            }
        }
    }
}

/// Neurons of like activity that a control may draw from.
const POOL: usize = 16;

/// Random set number `index` matched to the ablated neurons: for each of them another of its layer among those closest
/// in activity. Heads and patterns stay as they are, or what they do would be taken for what the neurons do. `None` when
/// no neuron is ablated or a layer has too few others.
pub fn control(
    interventions: &Interventions,
    activity: &[Vec<f32>],
    seed: u64,
    index: u64,
) -> Option<Interventions> {
    let mut random = stream(seed, Purpose::Control, index);
    let mut control = Interventions { neurons: BTreeSet::new(), ..interventions.clone() };
    for id in &interventions.neurons {
        let activity = &activity[id.layer];
        let other = |neuron: usize| NeuronId { layer: id.layer, neuron };
        let mut pool: Vec<usize> = (0..activity.len())
            .filter(|&n| !interventions.neurons.contains(&other(n)) && !control.neurons.contains(&other(n)))
            .collect();
        let distance = |neuron: usize| (activity[neuron] - activity[id.neuron]).abs();
        pool.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        pool.truncate(POOL);
        control.neurons.insert(other(*pool.choose(&mut random)?));
    }
    (!control.neurons.is_empty()).then_some(control)
}
