//! Modular addition by hand: circles of two frequencies in `W_E` and `W_U`, uniform attention that copies, and neurons that
//! are each a rectified wave of one frequency.

use std::f32::consts::TAU;

use headcount::model::{Activation, ModelConfig, Normalization, Weights};
use headcount::task::{Source, TaskConfig};

/// The frequencies of the circles.
pub const FREQUENCIES: [usize; 2] = [2, 5];

/// Frequency of each neuron in turn; one in seven never fires.
const NEURONS: usize = 14;

/// Modular addition as a task.
pub fn task(p: usize) -> TaskConfig {
    TaskConfig {
        name: "modular-addition".into(),
        settings: [("p".to_owned(), p)].into(),
        source: Source::Exhaustive,
        sequences: p * p,
        train_fraction: 0.3,
        ..TaskConfig::default()
    }
}

/// The shape for `p` numbers.
pub fn config(p: usize) -> ModelConfig {
    ModelConfig {
        n_heads: 1,
        d_model: 8,
        d_head: 8,
        d_mlp: NEURONS,
        n_ctx: 3,
        d_vocab: p + 1,
        d_vocab_out: Some(p),
        act_fn: Activation::Relu,
        normalization_type: Normalization::None,
        ..ModelConfig::default()
    }
}

/// Cosine and sine of each frequency at a number, no two as large, so that the principal components are certain.
fn circles(p: usize, number: usize) -> [f32; 4] {
    let angle = |k: usize| TAU * (k * number % p) as f32 / p as f32;
    let [a, b] = FREQUENCIES.map(angle);
    [3.0 * a.cos(), 2.8 * a.sin(), 2.6 * b.cos(), 2.4 * b.sin()]
}

/// The weights.
pub fn weights(p: usize) -> Weights {
    let config = config(p);
    let mut weights = Weights::zeros(&config);
    let padded = |number: usize| circles(p, number).into_iter().chain([0.0; 4]);
    let w_e: Vec<f32> = (0..p).flat_map(padded).chain([0.0; 8]).collect();
    let w_u: Vec<f32> =
        (0..8).flat_map(|row| (0..p).map(move |class| padded(class).nth(row).unwrap())).collect();
    let identity: Vec<f32> = (0..64).map(|at| f32::from(u8::from(at / 8 == at % 8))).collect();
    // Each neuron looks along one direction in the plane of its frequency.
    let along = |neuron: usize, row: usize| {
        let (plane, angle) = (2 * (neuron % 2), TAU * neuron as f32 / NEURONS as f32);
        match row.checked_sub(plane) {
            Some(0) => angle.cos(),
            Some(1) => angle.sin(),
            _ => 0.0,
        }
    };
    let w_in: Vec<f32> = (0..8).flat_map(|row| (0..NEURONS).map(move |neuron| along(neuron, row))).collect();
    let w_out: Vec<f32> = (0..NEURONS)
        .flat_map(|neuron| (0..8).map(move |column| 0.5 * along(2 * neuron + neuron % 2, column)))
        .collect();
    let b_in: Vec<f32> = (0..NEURONS).map(|neuron| if neuron % 7 == 6 { -9.0 } else { 0.2 }).collect();
    for (name, values) in [
        ("embed.W_E", &w_e),
        ("unembed.W_U", &w_u),
        ("blocks.0.attn.W_V", &identity),
        ("blocks.0.attn.W_O", &identity),
        ("blocks.0.mlp.W_in", &w_in),
        ("blocks.0.mlp.W_out", &w_out),
        ("blocks.0.mlp.b_in", &b_in),
    ] {
        weights.set(name, values);
    }
    weights
}
