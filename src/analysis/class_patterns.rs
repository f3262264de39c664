//! A head's pattern, averaged over the queries with each target.

use super::total::Total;
use crate::model::{Activations, HeadId, ModelConfig};
use crate::task::{Class, Example};

/// Sums over sequences.
#[derive(Clone, Debug)]
pub struct ClassPatterns {
    /// Which head.
    pub id: HeadId,
    /// Positions of the longest sequence.
    pub len: usize,
    classes: usize,
    /// `[class][query][key]`.
    sums: Vec<f32>,
    /// Number of queries, `[class][query]`.
    queries: Vec<u32>,
}

impl ClassPatterns {
    /// Bytes of the sums, as a type that cannot overflow.
    pub fn bytes(config: &ModelConfig, len: usize) -> u128 {
        4 * [config.outputs(), len, len + 1].map(|n| n as u128).iter().product::<u128>()
    }

    /// Of no sequence yet; none will be longer than `len`.
    pub fn new(config: &ModelConfig, id: HeadId, len: usize) -> Self {
        Self::of_classes(config.outputs(), id, len)
    }

    fn of_classes(classes: usize, id: HeadId, len: usize) -> Self {
        Self { id, len, classes, sums: vec![0.0; classes * len * len], queries: vec![0; classes * len] }
    }

    /// Number of queries at a position with a target.
    pub fn queries(&self, class: Class, query: usize) -> usize {
        self.queries[usize::from(class) * self.len + query] as usize
    }

    /// Each sum over its number of queries; NaN without any.
    #[must_use]
    pub fn averaged(mut self) -> Self {
        for (row, queries) in self.sums.chunks_exact_mut(self.len.max(1)).zip(&self.queries) {
            row.iter_mut().for_each(|sum| *sum /= *queries as f32);
        }
        self
    }

    /// The pattern of a class, `[query][key]`.
    pub fn pattern(&self, class: Class) -> &[f32] {
        &self.sums[usize::from(class) * self.len * self.len..][..self.len * self.len]
    }
}

impl Total for ClassPatterns {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::of_classes(self.classes, self.id, self.len)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let own = from.len;
        let pattern = &from.blocks[self.id.layer].attn.pattern[self.id.head * own * own..][..own * own];
        for (query, (row, target)) in pattern.chunks_exact(own).zip(example.targets()).enumerate() {
            let Some(class) = *target else { continue };
            let at = usize::from(class) * self.len + query;
            self.queries[at] += 1;
            self.sums[at * self.len..][..own].iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
        }
    }

    fn merge(&mut self, next: Self) {
        self.sums.iter_mut().zip(next.sums).for_each(|(sum, p)| *sum += p);
        self.queries.iter_mut().zip(next.queries).for_each(|(sum, n)| *sum += n);
    }
}
