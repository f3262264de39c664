//! Heads and neurons by place.

use serde::{Deserialize, Serialize};

/// A head by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeadId {
    /// Block.
    pub layer: usize,
    /// Head in the block.
    pub head: usize,
}

/// A neuron by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NeuronId {
    /// Block.
    pub layer: usize,
    /// Neuron in the block.
    pub neuron: usize,
}
