//! Loss and accuracy over a set of sequences, with and without interventions, and against random ones.

use std::collections::BTreeSet;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::Serialize;

use super::logits::prediction;
use crate::model::{
    Activations, Interventions, Means, ModelConfig, NeuronId, Patch, Weights, cross_entropy, forward,
};
use crate::random::{Purpose, stream};
use crate::task::{Class, Example};

/// How well a model does on a set of sequences, counted over all their targets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Sequences.
    pub sequences: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Share of right predictions at the last position of each sequence; NaN where none has a target there.
    pub accuracy_last: f64,
    /// By class; `None` for a class that never occurs.
    pub accuracy_by_class: Vec<Option<f64>>,
    /// By position; `None` for a position without targets.
    pub accuracy_by_position: Vec<Option<f64>>,
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

/// Right predictions among those scored.
#[derive(Clone, Copy, Default)]
struct Count {
    right: usize,
    seen: usize,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.seen += other.seen;
    }

    fn share(self) -> Option<f64> {
        (self.seen > 0).then(|| self.right as f64 / self.seen as f64)
    }
}

/// Counts over sequences.
pub struct Tally {
    sequences: usize,
    loss: f64,
    last: Count,
    by_position: Vec<Count>,
    by_class: Vec<Count>,
}

impl Tally {
    /// Of nothing yet.
    pub fn new(config: &ModelConfig) -> Self {
        let by_class = vec![Count::default(); config.outputs()];
        Self { sequences: 0, loss: 0.0, last: Count::default(), by_position: Vec::new(), by_class }
    }

    /// Counts a sequence by its logits, `[pos, d_vocab_out]`, and its targets, `[pos]`.
    pub fn add(&mut self, logits: &[f32], targets: &[Option<Class>]) {
        let outputs = self.by_class.len();
        self.sequences += 1;
        self.loss += cross_entropy(logits, targets, outputs);
        self.by_position.resize(self.by_position.len().max(targets.len()), Count::default());
        for (position, (logits, target)) in logits.chunks_exact(outputs).zip(targets).enumerate() {
            let Some(target) = *target else { continue };
            let one = Count { right: usize::from(prediction(logits) == Some(target)), seen: 1 };
            self.by_position[position].add(one);
            self.by_class[usize::from(target)].add(one);
            if position + 1 == targets.len() {
                self.last.add(one);
            }
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        let each =
            |to: &mut [Count], from: &[Count]| to.iter_mut().zip(from).for_each(|(to, &from)| to.add(from));
        self.sequences += other.sequences;
        self.loss += other.loss;
        self.last.add(other.last);
        self.by_position.resize(self.by_position.len().max(other.by_position.len()), Count::default());
        each(&mut self.by_position, &other.by_position);
        each(&mut self.by_class, &other.by_class);
        self
    }

    /// What it comes to.
    pub fn evaluation(&self) -> Evaluation {
        let mut all = Count::default();
        self.by_class.iter().for_each(|&count| all.add(count));
        let shares = |counts: &[Count]| counts.iter().map(|count| count.share()).collect();
        Evaluation {
            sequences: self.sequences,
            loss: self.loss / all.seen as f64,
            accuracy: all.share().unwrap_or(f64::NAN),
            accuracy_last: self.last.share().unwrap_or(f64::NAN),
            accuracy_by_class: shares(&self.by_class),
            accuracy_by_position: shares(&self.by_position),
        }
    }
}

/// Sequences in each part of a parallel sum: sixteen parts, merged in order, whatever the number of
/// threads, so that the figures do not depend on it.
pub(super) fn part_len(examples: &[Example<'_>]) -> usize {
    examples.len().div_ceil(16).max(1)
}

/// Evaluates `weights` with `patch` in force. No sequence may be longer than `n_ctx`.
pub fn evaluate(weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> Evaluation {
    let tallies: Vec<Tally> =
        examples.par_chunks(part_len(examples)).map(|examples| tally(weights, patch, examples)).collect();
    tallies.iter().fold(Tally::new(weights.config()), Tally::merge).evaluation()
}

fn tally(weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> Tally {
    let mut activations = Activations::new(weights.config(), 0);
    let mut tally = Tally::new(weights.config());
    for example in examples {
        forward(weights, example.tokens(), patch, &mut activations);
        tally.add(&activations.logits, example.targets());
    }
    tally
}

/// Mean activations over `examples`, and how active each neuron is: its mean |activation|, by layer.
pub fn means(weights: &Weights, examples: &[Example<'_>]) -> (Means, Vec<Vec<f32>>) {
    let c = weights.config();
    let cells = examples.iter().map(|example| example.tokens().len()).sum::<usize>().max(1) as f64;
    let totals: Vec<Totals> = examples
        .par_chunks(part_len(examples))
        .map(|examples| {
            let mut activations = Activations::new(c, 0);
            let mut totals = Totals::new(c);
            for example in examples {
                forward(weights, example.tokens(), &Patch::default(), &mut activations);
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
