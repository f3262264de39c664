//! Contributions of single neurons to the logits.

use super::logits::argmax;
use super::readout::Readout;
use super::target::ResolvedTarget;
use crate::model::{Activations, ModelConfig, NeuronId, Weights};
use crate::task::Class;

/// Where a neuron's value is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NeuronHook {
    /// After the activation function: `mlp.hook_post`.
    #[default]
    Post,
    /// Before the activation function: `mlp.hook_pre`.
    Pre,
}

impl NeuronHook {
    /// The other one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Post => Self::Pre,
            Self::Pre => Self::Post,
        }
    }

    /// TransformerLens' name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "hook_post",
            Self::Pre => "hook_pre",
        }
    }

    /// The value of a neuron at a position; 0 in a model without neurons.
    pub fn of(self, from: &Activations, id: NeuronId, position: usize) -> f32 {
        match self {
            Self::Post => from.neuron(id.layer, id.neuron, position),
            Self::Pre => from.blocks[id.layer].mlp.as_ref().map_or(0.0, |mlp| {
                let d_mlp = mlp.pre.len() / from.len.max(1);
                mlp.pre[position * d_mlp + id.neuron]
            }),
        }
    }
}

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

    /// Contribution of a neuron to a target at a position: its activation times its direction, divided by the final norm's
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
