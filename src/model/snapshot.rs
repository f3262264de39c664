//! The weights at one step of training.

use std::sync::Arc;

use super::config::ModelConfig;
use super::fold::{FoldOptions, fold};
use super::weights::Weights;

/// The weights at one step.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Optimiser steps taken.
    pub step: usize,
    /// The weights.
    pub weights: Weights,
}

impl Snapshot {
    /// The snapshot of the weights after `step` steps.
    pub fn new(step: usize, weights: Weights) -> Self {
        Self { step, weights }
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.weights.config()
    }

    /// The same step with the layer norms folded into the weights, as in the notebook.
    #[must_use]
    pub fn folded(&self) -> Self {
        Self::new(self.step, fold(&self.weights, FoldOptions::default()))
    }
}

/// The last folded snapshot: folding takes longer than a key press may.
#[derive(Clone, Debug, Default)]
pub struct FoldCache(Option<[Arc<Snapshot>; 2]>);

impl FoldCache {
    /// The snapshot with its layer norms folded in.
    pub fn of(&mut self, snapshot: &Arc<Snapshot>) -> Arc<Snapshot> {
        match &self.0 {
            Some([of, folded]) if Arc::ptr_eq(of, snapshot) => Arc::clone(folded),
            _ => {
                let folded = Arc::new(snapshot.folded());
                self.0 = Some([Arc::clone(snapshot), Arc::clone(&folded)]);
                folded
            }
        }
    }
}
