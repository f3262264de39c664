//! The logit lens: what the model would answer if it stopped after each sublayer (nostalgebraist 2020).

use serde::Serialize;

use super::logits::{log_sum_exp, prediction};
use crate::model::{Activations, Patch, Weights, centre, forward, unembed};
use crate::task::Example;

/// A place in the residual stream, by TransformerLens' name, and the logits read there.
#[derive(Clone, Debug)]
pub struct LensRow {
    /// `blocks.0.hook_resid_mid`, say.
    pub name: String,
    /// `[pos, d_vocab_out]`, through the final norm with this place's own scale, less their mean over the vocabulary: so they
    /// are what the writers so far add up to, and folding changes none of them.
    pub logits: Vec<f32>,
}

/// Reads the stream before each block, after its attention, and after it.
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

/// How well a place in the stream already answers, over a set of sequences.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LensFigures {
    /// The place.
    pub name: String,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
}

/// The lens over a set of sequences.
pub fn lens_over(weights: &Weights, examples: &[Example<'_>]) -> Vec<LensFigures> {
    let outputs = weights.config().outputs();
    let mut activations = Activations::new(weights.config(), 0);
    let mut figures: Vec<LensFigures> = Vec::new();
    for example in examples {
        forward(weights, example.tokens(), &Patch::default(), &mut activations);
        let rows = lens(weights, &activations);
        if figures.is_empty() {
            figures.extend(rows.iter().map(|row| LensFigures {
                name: row.name.clone(),
                loss: 0.0,
                accuracy: 0.0,
            }));
        }
        for (figures, row) in figures.iter_mut().zip(&rows) {
            for (logits, target) in row.logits.chunks_exact(outputs).zip(example.targets()) {
                let Some(target) = *target else { continue };
                figures.loss += f64::from(log_sum_exp(logits) - logits[usize::from(target)]);
                figures.accuracy += f64::from(u8::from(prediction(logits) == Some(target)));
            }
        }
    }
    let targets = examples.iter().map(Example::scored).sum::<usize>() as f64;
    figures
        .iter_mut()
        .for_each(|row| (row.loss, row.accuracy) = (row.loss / targets, row.accuracy / targets));
    figures
}
