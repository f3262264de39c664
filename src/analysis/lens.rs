//! The logit lens: the model's prediction if it stopped after each sublayer (nostalgebraist 2020).

use std::sync::Arc;

use serde::Serialize;

use super::logits::prediction;
use super::total::{Total, over};
use crate::model::{Activations, Patch, Weights, centre, cross_entropy, unembed};
use crate::task::Example;

/// A place in the residual stream, by its TransformerLens name, and its logits.
#[derive(Clone, Debug)]
pub struct LensRow {
    /// `blocks.0.hook_resid_mid`, for example.
    pub name: String,
    /// `[pos, d_vocab_out]`, through the final norm with this place's own scale, minus their mean over the vocabulary:
    /// so they equal the sum of the components so far, and folding does not change them.
    pub logits: Vec<f32>,
}

/// Reads the stream before each block, after its attention, and after its MLP.
pub fn lens(weights: &Weights, from: &Activations) -> Vec<LensRow> {
    let row = |name: String, stream: &[f32]| {
        let mut logits = unembed(weights, stream);
        centre(&mut logits, weights.config().outputs());
        LensRow { name, logits }
    };
    let mut rows = Vec::new();
    for (layer, block) in from.blocks.iter().enumerate() {
        rows.push(row(format!("blocks.{layer}.hook_resid_pre"), &block.resid_pre));
        if block.mlp.is_some() {
            rows.push(row(format!("blocks.{layer}.hook_resid_mid"), &block.resid_mid));
        }
    }
    let last = from.blocks.len() - 1;
    rows.push(row(format!("blocks.{last}.hook_resid_post"), &from.resid_post));
    rows
}

/// Accuracy of the lens at a place in the stream, over a set of sequences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LensFigures {
    /// The place.
    pub name: String,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of right predictions.
    pub accuracy: f64,
}

/// The lens over a set of sequences.
pub fn lens_over(weights: &Weights, examples: &[Example<'_>]) -> Vec<LensFigures> {
    over(LensSums::new(Arc::new(weights.clone())), weights, &Patch::default(), examples).figures()
}

/// Losses and right predictions at every place, summed over sequences.
pub struct LensSums {
    weights: Arc<Weights>,
    targets: usize,
    sums: Vec<LensFigures>,
}

impl LensSums {
    /// Empty sums.
    pub fn new(weights: Arc<Weights>) -> Self {
        Self { weights, targets: 0, sums: Vec::new() }
    }

    /// By place.
    pub fn figures(mut self) -> Vec<LensFigures> {
        let targets = self.targets as f64;
        let mean = |row: &mut LensFigures| {
            (row.loss, row.accuracy) = (row.loss / targets, row.accuracy / targets);
        };
        self.sums.iter_mut().for_each(mean);
        self.sums
    }

    /// The sums by place; creates them for the places of `names` if empty.
    fn at<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> &mut [LensFigures] {
        if self.sums.is_empty() {
            self.sums =
                names.map(|name| LensFigures { name: name.clone(), loss: 0.0, accuracy: 0.0 }).collect();
        }
        &mut self.sums
    }
}

impl Total for LensSums {
    fn empty(&self) -> Self {
        Self::new(Arc::clone(&self.weights))
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let outputs = self.weights.config().outputs();
        self.targets += example.scored();
        let rows = lens(&self.weights, from);
        let sums = self.at(rows.iter().map(|row| &row.name));
        for (sum, row) in sums.iter_mut().zip(&rows) {
            for (logits, target) in row.logits.chunks_exact(outputs).zip(example.targets()) {
                let Some(target) = *target else { continue };
                sum.loss += cross_entropy(logits, &[Some(target)], outputs);
                sum.accuracy += f64::from(u8::from(prediction(logits) == Some(target)));
            }
        }
    }

    fn merge(&mut self, next: Self) {
        self.targets += next.targets;
        let sums = self.at(next.sums.iter().map(|row| &row.name));
        for (ours, theirs) in sums.iter_mut().zip(&next.sums) {
            ours.loss += theirs.loss;
            ours.accuracy += theirs.accuracy;
        }
    }
}
