//! Everything the forward pass computes for one sequence, or for a tile of them.
//!
//! Training reuses one such buffer per thread all the time; probing keeps one as the cache.

use std::ops::Range;

use super::clone_into::{Rows, clone_into_buffers, fit};
use super::config::ModelConfig;
use super::parts::attention::AttentionActivations;
use super::parts::mlp::MlpActivations;
use super::parts::norm::Normed;
use super::patch::Patch;
use super::tile::{Layer, Tile};
use super::visible::VisibleKeys;

/// One block.
#[derive(Debug, Default)]
pub struct BlockActivations {
    /// `[pos, d_model]`.
    pub resid_pre: Vec<f32>,
    /// Norm of the input, of width `d_model`.
    pub ln1: Normed,
    /// Attention.
    pub attn: AttentionActivations,
    /// `[pos, d_model]`.
    pub resid_mid: Vec<f32>,
    /// The MLP, unless the model is attention-only.
    pub mlp: Option<MlpActivations>,
}

clone_into_buffers!(BlockActivations: resid_pre, ln1, attn, resid_mid, mlp);

/// The activations of one sequence. Those of a tile have the rows of all its sequences, and in the last layer maybe only
/// some.
#[derive(Debug, Default)]
pub struct Activations {
    /// Positions.
    pub len: usize,
    /// The keys that each query sees, of one sequence.
    pub keys: VisibleKeys,
    /// The tokens of one sequence.
    pub(super) tokens: Vec<usize>,
    /// By layer.
    pub blocks: Vec<BlockActivations>,
    /// The last residual stream, `[pos, d_model]`.
    pub resid_post: Vec<f32>,
    /// Final norm, of width `d_model`.
    pub ln_final: Normed,
    /// What `W_U` reads, `[pos, d_model]`: `unembed.hook_in`.
    pub unembed_in: Vec<f32>,
    /// `[pos, d_vocab_out]`.
    pub logits: Vec<f32>,
}

impl Clone for Activations {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        self.len = from.len;
        self.keys.clone_from(&from.keys);
        self.tokens.clone_from(&from.tokens);
        self.blocks.clone_from(&from.blocks);
        self.copy_last(from, &(0..from.len));
    }
}

impl BlockActivations {
    fn fit(&mut self, c: &ModelConfig, layer: Layer<'_>) {
        fit(&mut self.resid_pre, layer.rows() * c.d_model);
        self.ln1.fit(layer.rows(), c.d_model);
        self.attn.fit(c, layer);
        fit(&mut self.resid_mid, layer.queries() * c.d_model);
        if c.has_mlp() {
            self.mlp.get_or_insert_default().fit(c, layer.queries());
        } else {
            self.mlp = None;
        }
    }
}

impl Activations {
    /// A buffer for a sequence of `len` positions.
    pub fn new(c: &ModelConfig, len: usize) -> Self {
        let patch = Patch::default();
        let keys = VisibleKeys::new(c.attention_dir, None, &vec![0; len]);
        let mut activations = Self::default();
        activations.fit(c, &Tile::again((&keys, &[]), &patch));
        activations
    }

    /// Sizes the buffers for a tile.
    pub(super) fn fit(&mut self, c: &ModelConfig, tile: &Tile<'_>) {
        self.len = tile.rows();
        self.blocks.resize_with(c.n_layers, BlockActivations::default);
        for (index, block) in self.blocks.iter_mut().enumerate() {
            block.fit(c, tile.layer(index, c.n_layers));
        }
        let rows = tile.layer(c.n_layers - 1, c.n_layers).queries();
        fit(&mut self.resid_post, rows * c.d_model);
        let rows = if tile.has_logits { rows } else { 0 };
        self.ln_final.fit(rows, c.d_model);
        fit(&mut self.unembed_in, rows * c.d_model);
        fit(&mut self.logits, rows * c.outputs());
    }

    /// Copies the activations of one sequence of a tile, all of whose rows are computed.
    pub(super) fn copy_sequence(&mut self, c: &ModelConfig, from: &Self, tile: &Tile<'_>, index: usize) {
        let rows = tile.rows_of(index);
        self.len = rows.len();
        self.take_sequence(tile, index);
        self.blocks.resize_with(from.blocks.len(), BlockActivations::default);
        let first = tile.cells_before(index) * c.n_heads;
        for (to, block) in self.blocks.iter_mut().zip(&from.blocks) {
            to.copy_rows(block, &rows, from.len);
            let pattern = &block.attn.pattern[first..first + rows.len() * rows.len() * c.n_heads];
            to.attn.pattern.clear();
            to.attn.pattern.extend_from_slice(pattern);
        }
        self.copy_last(from, &rows);
    }

    /// Takes keys and tokens of one sequence of a tile.
    pub(super) fn take_sequence(&mut self, tile: &Tile<'_>, index: usize) {
        self.keys.clone_from(&tile.sequences[index].keys);
        self.tokens.clear();
        self.tokens.extend_from_slice(&tile.tokens()[tile.rows_of(index)]);
    }

    /// Copies what follows the blocks.
    fn copy_last(&mut self, from: &Self, rows: &Range<usize>) {
        self.resid_post.copy_rows(&from.resid_post, rows, from.len);
        self.ln_final.copy_rows(&from.ln_final, rows, from.len);
        self.unembed_in.copy_rows(&from.unembed_in, rows, from.len);
        self.logits.copy_rows(&from.logits, rows, from.len);
    }

    /// Whether the buffer fits a sequence of exactly `len` positions in a model of this shape.
    pub fn fits(&self, c: &ModelConfig, len: usize) -> bool {
        let mlp = |block: &BlockActivations| {
            let Some(mlp) = &block.mlp else { return !c.has_mlp() };
            let inner = [mlp.inner.mid.len(), mlp.inner.ln.normalized.len()];
            mlp.post.len() == len * c.d_mlp
                && inner == c.act_fn.inner_widths(c.d_mlp).map(|width| len * width)
        };
        let heads = |block: &BlockActivations| block.attn.pattern.len() == c.n_heads * len * len;
        let block =
            |block: &BlockActivations| heads(block) && block.attn.z.len() == len * c.d_heads() && mlp(block);
        self.len == len
            && self.blocks.len() == c.n_layers
            && self.resid_post.len() == len * c.d_model
            && self.logits.len() == len * c.outputs()
            && self.blocks.iter().all(block)
    }

    /// A neuron's activation (`mlp.hook_post`) at a position; 0 in a model without neurons.
    pub fn neuron(&self, layer: usize, neuron: usize, position: usize) -> f32 {
        let Some(mlp) = &self.blocks[layer].mlp else { return 0.0 };
        mlp.post[position * (mlp.post.len() / self.len) + neuron]
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        let norm = |norm: &Normed| norm.scale.len() + norm.normalized.len();
        let block = |block: &BlockActivations| {
            let attn = &block.attn;
            let mlp = block.mlp.as_ref().map_or(0, |mlp| {
                let parts = [&mlp.input, &mlp.pre, &mlp.inner.softmaxed, &mlp.inner.mid, &mlp.post];
                parts.map(Vec::len).iter().sum::<usize>() + norm(&mlp.ln2) + norm(&mlp.inner.ln)
            });
            let parts = [
                [&block.resid_pre, &block.resid_mid, &attn.input, &attn.positioned].map(Vec::len),
                [&attn.of_queries, &attn.qkv, &attn.pattern, &attn.z].map(Vec::len),
            ];
            parts.as_flattened().iter().sum::<usize>() + norm(&block.ln1) + mlp
        };
        let last = [&self.resid_post, &self.unembed_in, &self.logits].map(Vec::len).iter().sum::<usize>();
        self.blocks.iter().map(block).sum::<usize>() + last + norm(&self.ln_final)
    }

    /// The residual stream before a layer; `n_layers` gives the last one.
    pub fn resid(&self, layer: usize) -> &[f32] {
        self.blocks.get(layer).map_or(&self.resid_post, |block| &block.resid_pre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Normalization};

    #[test]
    fn the_estimate_is_the_exact_number_of_values_or_slightly_above() {
        let base = ModelConfig { n_layers: 3, d_vocab_out: Some(7), n_ctx: 40, ..ModelConfig::default() };
        for config in [
            base.clone(),
            ModelConfig { act_fn: Activation::Gelu, normalization_type: Normalization::None, ..base.clone() },
            ModelConfig { d_mlp: 0, n_heads: 5, ..base },
        ] {
            let held = Activations::new(&config, 40).values() as f64;
            let estimate = config.approximate_activations(40) as f64;
            assert!(estimate >= 0.99 * held && estimate < 1.7 * held, "{config:?}: {estimate}, not {held}");
        }
    }
}
