//! Gradients through edits: of the fused operation against dfdx's operations, and against differences of the loss.

use std::collections::BTreeSet;
use std::sync::Arc;

use dfdx::prelude::*;
use headcount::analysis::Pass;
use headcount::model::backend::composed_loss;
use headcount::model::{Backend, PatchOf, Transformer, Weights};
use headcount::task::{Dataset, Example, Split};

use super::edits::{lists, patch_of};
use super::reference::models::{odd_models, perturbed, random_batch};
use super::reference::relative_l2;

fn gradient(weights: &Weights, edits: &Arc<PatchOf>, data: &Arc<Dataset>, composed: bool) -> (f32, Vec<f32>) {
    let device = Cpu::default();
    let model =
        Transformer { edits: Some(Arc::clone(edits)), ..Transformer::new(Arc::clone(&weights.layout)) };
    let params = device.tensor_from_vec(weights.values.clone(), (weights.values.len(),));
    let traced = params.leaky_trace();
    let loss = if composed {
        composed_loss(&device, &model, traced, &data.examples(Split::Train)).unwrap()
    } else {
        let sequences = device.sequences(data, Split::Train, weights.config()).unwrap();
        let rows: Vec<usize> = (0..sequences.len()).collect();
        device.loss(&model, traced, &sequences, &rows).unwrap()
    };
    (loss.array(), loss.backward().get(&params).as_vec())
}

/// The mean loss over targets, of passes with the edits.
fn loss(weights: &Weights, edits: &Arc<PatchOf>, examples: &[Example<'_>]) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for example in examples {
        let pass = Pass::run(weights, *example, &edits(example.tokens()));
        let losses = pass.losses.iter().flatten();
        sum += losses.clone().map(|loss| f64::from(*loss)).sum::<f64>();
        count += losses.count();
    }
    sum / f64::from(count as u32)
}

#[test]
fn gradients_through_edits_are_those_of_both_ways_and_the_slope_of_the_loss() {
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 5)));
        let examples = data.examples(Split::Train);
        for edits in lists(&config) {
            for layer in BTreeSet::from([0, config.n_layers - 1]) {
                let of = patch_of(&weights, &edits, layer);
                let (fused, ours) = gradient(&weights, &of, &data, false);
                let (composed, theirs) = gradient(&weights, &of, &data, true);
                let place = format!("{config:?}\n{layer}: {edits:?}");
                let expected = loss(&weights, &of, &examples);
                assert!((f64::from(fused) - expected).abs() < 1e-4 * expected, "{place}: {fused} {expected}");
                assert!((fused - composed).abs() < 1e-4 * fused, "{place}: {fused} {composed}");
                let error = relative_l2(&ours, &theirs);
                assert!(error < 1e-3, "{place}: {error}");
                slope(&weights, &of, &ours, &examples, &place);
            }
        }
    }
}

/// Along the gradient, the loss rises by its squared length.
fn slope(weights: &Weights, of: &Arc<PatchOf>, gradient: &[f32], examples: &[Example<'_>], place: &str) {
    let square: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
    let by = 2e-3 / square.sqrt();
    let at = |sign: f64| {
        let mut moved = weights.clone();
        let values = moved.values.iter_mut().zip(gradient);
        values.for_each(|(value, g)| *value += (sign * by * f64::from(*g)) as f32);
        loss(&moved, of, examples)
    };
    let slope = (at(1.0) - at(-1.0)) / (2.0 * by);
    assert!((slope - square).abs() < 2e-2 * square + 1e-6, "{place}: {slope} {square}");
}
