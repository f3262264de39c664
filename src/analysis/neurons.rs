//! Where the values of neurons are read.

use crate::model::{Activations, NeuronId};

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
