//! Heads and neurons that are switched off.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;

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

/// What an ablated value becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AblationKind {
    /// 0.
    #[default]
    Zero,
    /// Its mean over a stated set of sequences and all positions.
    Mean,
}

/// What is switched off: heads at `attn.hook_z`, neurons at `mlp.hook_post`, at every position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interventions {
    /// Ablated heads.
    pub heads: BTreeSet<HeadId>,
    /// Ablated neurons.
    pub neurons: BTreeSet<NeuronId>,
    /// What they become.
    pub kind: AblationKind,
}

impl Interventions {
    /// Whether nothing is switched off.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.neurons.is_empty()
    }

    /// Heads and neurons switched off.
    pub fn len(&self) -> usize {
        self.heads.len() + self.neurons.len()
    }

    /// Switches a head off, or on again.
    pub fn toggle_head(&mut self, id: HeadId) {
        if !self.heads.remove(&id) {
            self.heads.insert(id);
        }
    }

    /// Switches a neuron off, or on again.
    pub fn toggle_neuron(&mut self, id: NeuronId) {
        if !self.neurons.remove(&id) {
            self.neurons.insert(id);
        }
    }

    /// Switches everything on again.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.neurons.clear();
    }

    /// Values replaced in a sequence of `len` positions.
    pub fn cells(&self, config: &ModelConfig, len: usize) -> usize {
        (self.heads.len() * config.d_head + self.neurons.len()) * len
    }

    /// The replacement values. Without `means`, an ablation to the mean is one to zero.
    pub fn patch(&self, config: &ModelConfig, means: Option<&Means>) -> Patch {
        let means = means.filter(|_| self.kind == AblationKind::Mean);
        let mut patch = Patch { blocks: vec![BlockPatch::default(); config.n_layers] };
        for &HeadId { layer, head } in &self.heads {
            let columns = head * config.d_head..(head + 1) * config.d_head;
            let value = means.map_or(vec![0.0; config.d_head], |means| means.z[layer][columns].to_vec());
            patch.blocks[layer].heads.push((head, value));
        }
        for &NeuronId { layer, neuron } in &self.neurons {
            patch.blocks[layer].neurons.push((neuron, means.map_or(0.0, |means| means.post[layer][neuron])));
        }
        patch
    }
}

/// Mean activations over sequences and positions, by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// Of `attn.hook_z`, `[n_heads, d_head]`.
    pub z: Vec<Vec<f32>>,
    /// Of `mlp.hook_post`, `[d_mlp]`.
    pub post: Vec<Vec<f32>>,
    /// Sequences that were averaged.
    pub sequences: usize,
}

/// Values put in place of computed ones, by layer.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// One a layer; an empty list patches nothing.
    pub blocks: Vec<BlockPatch>,
}

/// Replacements in a block, the same at every position.
#[derive(Clone, Debug, Default)]
pub struct BlockPatch {
    /// Head and its `z`, `[d_head]`.
    pub heads: Vec<(usize, Vec<f32>)>,
    /// Neuron and its activation.
    pub neurons: Vec<(usize, f32)>,
}

impl BlockPatch {
    pub(super) fn apply_to_z(&self, z: &mut [f32], d_heads: usize) {
        for (head, value) in &self.heads {
            let first = head * value.len();
            z.chunks_exact_mut(d_heads)
                .for_each(|row| row[first..first + value.len()].copy_from_slice(value));
        }
    }

    pub(super) fn apply_to_post(&self, post: &mut [f32], d_mlp: usize) {
        for &(neuron, value) in &self.neurons {
            post.chunks_exact_mut(d_mlp).for_each(|row| row[neuron] = value);
        }
    }
}
