//! Heads and neurons that are switched off.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::ids::{HeadId, NeuronId};

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

/// An attention pattern put in place of a head's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatternKind {
    /// Every key up to the query alike: averaging.
    Uniform,
    /// The query itself.
    Identity,
    /// The key before the query; the first query sees itself.
    Previous,
}

impl PatternKind {
    /// Fills the rows of one head's pattern, `[query, key]`; each sums to 1.
    pub(super) fn fill(self, pattern: &mut [f32], len: usize) {
        for (query, row) in pattern.chunks_exact_mut(len).enumerate() {
            row.fill(0.0);
            match self {
                Self::Uniform => row[..=query].fill(1.0 / (query + 1) as f32),
                Self::Identity => row[query] = 1.0,
                Self::Previous => row[query.saturating_sub(1)] = 1.0,
            }
        }
    }
}

/// What is switched off or replaced: heads at `attn.hook_z`, neurons at `mlp.hook_post`, patterns at
/// `attn.hook_pattern`, at every position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interventions {
    /// Ablated heads.
    pub heads: BTreeSet<HeadId>,
    /// Ablated neurons.
    pub neurons: BTreeSet<NeuronId>,
    /// What ablated heads and neurons become.
    pub kind: AblationKind,
    /// Heads that attend as told.
    pub patterns: BTreeMap<HeadId, PatternKind>,
}

impl Interventions {
    /// Whether nothing is switched off or replaced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heads and neurons switched off, and patterns replaced.
    pub fn len(&self) -> usize {
        self.heads.len() + self.neurons.len() + self.patterns.len()
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

    /// Leaves everything as the model has it.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.neurons.clear();
        self.patterns.clear();
    }

    /// Values replaced in a sequence of `len` positions; of a pattern those up to the query count.
    pub fn cells(&self, config: &ModelConfig, len: usize) -> usize {
        let seen = len * (len + 1) / 2;
        (self.heads.len() * config.d_head + self.neurons.len()) * len + self.patterns.len() * seen
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
        for (&HeadId { layer, head }, &kind) in &self.patterns {
            patch.blocks[layer].patterns.push((head, kind));
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
    /// Head and its pattern.
    pub patterns: Vec<(usize, PatternKind)>,
}

impl BlockPatch {
    pub(super) fn is_empty(&self) -> bool {
        self.neurons.is_empty() && !self.touches_attention()
    }

    pub(super) fn touches_attention(&self) -> bool {
        !(self.heads.is_empty() && self.patterns.is_empty())
    }

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
