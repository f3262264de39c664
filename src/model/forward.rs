//! The forward pass of one sequence, stage by stage: embed, attention, MLP, unembed.
//!
//! Training, probing and ablation all run these stages. The formulas and the names are TransformerLens'.

use super::activations::{Activations, AttentionActivations, MlpActivations};
use super::config::{Activation, ModelConfig, Normalization};
use super::intervention::{BlockPatch, Patch};
use super::kernels::{self, Normed};
use super::layout::{BlockLayout, MlpLayout, NormLayout};
use super::matmul::{Mat, MatMut, Write, matmul};
use super::weights::Weights;
use crate::task::Token;

/// Queries a causal product handles together: it skips the keys after the last of them.
pub(super) const CAUSAL_BLOCK: usize = 32;

/// Runs `tokens` through the model into `to`, which is made anew where it was for another number of them.
///
/// Panics when there are more tokens than `n_ctx`, or one is not in the vocabulary: the edges check both.
pub fn forward(weights: &Weights, tokens: &[Token], patch: &Patch, to: &mut Activations) {
    if tokens.len() != to.len {
        *to = Activations::new(weights.config(), tokens.len());
    }
    embed(weights, tokens, to);
    blocks_from(0, weights, patch, to);
    unembed_last(weights, to);
}

/// Runs again only what `patch` changes: `to` must hold the unpatched pass, and comes to hold what [`forward`] with the
/// patch would have given.
pub fn forward_again(weights: &Weights, patch: &Patch, to: &mut Activations) {
    let touched = |patch: &BlockPatch| !patch.is_empty();
    let Some(first) = patch.blocks.iter().position(touched) else { return };
    let block = &patch.blocks[first];
    if block.touches_attention() {
        let len = to.len;
        replace_patterns(weights.config(), block, &mut to.blocks[first].attn, len);
        attention_out(weights, first, block, to);
        mlp(weights, first, to);
    }
    mlp_out(weights, first, block, to);
    blocks_from(first + 1, weights, patch, to);
    unembed_last(weights, to);
}

fn blocks_from(first: usize, weights: &Weights, patch: &Patch, to: &mut Activations) {
    let nothing = BlockPatch::default();
    for layer in first..weights.config().n_layers {
        let patch = patch.blocks.get(layer).unwrap_or(&nothing);
        attention(weights, layer, patch, to);
        attention_out(weights, layer, patch, to);
        mlp(weights, layer, to);
        mlp_out(weights, layer, patch, to);
    }
}

fn embed(weights: &Weights, tokens: &[Token], to: &mut Activations) {
    let d_model = weights.config().d_model;
    let (w_e, w_pos) = (weights.part(&weights.layout.w_e), weights.part(&weights.layout.w_pos));
    let stream = to.blocks[0].resid_pre.chunks_exact_mut(d_model);
    for ((row, &token), position) in stream.zip(tokens).zip(w_pos.chunks_exact(d_model)) {
        row.copy_from_slice(&w_e[usize::from(token) * d_model..][..d_model]);
        kernels::add(row, position);
    }
}

/// Everything up to `z`.
fn attention(weights: &Weights, layer: usize, patch: &BlockPatch, to: &mut Activations) {
    let (c, len) = (weights.config(), to.len);
    let at = &weights.layout.blocks[layer];
    let block = &mut to.blocks[layer];
    norm(weights, at.ln1.as_ref(), &block.resid_pre, &mut block.ln1, &mut block.attn.input);
    queries_keys_values(weights, at, &mut block.attn, len);
    for head in 0..c.n_heads {
        let pattern = &mut block.attn.pattern[head * len * len..][..len * len];
        scores(c, head, &block.attn.qkv, len, pattern);
        kernels::causal_softmax(pattern, len);
        mix(c, head, &mut block.attn, len);
    }
    replace_patterns(c, patch, &mut block.attn, len);
}

/// From `z` to `resid_mid`.
fn attention_out(weights: &Weights, layer: usize, patch: &BlockPatch, to: &mut Activations) {
    let (at, block) = (&weights.layout.blocks[layer], &mut to.blocks[layer]);
    let d_heads = weights.config().d_heads();
    patch.apply_to_z(&mut block.attn.z, d_heads);
    block.resid_mid.copy_from_slice(&block.resid_pre);
    project(&block.attn.z, d_heads, weights.part(&at.w_o), weights.part(&at.b_o), &mut block.resid_mid);
}

fn replace_patterns(c: &ModelConfig, patch: &BlockPatch, attn: &mut AttentionActivations, len: usize) {
    for &(head, kind) in &patch.patterns {
        kind.fill(&mut attn.pattern[head * len * len..][..len * len], len);
        mix(c, head, attn, len);
    }
}

fn queries_keys_values(weights: &Weights, at: &BlockLayout, attn: &mut AttentionActivations, len: usize) {
    let (d_model, width) = (weights.config().d_model, 3 * weights.config().d_heads());
    kernels::fill_rows(&mut attn.qkv, weights.part(&at.b_qkv));
    let input = Mat::new(&attn.input, len, d_model);
    let matrix = Mat::new(weights.part(&at.w_qkv), d_model, width);
    matmul(MatMut::new(&mut attn.qkv, len, width), Write::Add, 1.0, input, matrix);
}

/// `z` of one head: its values mixed by its pattern.
fn mix(c: &ModelConfig, head: usize, attn: &mut AttentionActivations, len: usize) {
    let pattern = &attn.pattern[head * len * len..][..len * len];
    for (first, end) in causal_blocks(len) {
        let rows = Mat::strided(&pattern[first * len..], end - first, end, len);
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = &mut attn.z[first * c.d_heads() + head * c.d_head..];
        matmul(MatMut::strided(out, end - first, c.d_head, c.d_heads()), Write::Set, 1.0, rows, values);
    }
}

/// `q k / sqrt(d_head)` up to the diagonal (and up to the end of its block beyond), `[query, key]`.
pub(super) fn scores(c: &ModelConfig, head: usize, qkv: &[f32], len: usize, out: &mut [f32]) {
    let scale = 1.0 / (c.d_head as f32).sqrt();
    for (first, end) in causal_blocks(len) {
        let queries = head_columns(c, qkv, Part::Query, head, first..end);
        let keys = head_columns(c, qkv, Part::Key, head, 0..end);
        let rows = MatMut::strided(&mut out[first * len..], end - first, end, len);
        matmul(rows, Write::Set, scale, queries, keys.t());
    }
}

/// From `resid_mid` to `post`.
fn mlp(weights: &Weights, layer: usize, to: &mut Activations) {
    let block = &mut to.blocks[layer];
    let (Some(mlp), Some(at)) = (&mut block.mlp, &weights.layout.blocks[layer].mlp) else { return };
    norm(weights, at.ln2.as_ref(), &block.resid_mid, &mut mlp.ln2, &mut mlp.input);
    neurons(weights, at, mlp);
}

/// From `post` to the stream after the block.
fn mlp_out(weights: &Weights, layer: usize, patch: &BlockPatch, to: &mut Activations) {
    let (blocks, after) = to.blocks.split_at_mut(layer + 1);
    let block = &mut blocks[layer];
    let next = after.first_mut().map_or(&mut to.resid_post, |block| &mut block.resid_pre);
    next.copy_from_slice(&block.resid_mid);
    let (Some(mlp), Some(at)) = (&mut block.mlp, &weights.layout.blocks[layer].mlp) else { return };
    patch.apply_to_post(&mut mlp.post, weights.config().d_mlp);
    project(&mlp.post, weights.config().d_mlp, weights.part(&at.w_out), weights.part(&at.b_out), next);
}

fn neurons(weights: &Weights, at: &MlpLayout, mlp: &mut MlpActivations) {
    let c = weights.config();
    kernels::fill_rows(&mut mlp.pre, weights.part(&at.b_in));
    project_into(&mlp.input, c.d_model, weights.part(&at.w_in), &mut mlp.pre);
    match c.act_fn {
        Activation::SoluLn => {
            kernels::solu(&mlp.pre, c.d_mlp, &mut mlp.softmaxed, &mut mlp.mid);
            let affine = weights.affine(at.ln.as_ref());
            kernels::layer_norm(&mlp.mid, c.d_mlp, affine, &mut mlp.ln, &mut mlp.post);
        }
        Activation::Gelu => map(&mlp.pre, &mut mlp.post, kernels::gelu),
        Activation::Relu => map(&mlp.pre, &mut mlp.post, |x| x.max(0.0)),
    }
}

fn map(from: &[f32], to: &mut [f32], f: impl Fn(f32) -> f32) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = f(from));
}

/// Logits of a residual stream, `[pos, d_model]`, through the final norm: `[pos, d_vocab_out]`.
pub fn unembed(weights: &Weights, stream: &[f32]) -> Vec<f32> {
    let c = weights.config();
    let len = stream.len() / c.d_model;
    let (mut scratch, mut input) = (Normed::new(len, c.d_model), vec![0.0; stream.len()]);
    norm(weights, weights.layout.ln_final.as_ref(), stream, &mut scratch, &mut input);
    let mut logits = weights.part(&weights.layout.b_u).repeat(len);
    project_into(&input, c.d_model, weights.part(&weights.layout.w_u), &mut logits);
    logits
}

fn unembed_last(weights: &Weights, to: &mut Activations) {
    let layout = &weights.layout;
    norm(weights, layout.ln_final.as_ref(), &to.resid_post, &mut to.ln_final, &mut to.unembed_in);
    kernels::fill_rows(&mut to.logits, weights.part(&layout.b_u));
    project_into(&to.unembed_in, layout.config.d_model, weights.part(&layout.w_u), &mut to.logits);
}

fn norm(weights: &Weights, at: Option<&NormLayout>, x: &[f32], to: &mut Normed, out: &mut [f32]) {
    if weights.config().normalization_type == Normalization::None {
        out.copy_from_slice(x);
    } else {
        kernels::layer_norm(x, weights.config().d_model, weights.affine(at), to, out);
    }
}

/// `out += x matrix + bias`, where `x` is `[pos, width]` and `bias` as wide as `out`.
fn project(x: &[f32], width: usize, matrix: &[f32], bias: &[f32], out: &mut [f32]) {
    kernels::add_to_rows(out, bias);
    project_into(x, width, matrix, out);
}

/// `out += x matrix`, where `x` is `[pos, width]`.
fn project_into(x: &[f32], width: usize, matrix: &[f32], out: &mut [f32]) {
    let (rows, cols) = (x.len() / width, matrix.len() / width);
    matmul(
        MatMut::new(out, rows, cols),
        Write::Add,
        1.0,
        Mat::new(x, rows, width),
        Mat::new(matrix, width, cols),
    );
}

/// A third of [`AttentionActivations::qkv`].
#[derive(Clone, Copy)]
pub(super) enum Part {
    Query = 0,
    Key = 1,
    Value = 2,
}

/// First column of one head's part in a row of `qkv`.
pub(super) fn head_offset(c: &ModelConfig, part: Part, head: usize) -> usize {
    part as usize * c.d_heads() + head * c.d_head
}

/// One head's queries, keys or values at some positions, `[positions, d_head]`.
pub(super) fn head_columns<'a>(
    c: &ModelConfig,
    qkv: &'a [f32],
    part: Part,
    head: usize,
    positions: std::ops::Range<usize>,
) -> Mat<'a> {
    let width = 3 * c.d_heads();
    let first = positions.start * width + head_offset(c, part, head);
    Mat::strided(&qkv[first..], positions.len(), c.d_head, width)
}

/// `(first, end)` of each block of queries; keys from `end` on lie after all of them.
pub(super) fn causal_blocks(len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len).step_by(CAUSAL_BLOCK).map(move |first| (first, (first + CAUSAL_BLOCK).min(len)))
}
