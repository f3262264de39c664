//! Any bytes as the checkpoint of a small run: a state whose values are finite, or an error.
#![no_main]

use headcount::model::ModelConfig;
use headcount::train::{RunConfig, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let model = ModelConfig { d_model: 4, d_head: 2, d_mlp: 3, n_ctx: 2, d_vocab: 2, ..ModelConfig::default() };
    let config = RunConfig { model, ..RunConfig::default() };
    if let Ok((state, _)) = decode(bytes, &config) {
        assert!(state.step <= config.total_steps());
        assert!(state.weights.first_non_finite().is_none());
    }
});
