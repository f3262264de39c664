//! Loss and gradients of a batch: sequences in parallel, sums in a fixed order.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::activations::Activations;
use super::adjoints::Adjoints;
use super::config::ModelConfig;
use super::edit::Patch;
use super::loss_dtype::LossDtype;
use super::pass::{backward, cross_entropy, forward};
use super::weights::Weights;
use crate::task::Example;

/// Number of parts of a batch, whatever the number of threads: each sums its own gradients, and the parts are added in
/// order, so that the bits do not depend on the threads.
const CHUNKS: usize = 16;

/// Limit of values in all parts' gradients together: above it a batch has fewer parts, to save memory.
const MAX_GRADIENT_VALUES: usize = 1 << 26;

/// Buffers that training reuses from step to step.
#[derive(Default)]
pub struct Workspace {
    scratch: Mutex<Vec<Scratch>>,
    gradients: Mutex<Vec<Vec<f32>>>,
}

struct Scratch {
    config: ModelConfig,
    activations: Activations,
    adjoints: Adjoints,
}

/// Loss and gradient of a batch.
pub struct BatchResult {
    /// Mean cross-entropy over all targets, in nats.
    pub loss: f32,
    /// Gradient of the loss, in the layout of the weights; empty if not requested.
    pub gradient: Vec<f32>,
}

impl Workspace {
    /// Number of values, with a gradient, for this many threads on sequences of `len` tokens; as a type that cannot
    /// overflow.
    pub fn approximate_values(c: &ModelConfig, len: usize, threads: usize) -> u128 {
        let parameters = c.approximate_parameters();
        let chunks = (MAX_GRADIENT_VALUES as u128 / parameters.max(1)).clamp(1, CHUNKS as u128);
        let scratch = c.approximate_activations(len) + Adjoints::approximate_values(c, len);
        (chunks + 1) * parameters + threads as u128 * scratch
    }

    /// Mean loss over all targets of `batch`, and its gradient if `with_gradient`.
    pub fn loss(
        &self,
        weights: &Weights,
        batch: &[Example<'_>],
        loss_dtype: LossDtype,
        with_gradient: bool,
    ) -> BatchResult {
        // A batch of sequences without targets has loss and gradient 0.
        let targets = batch.iter().map(Example::scored).sum::<usize>().max(1);
        let scale = 1.0 / targets as f32;
        let width = if with_gradient { weights.values.len() } else { 0 };
        let chunks = CHUNKS.min(MAX_GRADIENT_VALUES / width.max(1)).clamp(1, batch.len().max(1));
        let mut gradients =
            std::mem::take(&mut *self.gradients.lock().unwrap_or_else(PoisonError::into_inner));
        gradients.resize_with(chunks, Vec::new);
        let losses: Vec<f64> = gradients
            .par_iter_mut()
            .enumerate()
            .map(|(chunk, gradient)| {
                gradient.clear();
                gradient.resize(width, 0.0);
                let range = chunk * batch.len() / chunks..(chunk + 1) * batch.len() / chunks;
                self.chunk(weights, &batch[range], (scale, loss_dtype), with_gradient.then_some(gradient))
            })
            .collect();
        let gradient = sum_in_order(&gradients, width);
        *self.gradients.lock().unwrap_or_else(PoisonError::into_inner) = gradients;
        BatchResult { loss: (losses.iter().sum::<f64>() / targets as f64) as f32, gradient }
    }

    fn chunk(
        &self,
        weights: &Weights,
        examples: &[Example<'_>],
        (scale, loss_dtype): (f32, LossDtype),
        mut gradient: Option<&mut Vec<f32>>,
    ) -> f64 {
        let mut total = 0.0;
        // Consecutive sequences of one length share their buffers.
        for examples in examples.chunk_by(|a, b| a.tokens().len() == b.tokens().len()) {
            let mut scratch = self.take(weights.config(), examples[0].tokens().len());
            scratch.adjoints.loss_dtype = loss_dtype;
            for example in examples {
                total += scratch.example(weights, *example, scale, gradient.as_deref_mut());
            }
            self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        }
        total
    }

    fn take(&self, config: &ModelConfig, len: usize) -> Scratch {
        let kept = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.filter(|kept| kept.config == *config && kept.activations.len == len).unwrap_or_else(|| Scratch {
            config: config.clone(),
            activations: Activations::new(config, len),
            adjoints: Adjoints::new(config, len),
        })
    }
}

impl Scratch {
    /// The summed loss of one sequence; adds `scale` times its gradient, if requested.
    fn example(
        &mut self,
        weights: &Weights,
        example: Example<'_>,
        scale: f32,
        gradient: Option<&mut Vec<f32>>,
    ) -> f64 {
        forward(weights, example.tokens(), &Patch::default(), &mut self.activations);
        match gradient {
            Some(gradient) => {
                backward(weights, example, scale, &self.activations, &mut self.adjoints, gradient)
            }
            None => cross_entropy(&self.activations.logits, example.targets(), weights.config().outputs()),
        }
    }
}

/// Elementwise sum, in the order of the parts.
fn sum_in_order(parts: &[Vec<f32>], width: usize) -> Vec<f32> {
    const STRIP: usize = 1 << 13;
    let mut total = vec![0.0; width];
    total.par_chunks_mut(STRIP).enumerate().for_each(|(strip, total)| {
        let first = strip * STRIP;
        for part in parts {
            super::kernels::add(total, &part[first..first + total.len()]);
        }
    });
    total
}
