//! The activations of a sequence under TransformerLens' hook names.

use super::activations::{Activations, BlockActivations, MlpActivations};
use super::config::{ModelConfig, Normalization};
use super::forward::scores;
use super::kernels::Normed;
use super::matmul::{Mat, MatMut, Write, matmul};
use super::weights::Weights;
use crate::task::Token;

/// A tensor to be saved, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// TransformerLens' name.
    pub name: String,
    /// TransformerLens' shape.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Every hook of `run_with_cache`, without the batch dimension, from the forward pass of `tokens`.
pub fn cache(weights: &Weights, tokens: &[Token], from: &Activations) -> Vec<NamedTensor> {
    let c = weights.config();
    let mut hooks = Hooks { config: c, len: from.len, tensors: Vec::new() };
    let w_e = weights.part(&weights.layout.w_e);
    let embed =
        tokens.iter().flat_map(|&t| &w_e[usize::from(t) * c.d_model..][..c.d_model]).copied().collect();
    hooks.stream("hook_embed", embed);
    hooks.stream("hook_pos_embed", weights.part(&weights.layout.w_pos)[..from.len * c.d_model].to_vec());
    for (layer, block) in from.blocks.iter().enumerate() {
        hooks.block(weights, layer, block);
        let post = from.resid(layer + 1);
        if let (Some(mlp), Some(out)) = (&block.mlp, mlp_out(weights, from, layer)) {
            hooks.mlp(&format!("blocks.{layer}"), mlp);
            hooks.stream(&format!("blocks.{layer}.hook_mlp_out"), out);
        }
        hooks.stream(&format!("blocks.{layer}.hook_resid_post"), post.to_vec());
    }
    hooks.norm("ln_final", &from.ln_final, c.d_model);
    hooks.stream("unembed.hook_in", from.unembed_in.clone());
    hooks.push("unembed.hook_out", &[from.len, c.outputs()], from.logits.clone());
    hooks.tensors
}

/// `post W_out + b_out`, `[pos, d_model]`: `hook_mlp_out`; `None` in an attention-only model.
pub fn mlp_out(weights: &Weights, from: &Activations, layer: usize) -> Option<Vec<f32>> {
    let (mlp, at) = (from.blocks[layer].mlp.as_ref()?, weights.layout.blocks[layer].mlp.as_ref()?);
    let post = (&mlp.post[..], weights.config().d_mlp);
    Some(sublayer_out(post, weights.part(&at.w_out), weights.part(&at.b_out), from.len))
}

fn sublayer_out((x, width): (&[f32], usize), matrix: &[f32], bias: &[f32], len: usize) -> Vec<f32> {
    let mut out = bias.repeat(len);
    let matrix = Mat::new(matrix, width, bias.len());
    matmul(MatMut::new(&mut out, len, bias.len()), Write::Add, 1.0, Mat::new(x, len, width), matrix);
    out
}

struct Hooks<'a> {
    config: &'a ModelConfig,
    len: usize,
    tensors: Vec<NamedTensor>,
}

impl Hooks<'_> {
    fn push(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        self.tensors.push(NamedTensor { name: name.into(), shape: shape.into(), values });
    }

    fn stream(&mut self, name: &str, values: Vec<f32>) {
        self.push(name, &[self.len, self.config.d_model], values);
    }

    fn norm(&mut self, name: &str, from: &Normed, width: usize) {
        if self.config.normalization_type != Normalization::None {
            self.push(&format!("{name}.hook_scale"), &[self.len, 1], from.scale.clone());
            self.push(&format!("{name}.hook_normalized"), &[self.len, width], from.normalized.clone());
        }
    }

    fn block(&mut self, weights: &Weights, layer: usize, block: &BlockActivations) {
        let (c, len) = (self.config, self.len);
        let name = |part: &str| format!("blocks.{layer}.{part}");
        self.stream(&name("hook_resid_pre"), block.resid_pre.clone());
        self.norm(&name("ln1"), &block.ln1, c.d_model);
        for (part, letter) in ["q", "k", "v"].into_iter().enumerate() {
            let columns = part * c.d_heads()..(part + 1) * c.d_heads();
            let rows = block.attn.qkv.chunks_exact(3 * c.d_heads());
            let values = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
            self.push(&name(&format!("attn.hook_{letter}")), &[len, c.n_heads, c.d_head], values);
        }
        let mut all = vec![0.0; c.n_heads * len * len];
        for (head, out) in all.chunks_exact_mut(len * len).enumerate() {
            scores(c, head, &block.attn.qkv, len, out);
            let rows = out.chunks_exact_mut(len).enumerate();
            rows.for_each(|(query, row)| row[query + 1..].fill(f32::NEG_INFINITY));
        }
        self.push(&name("attn.hook_attn_scores"), &[c.n_heads, len, len], all);
        self.push(&name("attn.hook_pattern"), &[c.n_heads, len, len], block.attn.pattern.clone());
        self.push(&name("attn.hook_z"), &[len, c.n_heads, c.d_head], block.attn.z.clone());
        let at = &weights.layout.blocks[layer];
        let out =
            sublayer_out((&block.attn.z, c.d_heads()), weights.part(&at.w_o), weights.part(&at.b_o), len);
        self.stream(&name("hook_attn_out"), out);
        if c.has_mlp() {
            self.stream(&name("hook_resid_mid"), block.resid_mid.clone());
        }
    }

    fn mlp(&mut self, block: &str, mlp: &MlpActivations) {
        let (c, shape) = (self.config, [self.len, self.config.d_mlp]);
        self.norm(&format!("{block}.ln2"), &mlp.ln2, c.d_model);
        self.push(&format!("{block}.mlp.hook_pre"), &shape, mlp.pre.clone());
        if c.has_mlp_norm() {
            self.push(&format!("{block}.mlp.hook_mid"), &shape, mlp.mid.clone());
            self.push(&format!("{block}.mlp.ln.hook_scale"), &[self.len, 1], mlp.ln.scale.clone());
            self.push(&format!("{block}.mlp.ln.hook_normalized"), &shape, mlp.ln.normalized.clone());
        }
        self.push(&format!("{block}.mlp.hook_post"), &shape, mlp.post.clone());
    }
}
