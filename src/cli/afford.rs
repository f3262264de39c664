//! Estimates the memory of each command from its settings, and refuses too large requests before allocation.

use super::Failure;
use crate::analysis::circuits::HeadMaps;
use crate::analysis::evaluation::Totals;
use crate::analysis::hypotheses::TrackerSums;
use crate::analysis::{Pass, Readout};
use crate::app::snapshot_bytes;
use crate::model::ModelConfig;
use crate::train::{DeviceChoice, RunConfig};

/// Bytes of a value.
const VALUE: u128 = size_of::<f32>() as u128;

/// Copies of a table: as numbers, as tensors and as a file.
const WRITTEN: u128 = 3;

fn threads() -> usize {
    rayon::current_num_threads()
}

fn refuse(what: &'static str, config: &RunConfig, bytes: impl Fn(&RunConfig) -> u128) -> Result<(), Failure> {
    config.afford(what, bytes).map_err(|error| Failure::Failed(error.to_string()))
}

/// Like [`refuse`], if only the model determines the size; `values` are f32.
fn refuse_model(
    what: &'static str,
    model: &ModelConfig,
    values: impl Fn(&ModelConfig) -> u128,
) -> Result<(), Failure> {
    let config = RunConfig { model: model.clone(), ..RunConfig::default() };
    refuse(what, &config, |config| VALUE * values(&config.model))
}

/// Bytes of the passes that run in parallel over a set.
fn passes(model: &ModelConfig) -> u128 {
    VALUE * threads() as u128 * model.approximate_activations(model.n_ctx)
}

/// `headcount train`.
pub(super) fn train(config: &RunConfig, device: DeviceChoice) -> Result<(), Failure> {
    refuse("train", config, |config| training(config, device) + config.data_bytes())
}

fn training(config: &RunConfig, device: DeviceChoice) -> u128 {
    let is_elsewhere = matches!(device, DeviceChoice::Cuda(_));
    config.training_bytes(if is_elsewhere { 0 } else { threads() })
}

/// `headcount explore`, including training on a device, if any.
pub(super) fn explore(config: &RunConfig, trains: Option<DeviceChoice>) -> Result<(), Failure> {
    refuse("explore", config, |config| {
        let trained = trains.map_or(0, |device| training(config, device));
        trained + config.data_bytes() + looking(&config.model)
    })
}

/// Bytes that the screen may need at once: four kept passes and the next one, folded weights, the readouts of both
/// forms, and a head's maps.
fn looking(model: &ModelConfig) -> u128 {
    let values = 5 * Pass::approximate_values(model, model.n_ctx)
        + model.approximate_parameters()
        + 2 * Readout::approximate_values(model)
        + HeadMaps::approximate_values(model);
    VALUE * values + passes(model) + snapshot_bytes(model)
}

/// The data of a run.
pub(super) fn data(config: &RunConfig) -> Result<(), Failure> {
    refuse("drawing the sequences", config, RunConfig::data_bytes)
}

/// `headcount eval` or `ablate` over a set: passes of sequences and of those that replace them, and sums of activations
/// at each of `rows` positions; beside the bytes that depend on the request.
pub(super) fn over_set(
    what: &'static str,
    model: &ModelConfig,
    (rows, more): (usize, u128),
) -> Result<(), Failure> {
    let config = RunConfig { model: model.clone(), ..RunConfig::default() };
    refuse(what, &config, |config| {
        let sums = (threads() + 1) as u128 * Totals::approximate_bytes(&config.model, rows);
        2 * passes(&config.model) + sums + more
    })
}

/// Bytes of what `headcount ablate` keeps of so many positions, and of the folded weights.
pub(super) fn ablated(model: &ModelConfig, positions: usize, folded: bool) -> u128 {
    // Labels, predictions without and with edits, and their text.
    const A_POSITION: u128 = 32;
    let fold = if folded { VALUE * model.approximate_parameters() } else { 0 };
    A_POSITION * positions as u128 + fold
}

/// `headcount ablate` on `len` tokens, folded or not.
pub(super) fn ablate(model: &ModelConfig, len: usize, folded: bool) -> Result<(), Failure> {
    refuse_model("ablate", model, |model| {
        let fold = if folded { model.approximate_parameters() } else { 0 };
        2 * Pass::approximate_values(model, len.min(model.n_ctx)) + fold
    })
}

/// `headcount patch` on pairs of `len` tokens: two passes, and two buffers of every thread.
pub(super) fn patch(model: &ModelConfig, len: usize) -> Result<(), Failure> {
    refuse_model("patch", model, |model| {
        2 * (1 + threads() as u128) * model.approximate_activations(len.min(model.n_ctx))
    })
}

/// `headcount inspect cache` of `len` tokens: the hooks hold slightly more values than the activations.
pub(super) fn cache(model: &ModelConfig, len: usize) -> Result<(), Failure> {
    refuse_model("inspect cache", model, |model| {
        2 * WRITTEN * model.approximate_activations(len.min(model.n_ctx))
    })
}

/// `headcount inspect attribution` of `len` tokens.
pub(super) fn attribution(model: &ModelConfig, len: usize) -> Result<(), Failure> {
    refuse_model("inspect attribution", model, |model| {
        let (len, components) = (len.min(model.n_ctx), (model.n_heads + 2) * model.n_layers + 3);
        let parts = components as u128 * len as u128 * model.outputs() as u128;
        Pass::approximate_values(model, len) + WRITTEN * parts
    })
}

/// `headcount inspect circuits`.
pub(super) fn circuits(model: &ModelConfig) -> Result<(), Failure> {
    refuse_model("inspect circuits", model, |model| {
        let a_head = model.d_vocab as u128 * (model.d_vocab + model.outputs() + model.d_mlp) as u128;
        WRITTEN * a_head * (model.n_layers * model.n_heads) as u128
    })
}

/// `headcount inspect fold`.
pub(super) fn fold(model: &ModelConfig) -> Result<(), Failure> {
    refuse_model("inspect fold", model, |model| WRITTEN * model.approximate_parameters())
}

/// `headcount inspect trackers`, with this many features per class.
pub(super) fn trackers(config: &RunConfig, features: usize) -> Result<(), Failure> {
    refuse("inspect trackers", config, |config| {
        let model = &config.model;
        let readout = VALUE * Readout::approximate_values(model);
        let tables = TrackerSums::approximate_bytes(model, features, threads());
        config.data_bytes() + passes(model) + readout + tables
    })
}
