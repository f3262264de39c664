//! Sequences on a device, as one-hot vectors: these make an embedding a product, and its gradient too.

use std::sync::Arc;

use dfdx::prelude::*;

use super::config::ModelConfig;
use crate::task::{Dataset, Example, Split, Token};

/// Limit of values of both tensors together: above it a split stays on the host and batches are copied one by one (2
/// GiB).
const MAX_RESIDENT: usize = 1 << 29;

type Matrix<D> = Tensor<(usize, usize), f32, D>;

/// Sequences and their targets. Sequences shorter than the longest are padded with zero vectors: no earlier position
/// attends to them, and they have no targets.
#[derive(Clone)]
pub(super) struct OneHot<D: Device<f32>> {
    /// `[sequence, pos * d_vocab]`.
    pub(super) tokens: Matrix<D>,
    /// `[sequence, pos * d_vocab_out]`; zeros without a target.
    pub(super) targets: Matrix<D>,
    /// Number of sequences.
    pub(super) sequences: usize,
    /// Tokens in each.
    pub(super) len: usize,
    /// Number of targets; 1 without any, so that the mean loss is 0.
    pub(super) scored: usize,
}

impl<D: Device<f32>> OneHot<D> {
    /// Copies sequences to the device.
    pub(super) fn of(
        device: &D,
        examples: &[Example<'_>],
        len: usize,
        config: &ModelConfig,
    ) -> Result<Self, D::Err> {
        let sequences = examples.len();
        let tensor = |width: usize, of: &dyn Fn(&Example<'_>, usize) -> Option<Token>| {
            let mut values = vec![0.0; sequences * len * width];
            for (row, example) in values.chunks_exact_mut((len * width).max(1)).zip(examples) {
                for (at, cell) in row.chunks_exact_mut(width).take(example.tokens().len()).enumerate() {
                    of(example, at).into_iter().for_each(|one| cell[usize::from(one)] = 1.0);
                }
            }
            device.try_tensor_from_vec(values, (sequences, len * width))
        };
        let tokens = tensor(config.d_vocab, &|example, at| Some(example.tokens()[at]))?;
        let targets = tensor(config.outputs(), &|example, at| example.targets()[at])?;
        let scored = examples.iter().map(Example::scored).sum::<usize>().max(1);
        Ok(Self { tokens, targets, sequences, len, scored })
    }

    fn rows(&self, device: &D, rows: &[usize], scored: usize) -> Result<Self, D::Err> {
        let index = device.try_tensor_from_vec(rows.to_vec(), (rows.len(),))?;
        let tokens = self.tokens.clone().try_gather(index.clone())?;
        let targets = self.targets.clone().try_gather(index)?;
        Ok(Self { tokens, targets, sequences: rows.len(), len: self.len, scored: scored.max(1) })
    }
}

/// One split of a data set, accessible to a device.
pub struct Sequences<D: Device<f32>> {
    dataset: Arc<Dataset>,
    split: Split,
    config: ModelConfig,
    len: usize,
    resident: Option<OneHot<D>>,
}

impl<D: Device<f32>> Sequences<D> {
    /// One split of `dataset`, copied once to a device that `has_memory` of its own, unless too large.
    ///
    /// # Errors
    /// When the device is out of memory.
    pub(super) fn new(
        device: &D,
        dataset: &Arc<Dataset>,
        split: Split,
        config: &ModelConfig,
        has_memory: bool,
    ) -> Result<Self, D::Err> {
        let (examples, len) = (dataset.examples(split), dataset.longest(split));
        let values = examples.len() * len * (config.d_vocab + config.outputs());
        let copied = has_memory && values <= MAX_RESIDENT;
        let resident = copied.then(|| OneHot::of(device, &examples, len, config)).transpose()?;
        Ok(Self { dataset: Arc::clone(dataset), split, config: config.clone(), len, resident })
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.dataset.len(self.split)
    }

    /// Length of the longest sequence.
    pub fn longest(&self) -> usize {
        self.len
    }

    /// Number of targets of the sequences of these indices.
    pub fn scored(&self, rows: &[usize]) -> usize {
        rows.iter().map(|&row| self.dataset.example(self.split, row).scored()).sum()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sequences of these indices, on the host.
    pub fn examples(&self, rows: &[usize]) -> Vec<Example<'_>> {
        rows.iter().map(|&row| self.dataset.example(self.split, row)).collect()
    }

    /// The sequences of these indices, on the device.
    pub(super) fn batch(&self, device: &D, rows: &[usize]) -> Result<OneHot<D>, D::Err> {
        match &self.resident {
            Some(all) => all.rows(device, rows, self.scored(rows)),
            None => OneHot::of(device, &self.examples(rows), self.len, &self.config),
        }
    }
}
