//! The forward pass of one sequence, and the quantities derived from it.

use std::sync::Arc;

use super::attention::{HeadSummary, summaries};
use super::attribution::Attribution;
use super::logits::{log_sum_exp, mean, prediction};
use super::pool::{ActivationPool, PooledActivations};
use super::readout::Readout;
use super::target::ResolvedTarget;
use crate::model::{ModelConfig, Patch, Weights, cross_entropy, forward, forward_again};
use crate::task::{Class, Example};

/// The forward pass of one sequence, and the quantities derived from it.
#[derive(Debug)]
pub struct Pass {
    /// Every activation.
    pub activations: PooledActivations,
    /// The most likely class at each position, from [`prediction`].
    pub predictions: Vec<Option<Class>>,
    /// Cross-entropy at each position that has a target, in nats.
    pub losses: Vec<Option<f32>>,
    /// ln of the sum of exponentials of the logits at each position.
    normalizers: Vec<f32>,
    /// Direct logit attribution of every component.
    pub attribution: Attribution,
    /// By layer, then head.
    pub heads: Vec<HeadSummary>,
    readout: Arc<Readout>,
}

impl Pass {
    /// Number of values for a sequence of `len` tokens, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig, len: usize) -> u128 {
        c.approximate_activations(len) + Attribution::approximate_values(c, len)
    }

    /// Runs a sequence with `patch`.
    pub fn run(weights: &Weights, example: Example<'_>, patch: &Patch) -> Self {
        Self::run_in(&Arc::default(), Arc::new(Readout::new(weights)), weights, example, patch)
    }

    /// Like [`run`](Self::run), in a buffer of a pool, and with the readout of these weights.
    pub fn run_in(
        pool: &Arc<ActivationPool>,
        readout: Arc<Readout>,
        weights: &Weights,
        example: Example<'_>,
        patch: &Patch,
    ) -> Self {
        let mut activations = pool.take(weights.config(), example.tokens().len());
        forward(weights, example.tokens(), patch, activations.get_mut());
        pool.prepare(&activations);
        Self::of(weights, (example, patch), activations, readout)
    }

    /// The pass of the same sequence with `patch`, from this clean pass: only the layers after the first edit run
    /// again.
    #[must_use]
    pub fn patched(&self, weights: &Weights, example: Example<'_>, patch: &Patch) -> Self {
        let mut activations = self.activations.sibling(weights.config());
        forward_again(weights, patch, &self.activations, activations.get_mut());
        Self::of(weights, (example, patch), activations, Arc::clone(&self.readout))
    }

    fn of(
        weights: &Weights,
        (example, patch): (Example<'_>, &Patch),
        activations: PooledActivations,
        readout: Arc<Readout>,
    ) -> Self {
        let rows = || activations.logits.chunks_exact(weights.config().outputs());
        let normalizers: Vec<f32> = rows().map(log_sum_exp).collect();
        let outputs = weights.config().outputs();
        let loss = |(row, target): (&[f32], &Option<Class>)| {
            target.map(|target| cross_entropy(row, &[Some(target)], outputs) as f32)
        };
        Self {
            predictions: rows().map(prediction).collect(),
            losses: rows().zip(example.targets()).map(loss).collect(),
            normalizers,
            attribution: Attribution::new(
                weights,
                (example.tokens(), patch),
                &activations,
                Arc::clone(&readout),
            ),
            heads: summaries(weights, &activations),
            activations,
            readout,
        }
    }

    /// Bytes of memory, for the memo's budget. The readout counts: the pass keeps it in memory, and in a short sequence its size
    /// is many times that of the activations.
    pub fn bytes(&self) -> usize {
        4 * (self.activations.values() + self.attribution.values()) + self.readout.bytes()
    }

    /// Mean cross-entropy over targets, in nats; `None` without targets.
    pub fn loss(&self) -> Option<f32> {
        let scored = self.losses.iter().flatten().count();
        (scored > 0).then(|| self.losses.iter().flatten().sum::<f32>() / scored as f32)
    }

    /// Share of targets predicted; `None` without targets.
    pub fn accuracy(&self, targets: &[Option<Class>]) -> Option<f32> {
        let scored = self.predictions.iter().zip(targets).filter(|(_, target)| target.is_some());
        let (right, all) = scored.fold((0, 0), |(right, all), (prediction, target)| {
            (right + usize::from(prediction == target), all + 1)
        });
        (all > 0).then(|| right as f32 / all as f32)
    }

    /// Logits at a position, `[d_vocab_out]`.
    pub fn logits(&self, position: usize) -> &[f32] {
        let outputs = self.activations.logits.len() / self.activations.len;
        &self.activations.logits[position * outputs..(position + 1) * outputs]
    }

    /// A target's logit at a position, minus the mean over classes.
    pub fn centred_logit(&self, position: usize, target: ResolvedTarget) -> f32 {
        let logits = self.logits(position);
        target.value(logits) - if target.minus.is_some() { 0.0 } else { mean(logits) }
    }

    /// Probabilities at a position, `[d_vocab_out]`.
    pub fn probabilities(&self, position: usize) -> Vec<f32> {
        (0..self.logits(position).len()).map(|class| self.probability(position, class)).collect()
    }

    /// Probability of one class at a position.
    pub fn probability(&self, position: usize, class: usize) -> f32 {
        (self.logits(position)[class] - self.normalizers[position]).exp()
    }

    /// A neuron's activation (`mlp.hook_post`) at a position; 0 in a model without neurons.
    pub fn neuron(&self, layer: usize, neuron: usize, position: usize) -> f32 {
        self.activations.neuron(layer, neuron, position)
    }

    /// A head's attention from a query, `[key]`.
    pub fn attention(&self, layer: usize, head: usize, query: usize) -> &[f32] {
        let len = self.activations.len;
        &self.activations.blocks[layer].attn.pattern[(head * len + query) * len..][..len]
    }
}
