//! Attention: queries, keys and values of all heads as one product, a pattern per head, and the heads' outputs.

mod backward;
mod composed;

use std::ops::Range;

use super::linear::{Folder, Params};
use super::norm::{NormLayout, Normed};
use super::rotary::Turn;
use super::shortformer::{self, Places};
use crate::model::clone_into::clone_into_buffers;
use crate::model::config::ModelConfig;
use crate::model::edit::BlockEdit;
use crate::model::hooks::Hooks;
use crate::model::kernels::{kernel, softmax};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::place::{LayoutBuilder, TensorView};
use crate::model::visible::{AttentionDirection, VisibleKeys};

pub(crate) use backward::backward;

/// Queries per block of a causal product, which skips the keys after the last of them.
const CAUSAL_BLOCK: usize = 32;

/// Ranges of the weights of a block's attention.
#[derive(Clone, Debug)]
pub struct AttentionLayout {
    /// `ln1`, unless folded or absent.
    pub ln1: Option<NormLayout>,
    /// `W_pos`, `[n_ctx, d_model]`, if queries and keys read it.
    pub w_pos: Option<Range<usize>>,
    /// `[d_model, 3, n_heads, d_head]`: queries, keys, values.
    pub w_qkv: Range<usize>,
    /// `[3, n_heads, d_head]`.
    pub b_qkv: Range<usize>,
    /// `[n_heads, d_head, d_model]`.
    pub w_o: Range<usize>,
    /// `[d_model]`.
    pub b_o: Range<usize>,
}

impl LayoutBuilder {
    /// Lays out attention in the block with the name prefix `block`.
    /// `w_pos` is `W_pos`, if queries and keys read it.
    pub(crate) fn attention(
        &mut self,
        c: &ModelConfig,
        block: &str,
        w_pos: Option<&Range<usize>>,
    ) -> AttentionLayout {
        let ln1 = self.norm(c.normalization_type, &format!("{block}.ln1"), c.d_model);
        let (w_qkv, b_qkv) = self.qkv(c, &format!("{block}.attn"));
        let w_o = self.tensor(&format!("{block}.attn.W_O"), &[c.n_heads, c.d_head, c.d_model]);
        let b_o = self.tensor(&format!("{block}.attn.b_O"), &[c.d_model]);
        AttentionLayout { ln1, w_pos: w_pos.cloned(), w_qkv, b_qkv, w_o, b_o }
    }

    fn qkv(&mut self, c: &ModelConfig, attn: &str) -> (Range<usize>, Range<usize>) {
        let width = 3 * c.d_heads();
        let (w, b) = (self.range(c.d_model * width), self.range(width));
        for (part, letter) in ["Q", "K", "V"].into_iter().enumerate() {
            let column = part * c.d_heads();
            self.tensors.push(TensorView {
                name: format!("{attn}.W_{letter}"),
                shape: vec![c.n_heads, c.d_model, c.d_head],
                offset: w.start + column,
                strides: vec![c.d_head, width, 1],
            });
            self.tensors.push(TensorView {
                name: format!("{attn}.b_{letter}"),
                shape: vec![c.n_heads, c.d_head],
                offset: b.start + column,
                strides: vec![c.d_head, 1],
            });
        }
        (w, b)
    }
}

impl AttentionLayout {
    /// Weights of the positions that queries and keys read.
    fn positions(&self) -> Option<Places<'_>> {
        self.w_pos.as_ref().map(|w_pos| Places { w_pos, w_qkv: &self.w_qkv })
    }
}

/// Attention activations of a block.
#[derive(Debug)]
pub struct AttentionActivations {
    /// Input of the query, key and value matrices, `[pos, d_model]`.
    pub input: Vec<f32>,
    /// `[pos, 3, n_heads, d_head]`: queries, keys, values side by side; rotated if positions are rotary.
    pub qkv: Vec<f32>,
    /// `[n_heads, query, key]`; 0 for keys that the query does not see.
    pub pattern: Vec<f32>,
    /// `[pos, n_heads, d_head]`.
    pub z: Vec<f32>,
}

clone_into_buffers!(AttentionActivations: input, qkv, pattern, z);

impl AttentionActivations {
    /// Buffers for `len` positions.
    pub(crate) fn new(c: &ModelConfig, len: usize) -> Self {
        let zeros = |width: usize| vec![0.0; len * width];
        Self {
            input: zeros(c.d_model),
            qkv: zeros(3 * c.d_heads()),
            pattern: zeros(c.n_heads * len),
            z: zeros(c.d_heads()),
        }
    }
}

/// Computes `z` from the residual stream.
pub(crate) fn forward(
    of: Params<'_>,
    at: &AttentionLayout,
    (stream, keys): (&[f32], &VisibleKeys),
    edit: &BlockEdit,
    (ln1, attn): (&mut Normed, &mut AttentionActivations),
) {
    let (c, len) = (of.config, ln1.scale.len());
    c.norm().forward(stream, c.d_model, of.affine(at.ln1.as_ref()), ln1, &mut attn.input);
    of.linear(&attn.input, c.d_model, (&at.w_qkv, &at.b_qkv), &mut attn.qkv);
    if let Some(at) = at.positions() {
        shortformer::forward(of, at, &mut attn.qkv);
    }
    rotate(of, Turn::Forth, &mut attn.qkv);
    for head in 0..c.n_heads {
        let pattern = &mut attn.pattern[head * len * len..][..len * len];
        scores(c, head, &attn.qkv, len, pattern);
        // A query that sees no key has no pattern: its row is NaN until hidden keys are set to 0.
        keys.fill_hidden(pattern, f32::NEG_INFINITY);
        softmax_of_seen(pattern, len, c.attention_dir);
        keys.fill_hidden(pattern, 0.0);
        mix(c, head, attn, len);
    }
    edit_patterns(c, edit, keys, attn);
}

/// Rotates queries and keys, or their gradients, if positions are rotary.
fn rotate(of: Params<'_>, turn: Turn, qkv: &mut [f32]) {
    let c = of.config;
    if let Some(rotation) = of.rotation {
        rotation.apply(turn, qkv, 2 * c.d_heads(), 3 * c.d_heads(), c.d_head);
    }
}

/// Replaces patterns, and recomputes `z`.
pub(crate) fn edit_patterns(
    c: &ModelConfig,
    edit: &BlockEdit,
    keys: &VisibleKeys,
    attn: &mut AttentionActivations,
) {
    let len = attn.z.len() / c.d_heads();
    for edit in &edit.patterns {
        edit.apply(&mut attn.pattern[edit.head * len * len..][..len * len], keys);
        mix(c, edit.head, attn, len);
    }
}

/// Adds the heads' outputs to `stream`, after the edits of `z`.
pub(crate) fn write(
    of: Params<'_>,
    at: &AttentionLayout,
    edit: &BlockEdit,
    z: &mut [f32],
    stream: &mut [f32],
) {
    let d_heads = of.config.d_heads();
    edit.apply_to_z(z, d_heads);
    of.project(z, d_heads, (&at.w_o, &at.b_o), stream);
}

/// Computes `z` of one head: its values weighted by its pattern.
fn mix(c: &ModelConfig, head: usize, attn: &mut AttentionActivations, len: usize) {
    let pattern = &attn.pattern[head * len * len..][..len * len];
    for (first, end) in blocks(c, len) {
        let rows = Mat::strided(&pattern[first * len..], end - first, end, len);
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = &mut attn.z[first * c.d_heads() + head * c.d_head..];
        matmul(MatMut::strided(out, end - first, c.d_head, c.d_heads()), Write::Set, 1.0, rows, values);
    }
}

/// `q k / attn_scale`, `[query, key]`; in a causal model up to the diagonal, and beyond up to the end of the block.
fn scores(c: &ModelConfig, head: usize, qkv: &[f32], len: usize, out: &mut [f32]) {
    let scale = c.score_scale();
    for (first, end) in blocks(c, len) {
        let queries = head_columns(c, qkv, Part::Query, head, first..end);
        let keys = head_columns(c, qkv, Part::Key, head, 0..end);
        let rows = MatMut::strided(&mut out[first * len..], end - first, end, len);
        matmul(rows, Write::Set, scale, queries, keys.t());
    }
}

/// One third of [`AttentionActivations::qkv`].
#[derive(Clone, Copy)]
enum Part {
    Query = 0,
    Key = 1,
    Value = 2,
}

/// First column of one head's part in a row of `qkv`.
fn head_offset(c: &ModelConfig, part: Part, head: usize) -> usize {
    part as usize * c.d_heads() + head * c.d_head
}

/// Queries, keys or values of one head at some positions, `[positions, d_head]`.
fn head_columns<'a>(
    c: &ModelConfig,
    qkv: &'a [f32],
    part: Part,
    head: usize,
    positions: Range<usize>,
) -> Mat<'a> {
    let width = 3 * c.d_heads();
    let first = positions.start * width + head_offset(c, part, head);
    Mat::strided(&qkv[first..], positions.len(), c.d_head, width)
}

/// `(first, end)` of each block of queries; none of its queries sees keys from `end` on, and no query before `first`
/// sees its keys.
fn blocks(c: &ModelConfig, len: usize) -> impl Iterator<Item = (usize, usize)> {
    let rows = match c.attention_dir {
        AttentionDirection::Causal => CAUSAL_BLOCK,
        AttentionDirection::Bidirectional => len.max(1),
    };
    (0..len).step_by(rows).map(move |first| (first, (first + rows).min(len)))
}

kernel! {
    /// Softmax of each row of `scores`, `[query, key]`, over the keys that the query may see; 0 for the others.
    pub fn softmax_of_seen(scores: &mut [f32], len: usize, direction: AttentionDirection) {
        for (query, row) in scores.chunks_exact_mut(len).enumerate() {
            let (seen, unseen) = row.split_at_mut(direction.end(query, len));
            softmax(seen);
            unseen.fill(0.0);
        }
    }
}

impl Hooks {
    /// `hook_q` to `hook_attn_out` of a block.
    pub(crate) fn attention(
        &mut self,
        of: Params<'_>,
        at: &AttentionLayout,
        block: &str,
        (attn, keys): (&AttentionActivations, &VisibleKeys),
    ) {
        let (c, len) = (of.config, self.len);
        let name = |part: &str| format!("{block}.{part}");
        let mut qkv = attn.qkv.clone();
        rotate(of, Turn::Back, &mut qkv);
        self.heads(c, &name("attn.hook"), &["q", "k", "v"], &qkv);
        if of.rotation.is_some() {
            self.heads(c, &name("attn.hook_rot"), &["q", "k"], &attn.qkv);
        }
        let mut all = vec![0.0; c.n_heads * len * len];
        for (head, out) in all.chunks_exact_mut(len * len).enumerate() {
            scores(c, head, &attn.qkv, len, out);
            let rows = out.chunks_exact_mut(len).enumerate();
            rows.for_each(|(query, row)| row[keys.end(query)..].fill(f32::NEG_INFINITY));
            keys.fill_hidden(out, f32::NEG_INFINITY);
        }
        self.push(&name("attn.hook_attn_scores"), &[c.n_heads, len, len], all);
        self.push(&name("attn.hook_pattern"), &[c.n_heads, len, len], attn.pattern.clone());
        self.push(&name("attn.hook_z"), &[len, c.n_heads, c.d_head], attn.z.clone());
        let mut out = vec![0.0; len * c.d_model];
        of.linear(&attn.z, c.d_heads(), (&at.w_o, &at.b_o), &mut out);
        self.stream(&name("hook_attn_out"), out);
    }

    /// Parts of `qkv`, `[pos, n_heads, d_head]` each, named `prefix_part`.
    fn heads(&mut self, c: &ModelConfig, prefix: &str, parts: &[&str], qkv: &[f32]) {
        for (part, letter) in parts.iter().enumerate() {
            let columns = part * c.d_heads()..(part + 1) * c.d_heads();
            let rows = qkv.chunks_exact(3 * c.d_heads());
            let values = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
            self.push(&format!("{prefix}_{letter}"), &[self.len, c.n_heads, c.d_head], values);
        }
    }
}

impl Folder<'_> {
    /// Folds `ln1` into queries, keys and values. Not where `W_pos` is added after the norm: there its weight cannot be
    /// told from the matrices', and `ln1` stays.
    pub(crate) fn attention(&mut self, from: &AttentionLayout, to: &AttentionLayout) {
        if from.w_pos.is_none() {
            self.read((&from.w_qkv, &from.b_qkv), from.ln1.as_ref(), (&to.w_qkv, &to.b_qkv));
        } else {
            self.copy(&from.w_qkv, &to.w_qkv);
            self.copy(&from.b_qkv, &to.b_qkv);
            self.keep_norm(from.ln1.as_ref(), to.ln1.as_ref());
        }
        self.copy(&from.w_o, &to.w_o);
        self.copy(&from.b_o, &to.b_o);
    }

    /// The rows of a pattern sum to 1, so a value bias adds the same at every position: `b_O += b_V W_O`.
    pub(crate) fn value_biases(&mut self, at: &AttentionLayout) {
        let c = self.from.config;
        let first = at.b_qkv.start + 2 * c.d_heads();
        let b_v = self.to[first..first + c.d_heads()].to_vec();
        self.to[first..first + c.d_heads()].fill(0.0);
        for (row, b_v) in b_v.into_iter().enumerate() {
            let w_o = at.w_o.start + row * c.d_model;
            for col in 0..c.d_model {
                self.to[at.b_o.start + col] += b_v * self.to[w_o + col];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_instructions_give_the_same_bits_as_the_plainest() {
        let scores: Vec<f32> = (0..129 * 129).map(|i| (i as f32 * 0.77).sin() * 5.0).collect();
        let mut wide = scores.clone();
        softmax_of_seen(&mut wide, 129, AttentionDirection::Causal);
        for (query, (wide, plain)) in wide.chunks(129).zip(scores.chunks(129)).enumerate() {
            let mut plain = plain[..=query].to_vec();
            softmax(&mut plain);
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&wide[..=query]), bits(&plain));
            assert!(wide[query + 1..].iter().all(|p| *p == 0.0));
        }
    }
}
