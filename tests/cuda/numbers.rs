//! Values and gradients against the CPU's, whose own are checked against PyTorch's.

use std::sync::Arc;

use dfdx::prelude::*;
use headcount::analysis::{Tally, evaluate};
use headcount::model::{Backend, ModelConfig, Patch, PatchOf, Transformer, Weights};
use headcount::task::{Dataset, Split};

use super::edits::{lists, patch_of};
use super::gpu;
use super::reference::models::{majority, odd_models, perturbed, random_batch};
use super::reference::{Tensors, relative_l2, weights};

/// `(loss, gradient)` over a split.
fn gradient<D: Backend>(device: &D, weights: &Weights, data: &Arc<Dataset>, split: Split) -> (f32, Vec<f32>) {
    edited_gradient(device, weights, (data, split), None)
}

/// The same under edits.
fn edited_gradient<D: Backend>(
    device: &D,
    weights: &Weights,
    (data, split): (&Arc<Dataset>, Split),
    edits: Option<Arc<PatchOf>>,
) -> (f32, Vec<f32>) {
    let model = Transformer { edits, ..Transformer::new(Arc::clone(&weights.layout)) };
    let params = device.try_tensor_from_vec(weights.values.clone(), (weights.values.len(),)).unwrap();
    let sequences = device.sequences(data, split, weights.config()).unwrap();
    let rows: Vec<usize> = (0..sequences.len()).rev().collect();
    let loss = device.loss(&model, params.leaky_trace(), &sequences, &rows).unwrap();
    let mut value = [0.0];
    loss.copy_into(&mut value);
    let gradients = loss.try_backward().unwrap();
    (value[0], gradients.get(&params).as_vec())
}

#[test]
fn losses_and_gradients_of_odd_shapes_equal_the_cpus() {
    let Some(gpu) = gpu() else { return };
    for config in odd_models() {
        let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 5)));
        let (loss, ours) = gradient(&gpu, &weights, &data, Split::Train);
        let (expected, theirs) = gradient(&Cpu::default(), &weights, &data, Split::Train);
        assert!((loss - expected).abs() < 1e-4 * expected, "{config:?}: {loss} {expected}");
        let error = relative_l2(&ours, &theirs);
        assert!(error < 1e-4, "{config:?}: {error}");
    }
}

#[test]
fn gradients_through_edits_equal_the_cpus() {
    let Some(gpu) = gpu() else { return };
    let is_deep = |config: &&ModelConfig| config.n_layers > 1 && config.has_mlp();
    let models = odd_models();
    let config = models.iter().find(is_deep).expect("a model of several layers");
    let (weights, data) = (perturbed(config), Arc::new(random_batch(config, 5)));
    for list in lists(config) {
        let edits = || Some(patch_of(&weights, &list, 0));
        let (loss, ours) = edited_gradient(&gpu, &weights, (&data, Split::Train), edits());
        let (expected, theirs) = edited_gradient(&Cpu::default(), &weights, (&data, Split::Train), edits());
        assert!((loss - expected).abs() < 1e-4 * expected, "{list:?}: {loss} {expected}");
        let error = relative_l2(&ours, &theirs);
        assert!(error < 1e-3, "{list:?}: {error}");
    }
}

#[test]
fn the_gradient_of_the_first_step_equals_pytorchs() {
    let Some(gpu) = gpu() else { return };
    let data = Arc::new(majority(&Tensors::read("train_batches").tokens("tokens")[..16 * 128]));
    let start = weights("train_init");
    let (loss, values) = gradient(&gpu, &start, &data, Split::Validation);
    assert!((loss - 2.593_497).abs() < 1e-4, "{loss}");
    let (ours, theirs) = (Weights { values, ..start }, Tensors::read("train_grad0"));
    for name in theirs.names().into_iter().filter(|name| !name.ends_with("b_K")) {
        let error = relative_l2(&ours.get(&name).unwrap(), &theirs.get(&name).1);
        assert!(error < 1e-4, "{name}: {error}");
    }
}

#[test]
fn what_the_device_says_of_the_validation_set_is_what_the_host_says() {
    let Some(gpu) = gpu() else { return };
    let config = ModelConfig { n_ctx: 24, n_layers: 2, ..ModelConfig::default() };
    let (weights, data) = (perturbed(&config), Arc::new(random_batch(&config, 12)));
    let model = Transformer::new(Arc::clone(&weights.layout));
    let params = gpu.try_tensor_from_vec(weights.values.clone(), (weights.values.len(),)).unwrap();
    let sequences = gpu.sequences(&data, Split::Train, &config).unwrap();
    let mut tally = Tally::new(&config);
    for rows in [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]] {
        let logits = gpu.logits(&model, &params, &sequences, &rows).unwrap();
        for (example, logits) in sequences.examples(&rows).iter().zip(logits.chunks(24 * config.d_vocab)) {
            tally.add(logits, *example);
        }
    }
    let (ours, host) =
        (tally.evaluation(), evaluate(&weights, &Patch::default(), &data.examples(Split::Train)));
    assert!((ours.loss - host.loss).abs() < 1e-5, "{} {}", ours.loss, host.loss);
    assert_eq!(ours.accuracy_by_position.len(), host.accuracy_by_position.len());
    assert!((ours.accuracy - host.accuracy).abs() < 0.005, "{} {}", ours.accuracy, host.accuracy);
}
