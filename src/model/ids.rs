//! Identifiers of heads and neurons.

use serde::{Deserialize, Serialize};

/// A head, by layer and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HeadId {
    /// Block.
    pub layer: usize,
    /// Head in the block.
    pub head: usize,
}

/// A neuron, by layer and index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NeuronId {
    /// Block.
    pub layer: usize,
    /// Neuron in the block.
    pub neuron: usize,
}
