//! Attention: queries, keys and values of all heads as one product, a pattern per head, and the heads' outputs.

use std::ops::Range;

use dfdx::prelude::*;

use super::linear::{Composition, Folder, Params, linear_backward};
use super::norm::{NormLayout, Normed};
use crate::model::adjoints::Adjoints;
use crate::model::clone_into::clone_into_buffers;
use crate::model::config::ModelConfig;
use crate::model::edit::BlockEdit;
use crate::model::hooks::Hooks;
use crate::model::kernels::{self, dot, kernel, softmax};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::place::{LayoutBuilder, TensorView};
use crate::model::tape::{Matrix, Stack, add, join, shifted};

/// Queries per block of a causal product, which skips the keys after the last of them.
const CAUSAL_BLOCK: usize = 32;

/// Ranges of the weights of a block's attention.
#[derive(Clone, Debug)]
pub struct AttentionLayout {
    /// `ln1`, unless folded or absent.
    pub ln1: Option<NormLayout>,
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
    pub(crate) fn attention(&mut self, c: &ModelConfig, block: &str) -> AttentionLayout {
        let ln1 = self.norm(&format!("{block}.ln1"), c.d_model);
        let (w_qkv, b_qkv) = self.qkv(c, &format!("{block}.attn"));
        let w_o = self.tensor(&format!("{block}.attn.W_O"), &[c.n_heads, c.d_head, c.d_model]);
        let b_o = self.tensor(&format!("{block}.attn.b_O"), &[c.d_model]);
        AttentionLayout { ln1, w_qkv, b_qkv, w_o, b_o }
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

/// Attention activations of a block.
#[derive(Debug)]
pub struct AttentionActivations {
    /// Input of the query, key and value matrices, `[pos, d_model]`.
    pub input: Vec<f32>,
    /// `[pos, 3, n_heads, d_head]`: queries, keys, values side by side.
    pub qkv: Vec<f32>,
    /// `[n_heads, query, key]`; 0 for keys after the query.
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
    stream: &[f32],
    edit: &BlockEdit,
    (ln1, attn): (&mut Normed, &mut AttentionActivations),
) {
    let (c, len) = (of.config, ln1.scale.len());
    c.normalization_type.forward(stream, c.d_model, of.affine(at.ln1.as_ref()), ln1, &mut attn.input);
    of.linear(&attn.input, c.d_model, (&at.w_qkv, &at.b_qkv), &mut attn.qkv);
    for head in 0..c.n_heads {
        let pattern = &mut attn.pattern[head * len * len..][..len * len];
        scores(c, head, &attn.qkv, len, pattern);
        causal_softmax(pattern, len);
        mix(c, head, attn, len);
    }
    edit_patterns(c, edit, attn, len);
}

/// Replaces patterns, and recomputes `z`.
pub(crate) fn edit_patterns(c: &ModelConfig, edit: &BlockEdit, attn: &mut AttentionActivations, len: usize) {
    for edit in &edit.patterns {
        edit.apply(&mut attn.pattern[edit.head * len * len..][..len * len], len);
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
    for (first, end) in causal_blocks(len) {
        let rows = Mat::strided(&pattern[first * len..], end - first, end, len);
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = &mut attn.z[first * c.d_heads() + head * c.d_head..];
        matmul(MatMut::strided(out, end - first, c.d_head, c.d_heads()), Write::Set, 1.0, rows, values);
    }
}

/// `q k / sqrt(d_head)` up to the diagonal (and beyond, up to the end of the block), `[query, key]`.
fn scores(c: &ModelConfig, head: usize, qkv: &[f32], len: usize, out: &mut [f32]) {
    let scale = 1.0 / (c.d_head as f32).sqrt();
    for (first, end) in causal_blocks(len) {
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

/// `(first, end)` of each block of queries; keys from `end` on come after all its queries.
fn causal_blocks(len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len).step_by(CAUSAL_BLOCK).map(move |first| (first, (first + CAUSAL_BLOCK).min(len)))
}

kernel! {
    /// Softmax of each row of `scores`, `[query, key]`, over the keys up to the query; 0 for later keys.
    pub fn causal_softmax(scores: &mut [f32], len: usize) {
        for (query, row) in scores.chunks_exact_mut(len).enumerate() {
            let (seen, unseen) = row.split_at_mut(query + 1);
            softmax(seen);
            unseen.fill(0.0);
        }
    }
}

/// In: the gradient of the stream after attention, in `scratch`; out, in place: the gradient of the stream before.
pub(crate) fn backward(
    of: Params<'_>,
    at: &AttentionLayout,
    (ln1, attn): (&Normed, &AttentionActivations),
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let c = of.config;
    linear_backward(of, (&at.w_o, &at.b_o), &attn.z, &scratch.resid, &mut scratch.z, grads);
    for head in 0..c.n_heads {
        attend(c, head, attn, scratch);
    }
    linear_backward(of, (&at.w_qkv, &at.b_qkv), &attn.input, &scratch.qkv, &mut scratch.input, grads);
    c.normalization_type.backward(of.values, at.ln1.as_ref(), ln1, &mut scratch.input, grads);
    kernels::add(&mut scratch.resid, &scratch.input);
}

/// Gradients of one head's queries, keys and values from the gradient of its `z`.
fn attend(c: &ModelConfig, head: usize, attn: &AttentionActivations, scratch: &mut Adjoints) {
    let (len, width, d_heads) = (scratch.logits.len() / c.outputs(), 3 * c.d_heads(), c.d_heads());
    let pattern = &attn.pattern[head * len * len..][..len * len];
    let scores = &mut scratch.scores;
    let z_grad = &scratch.z[head * c.d_head..];
    let rows_of_z =
        |first: usize, rows: usize| Mat::strided(&z_grad[first * d_heads..], rows, c.d_head, d_heads);
    for (first, end) in causal_blocks(len) {
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = MatMut::strided(&mut scores[first * len..], end - first, end, len);
        matmul(out, Write::Set, 1.0, rows_of_z(first, end - first), values.t());
    }
    let z = &attn.z[head * c.d_head..];
    causal_softmax_backward(scores, pattern, len, z, z_grad, c.d_head, d_heads);
    let scale = 1.0 / (c.d_head as f32).sqrt();
    for (first, end) in causal_blocks(len) {
        let rows = end - first;
        let mut out = |part, scale, a: Mat<'_>, b: Mat<'_>| {
            let to = &mut scratch.qkv[first * width + head_offset(c, part, head)..];
            matmul(MatMut::strided(to, rows, c.d_head, width), Write::Set, scale, a, b);
        };
        // Query gradients use keys before `end`; key and value gradients use queries from `first` on.
        let below = |matrix| Mat::strided(matrix, len - first, rows, len).t();
        let keys = head_columns(c, &attn.qkv, Part::Key, head, 0..end);
        out(Part::Query, scale, Mat::strided(&scores[first * len..], rows, end, len), keys);
        let queries = head_columns(c, &attn.qkv, Part::Query, head, first..len);
        out(Part::Key, scale, below(&scores[first * len + first..]), queries);
        out(Part::Value, 1.0, below(&pattern[first * len + first..]), rows_of_z(first, len - first));
    }
}

kernel! {
    /// Backward of [`causal_softmax`] for one head. In: dL/dpattern, `[query, key]`; out, in place: dL/dscores. The
    /// inner product of a pattern's row with its gradient equals that of `z` with its gradient, which is shorter; `z`
    /// and `z_grad` are `[pos, stride]`, and the head has the first `d_head` columns.
    pub fn causal_softmax_backward(
        grad: &mut [f32],
        pattern: &[f32],
        len: usize,
        z: &[f32],
        z_grad: &[f32],
        d_head: usize,
        stride: usize,
    ) {
        let rows = grad.chunks_exact_mut(len).zip(pattern.chunks_exact(len));
        for (query, ((grad, pattern), (z, z_grad))) in rows.zip(z.chunks(stride).zip(z_grad.chunks(stride))).enumerate() {
            let along = dot(&z[..d_head], &z_grad[..d_head]);
            let (seen, unseen) = grad.split_at_mut(query + 1);
            for (g, p) in seen.iter_mut().zip(pattern) {
                *g = p * (*g - along);
            }
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
        attn: &AttentionActivations,
    ) {
        let (c, len) = (of.config, self.len);
        let name = |part: &str| format!("{block}.{part}");
        for (part, letter) in ["q", "k", "v"].into_iter().enumerate() {
            let columns = part * c.d_heads()..(part + 1) * c.d_heads();
            let rows = attn.qkv.chunks_exact(3 * c.d_heads());
            let values = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
            self.push(&name(&format!("attn.hook_{letter}")), &[len, c.n_heads, c.d_head], values);
        }
        let mut all = vec![0.0; c.n_heads * len * len];
        for (head, out) in all.chunks_exact_mut(len * len).enumerate() {
            scores(c, head, &attn.qkv, len, out);
            let rows = out.chunks_exact_mut(len).enumerate();
            rows.for_each(|(query, row)| row[query + 1..].fill(f32::NEG_INFINITY));
        }
        self.push(&name("attn.hook_attn_scores"), &[c.n_heads, len, len], all);
        self.push(&name("attn.hook_pattern"), &[c.n_heads, len, len], attn.pattern.clone());
        self.push(&name("attn.hook_z"), &[len, c.n_heads, c.d_head], attn.z.clone());
        let mut out = vec![0.0; len * c.d_model];
        of.linear(&attn.z, c.d_heads(), (&at.w_o, &at.b_o), &mut out);
        self.stream(&name("hook_attn_out"), out);
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    pub(crate) fn attention(
        &self,
        at: &AttentionLayout,
        stream: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let d_head = self.config.d_head;
        let input = stream.with_empty_tape();
        let qkv = self.linear_of_normed(input, at.ln1.as_ref(), (&at.w_qkv, &at.b_qkv))?;
        let w_o = self.matrix(&at.w_o, self.config.d_heads())?;
        let mask = self.causal_mask()?;
        let mut out = self.ones.retaped::<T>().try_matmul(self.matrix(&at.b_o, 1)?)?;
        for head in 0..self.config.n_heads {
            let z = self.head(&qkv, head, &mask)?;
            let rows = head * d_head..(head + 1) * d_head;
            let w_o = w_o.with_empty_tape().try_slice((rows, 0..self.config.d_model))?;
            out = add(out, z.try_matmul(w_o)?)?;
        }
        let out = join(join(out, qkv), w_o);
        add(stream, out)
    }

    /// Values averaged by a head's pattern, `[batch * pos, d_head]`. The tape of `qkv` is kept.
    fn head(
        &self,
        qkv: &Matrix<D, T>,
        head: usize,
        mask: &Matrix<D, NoneTape>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (d_head, d_heads, rows) = (self.config.d_head, self.config.d_heads(), qkv.shape().0);
        let part = |part: usize| -> Result<Matrix<D, T>, D::Err> {
            let first = part * d_heads + head * d_head;
            qkv.with_empty_tape().try_slice((0..rows, first..first + d_head))
        };
        let stack = (self.batch, self.len, d_head);
        let q: Stack<D, T> = part(0)?.try_div((d_head as f32).sqrt())?.try_reshape_like(&stack)?;
        let k: Stack<D, T> = part(1)?.try_reshape_like(&stack)?;
        let v: Stack<D, T> = part(2)?.try_reshape_like(&stack)?;
        let scores = q.try_matmul(k.try_permute::<_, Axes3<0, 2, 1>>()?)?;
        let mask = mask.clone().try_broadcast_like::<_, Axis<0>>(&scores)?;
        let scores = shifted(scores, |scores| scores.try_add(mask))?;
        scores.try_softmax::<Axis<2>>()?.try_matmul(v)?.try_reshape_like(&(rows, d_head))
    }

    /// 0 up to the query, -infinity after it, `[query, key]`.
    fn causal_mask(&self) -> Result<Matrix<D, NoneTape>, D::Err> {
        let len = self.len;
        let cell = |i: usize| if i % len > i / len { f32::NEG_INFINITY } else { 0.0 };
        self.device.try_tensor_from_vec((0..len * len).map(cell).collect(), (len, len))
    }
}

impl Folder<'_> {
    /// Folds `ln1` into queries, keys and values.
    pub(crate) fn attention(&mut self, from: &AttentionLayout, to: &AttentionLayout) {
        self.read((&from.w_qkv, &from.b_qkv), from.ln1.as_ref(), (&to.w_qkv, &to.b_qkv));
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
        causal_softmax(&mut wide, 129);
        for (query, (wide, plain)) in wide.chunks(129).zip(scores.chunks(129)).enumerate() {
            let mut plain = plain[..=query].to_vec();
            softmax(&mut plain);
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&wide[..=query]), bits(&plain));
            assert!(wide[query + 1..].iter().all(|p| *p == 0.0));
        }
    }
}
