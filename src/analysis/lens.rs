//! The logit lens: the model's prediction if it stopped after each sublayer (nostalgebraist 2020).

use std::sync::Arc;

use serde::Serialize;

use super::logits::prediction;
use super::readout::Readout;
use super::target::ResolvedTarget;
use super::total::{Total, over};
use crate::model::{Activations, Patch, Weights, cross_entropy, normalized, unembed};
use crate::task::{Class, Example};

/// The lens at a place in the residual stream.
#[derive(Clone, Debug)]
pub struct LensRow {
    /// `blocks.0.hook_resid_mid`, for example: TransformerLens' name.
    pub name: String,
    /// The class of the largest logit at each position.
    pub predictions: Vec<Option<Class>>,
    /// The stream through the final norm with the scale of this place, without its weight and bias, `[pos, d_model]`.
    normalized: Vec<f32>,
}

impl LensRow {
    /// A target's logit at a position, minus the mean over classes: so it equals the sum of the components so far, and
    /// folding does not change it. `readout` is of the same weights.
    pub fn value(&self, readout: &Readout, position: usize, target: ResolvedTarget) -> f32 {
        let width = self.normalized.len() / self.predictions.len().max(1);
        readout.to(target, &self.normalized[position * width..][..width]) + target.value(&readout.bias)
    }
}

/// Rows that are unembedded at once: a large vocabulary's logits of all rows take too much memory.
const ROWS: usize = 32;

/// The stream before each block, after its attention, and after its MLP.
pub(super) fn places<'a>(from: &'a Activations) -> Vec<(String, &'a [f32])> {
    let mut places: Vec<(String, &'a [f32])> = Vec::new();
    for (layer, block) in from.blocks.iter().enumerate() {
        places.push((format!("blocks.{layer}.hook_resid_pre"), &block.resid_pre));
        if block.mlp.is_some() {
            places.push((format!("blocks.{layer}.hook_resid_mid"), &block.resid_mid));
        }
    }
    places.push((format!("blocks.{}.hook_resid_post", from.blocks.len() - 1), &from.resid_post));
    places
}

/// Reads every place in the stream.
pub fn lens(weights: &Weights, from: &Activations) -> Vec<LensRow> {
    let (d_model, outputs) = (weights.config().d_model, weights.config().outputs());
    let row = |(name, stream): (String, &[f32])| {
        let logits = stream.chunks(ROWS * d_model).map(|rows| unembed(weights, rows));
        let predictions =
            logits.flat_map(|rows| rows.chunks_exact(outputs).map(prediction).collect::<Vec<_>>());
        LensRow { name, predictions: predictions.collect(), normalized: normalized(weights, stream) }
    };
    places(from).into_iter().map(row).collect()
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
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(Arc::clone(&self.weights))
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let (d_model, outputs) = (self.weights.config().d_model, self.weights.config().outputs());
        self.targets += example.scored();
        let (weights, places) = (Arc::clone(&self.weights), places(from));
        let sums = self.at(places.iter().map(|(name, _)| name));
        for (sum, (_, stream)) in sums.iter_mut().zip(places) {
            let (rows, targets) = (stream.chunks(ROWS * d_model), example.targets().chunks(ROWS));
            for (rows, targets) in
                rows.zip(targets).filter(|(_, targets)| targets.iter().any(Option::is_some))
            {
                let logits = unembed(&weights, rows);
                sum.loss += cross_entropy(&logits, targets, outputs);
                let right = logits.chunks_exact(outputs).zip(targets);
                let right = right.filter(|(row, target)| target.is_some() && prediction(row) == **target);
                sum.accuracy += right.count() as f64;
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
