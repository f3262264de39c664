//! Contributions of single neurons to the logits.

use super::logits::argmax;
use super::readout::Readout;
use super::target::ResolvedTarget;
use crate::model::{Activations, ModelConfig, Weights};
use crate::task::Class;

/// Contribution of each neuron to each logit at an activation of 1, before the final norm's scale.
#[derive(Clone, Debug)]
pub struct NeuronDirections {
    /// By layer, `[d_mlp, d_vocab_out]`, centred over the vocabulary; empty in an attention-only model.
    pub layers: Vec<Vec<f32>>,
    outputs: usize,
    scaled: bool,
}

impl NeuronDirections {
    /// Number of values, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig) -> u128 {
        [c.n_layers, c.d_mlp, c.outputs()].map(|n| n as u128).iter().product()
    }

    /// Maps every row of every `W_out` through the final norm's weight and `W_U`.
    pub fn new(weights: &Weights) -> Self {
        let readout = Readout::new(weights);
        let mlps = weights.layout.blocks.iter().filter_map(|block| block.mlp.as_ref());
        let layers = mlps.map(|mlp| readout.read(weights.part(&mlp.w_out), None)).collect();
        let scaled = weights.config().has_norms();
        Self { layers, outputs: weights.config().outputs(), scaled }
    }

    /// The direction of one neuron, `[d_vocab_out]`.
    pub fn of(&self, layer: usize, neuron: usize) -> &[f32] {
        &self.layers[layer][neuron * self.outputs..(neuron + 1) * self.outputs]
    }

    /// The class whose logit a neuron raises most when it is active.
    pub fn favours(&self, layer: usize, neuron: usize) -> Class {
        argmax(self.of(layer, neuron))
    }

    /// Contribution of a neuron to a target at a position: its activation times its direction over the final norm's
    /// scale. The contributions of a layer's neurons and its `b_out` sum to the layer's MLP contribution.
    pub fn contribution(
        &self,
        from: &Activations,
        layer: usize,
        neuron: usize,
        position: usize,
        target: ResolvedTarget,
    ) -> f32 {
        let scale = self.scale(from, position);
        from.neuron(layer, neuron, position) * target.value(self.of(layer, neuron)) / scale
    }

    /// Divisor of a direction at a position: the final norm's scale, or 1 without norms.
    pub fn scale(&self, from: &Activations, position: usize) -> f32 {
        if self.scaled { from.ln_final.scale[position] } else { 1.0 }
    }
}
