//! Mean contribution of each component over a set.

use std::sync::Arc;

use super::attribution::vectors;
use super::readout::Readout;
use super::target::ResolvedTarget;
use super::total::Total;
use crate::model::{Activations, Patch, Snapshot};
use crate::task::Example;

/// Mean contribution of each component over sequences and positions, to any target.
#[derive(Clone, Debug)]
pub struct ComponentMeans {
    /// Of each component's vector over the final norm's scale, `[d_model]`; empty for the bias.
    vectors: Vec<Vec<f32>>,
    readout: Arc<Readout>,
}

impl ComponentMeans {
    /// The mean contribution of a component, by its index in the attribution.
    pub fn value(&self, component: usize, target: ResolvedTarget) -> Option<f32> {
        let vector = self.vectors.get(component)?;
        let is_bias = vector.is_empty();
        Some(if is_bias { target.value(&self.readout.bias) } else { self.readout.to(target, vector) })
    }
}

/// Sums over sequences and positions.
pub struct ContributionSums {
    weights: Arc<Snapshot>,
    readout: Arc<Readout>,
    positions: usize,
    /// By component, `[d_model]`.
    sums: Vec<Vec<f64>>,
}

impl ContributionSums {
    /// Empty sums; `readout` must be of the same weights.
    pub fn new(weights: &Arc<Snapshot>, readout: &Arc<Readout>) -> Self {
        let (weights, readout) = (Arc::clone(weights), Arc::clone(readout));
        Self { weights, readout, positions: 0, sums: Vec::new() }
    }

    /// Means over everything added.
    pub fn means(&self) -> ComponentMeans {
        let mean = |sum: &f64| (sum / self.positions.max(1) as f64) as f32;
        let vectors = self.sums.iter().map(|sums| sums.iter().map(mean).collect()).collect();
        ComponentMeans { vectors, readout: Arc::clone(&self.readout) }
    }
}

impl Total for ContributionSums {
    fn empty(&self) -> Self {
        Self::new(&self.weights, &self.readout)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let weights = &self.weights.weights;
        let width = weights.config().d_model;
        let all = vectors(weights, (example.tokens(), &Patch::default()), from);
        self.positions += from.len;
        self.sums.resize(all.len(), Vec::new());
        for (sums, (_, vectors)) in self.sums.iter_mut().zip(&all) {
            sums.resize(width.min(vectors.len()), 0.0);
            for (position, row) in vectors.chunks_exact(width).enumerate() {
                let scale = f64::from(self.readout.scale(from, position));
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x) / scale);
            }
        }
    }

    fn merge(&mut self, next: Self) {
        self.positions += next.positions;
        if self.sums.is_empty() {
            self.sums = next.sums;
            return;
        }
        for (ours, theirs) in self.sums.iter_mut().zip(next.sums) {
            ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }
}
