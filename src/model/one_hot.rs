//! Sequences where a device reads them: as one-hot vectors, which make an embedding a product, and its gradient too.

use std::sync::Arc;

use dfdx::prelude::*;

use super::backend::Backend;
use crate::task::{Dataset, Example, Split, Token};

/// Values of both tensors together above which a split stays on the host and batches are copied one by one: 2 GiB.
const MAX_RESIDENT: usize = 1 << 29;

type Matrix<D> = Tensor<(usize, usize), f32, D>;

/// Sequences of one length and their labels.
#[derive(Clone)]
pub(super) struct OneHot<D: Backend> {
    /// `[sequence, pos * d_vocab]`.
    pub(super) tokens: Matrix<D>,
    /// `[sequence, pos * d_vocab]`.
    pub(super) labels: Matrix<D>,
    /// How many.
    pub(super) sequences: usize,
    /// Tokens in each.
    pub(super) len: usize,
}

impl<D: Backend> OneHot<D> {
    /// Copies them to the device.
    pub(super) fn of(device: &D, examples: &[Example<'_>], d_vocab: usize) -> Result<Self, D::Err> {
        let (sequences, len) = (examples.len(), examples.first().map_or(0, |example| example.tokens.len()));
        let tensor = |of: for<'a> fn(&Example<'a>) -> &'a [Token]| {
            let mut values = vec![0.0; sequences * len * d_vocab];
            let cells = examples.iter().flat_map(of);
            cells.enumerate().for_each(|(cell, &token)| values[cell * d_vocab + usize::from(token)] = 1.0);
            device.try_tensor_from_vec(values, (sequences, len * d_vocab))
        };
        let tokens = tensor(|example| example.tokens)?;
        Ok(Self { tokens, labels: tensor(|example| example.labels)?, sequences, len })
    }

    fn rows(&self, device: &D, rows: &[usize]) -> Result<Self, D::Err> {
        let index = device.try_tensor_from_vec(rows.to_vec(), (rows.len(),))?;
        let tokens = self.tokens.clone().try_gather(index.clone())?;
        let labels = self.labels.clone().try_gather(index)?;
        Ok(Self { tokens, labels, sequences: rows.len(), len: self.len })
    }
}

/// One side of a data set, within a device's reach.
pub struct Sequences<D: Backend> {
    dataset: Arc<Dataset>,
    split: Split,
    d_vocab: usize,
    resident: Option<OneHot<D>>,
}

impl<D: Backend> Sequences<D> {
    /// One side of `dataset`, copied once to a device that has memory of its own, if it is not too much.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(device: &D, dataset: &Arc<Dataset>, split: Split, d_vocab: usize) -> Result<Self, D::Err> {
        let copied = D::HAS_MEMORY && 2 * dataset.len(split) * dataset.n_ctx() * d_vocab <= MAX_RESIDENT;
        let resident = copied.then(|| OneHot::of(device, &dataset.examples(split), d_vocab)).transpose()?;
        Ok(Self { dataset: Arc::clone(dataset), split, d_vocab, resident })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.dataset.len(self.split)
    }

    /// Tokens in each.
    pub fn n_ctx(&self) -> usize {
        self.dataset.n_ctx()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of these numbers, on the host.
    pub fn examples(&self, rows: &[usize]) -> Vec<Example<'_>> {
        rows.iter().map(|&row| self.dataset.example(self.split, row)).collect()
    }

    /// Those of these numbers, on the device.
    pub(super) fn batch(&self, device: &D, rows: &[usize]) -> Result<OneHot<D>, D::Err> {
        match &self.resident {
            Some(all) => all.rows(device, rows),
            None => OneHot::of(device, &self.examples(rows), self.d_vocab),
        }
    }
}
