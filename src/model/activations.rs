//! Everything the forward pass computes for one sequence.
//!
//! Training reuses one such buffer per thread all the time; probing keeps one as the cache.

use super::clone_into::clone_into_buffers;
use super::config::ModelConfig;
use super::parts::attention::AttentionActivations;
use super::parts::mlp::MlpActivations;
use super::parts::norm::Normed;
use super::visible::VisibleKeys;

/// One block.
#[derive(Debug)]
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

/// The activations of one sequence.
#[derive(Debug, Default)]
pub struct Activations {
    /// Positions.
    pub len: usize,
    /// The keys that each query sees.
    pub keys: VisibleKeys,
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

clone_into_buffers!(Activations: len, keys, blocks, resid_post, ln_final, unembed_in, logits);

impl Activations {
    /// A buffer for a sequence of `len` positions.
    pub fn new(c: &ModelConfig, len: usize) -> Self {
        let zeros = |width: usize| vec![0.0; len * width];
        let block = || BlockActivations {
            resid_pre: zeros(c.d_model),
            ln1: Normed::new(len, c.d_model),
            attn: AttentionActivations::new(c, len),
            resid_mid: zeros(c.d_model),
            mlp: c.has_mlp().then(|| MlpActivations::new(c, len)),
        };
        Self {
            len,
            keys: VisibleKeys::default(),
            blocks: (0..c.n_layers).map(|_| block()).collect(),
            resid_post: zeros(c.d_model),
            ln_final: Normed::new(len, c.d_model),
            unembed_in: zeros(c.d_model),
            logits: zeros(c.outputs()),
        }
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
            let parts = [&block.resid_pre, &block.resid_mid, &attn.input, &attn.qkv, &attn.pattern, &attn.z];
            parts.map(Vec::len).iter().sum::<usize>() + norm(&block.ln1) + mlp
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
