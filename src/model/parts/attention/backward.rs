//! Gradients of attention.

use super::{AttentionActivations, AttentionLayout, Part, blocks, head_columns, head_offset, rotate};
use crate::model::adjoints::Adjoints;
use crate::model::config::ModelConfig;
use crate::model::kernels::{self, dot, kernel};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::parts::linear::{Params, linear_backward};
use crate::model::parts::norm::Normed;
use crate::model::parts::rotary::Turn;
use crate::model::parts::shortformer;
use crate::model::visible::AttentionDirection;

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
    rotate(of, Turn::Back, &mut scratch.qkv);
    if let Some(at) = at.positions() {
        shortformer::backward(of, at, &scratch.qkv, grads);
    }
    linear_backward(of, (&at.w_qkv, &at.b_qkv), &attn.input, &scratch.qkv, &mut scratch.input, grads);
    c.norm().backward(of.values, at.ln1.as_ref(), ln1, &mut scratch.input, grads);
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
    for (first, end) in blocks(c, len) {
        let values = head_columns(c, &attn.qkv, Part::Value, head, 0..end);
        let out = MatMut::strided(&mut scores[first * len..], end - first, end, len);
        matmul(out, Write::Set, 1.0, rows_of_z(first, end - first), values.t());
    }
    let z = &attn.z[head * c.d_head..];
    let direction = c.attention_dir;
    softmax_of_seen_backward(scores, pattern, (len, direction), z, z_grad, c.d_head, d_heads);
    let scale = c.score_scale();
    for (first, end) in blocks(c, len) {
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
    /// Backward of [`softmax_of_seen`](super::softmax_of_seen) for one head. In: dL/dpattern, `[query, key]`; out, in place: dL/dscores. The
    /// inner product of a pattern's row with its gradient equals that of `z` with its gradient, which is shorter; `z`
    /// and `z_grad` are `[pos, stride]`, and the head has the first `d_head` columns.
    pub fn softmax_of_seen_backward(
        grad: &mut [f32],
        pattern: &[f32],
        sight: (usize, AttentionDirection),
        z: &[f32],
        z_grad: &[f32],
        d_head: usize,
        stride: usize,
    ) {
        let (len, direction) = sight;
        let rows = grad.chunks_exact_mut(len).zip(pattern.chunks_exact(len));
        for (query, ((grad, pattern), (z, z_grad))) in rows.zip(z.chunks(stride).zip(z_grad.chunks(stride))).enumerate() {
            let along = dot(&z[..d_head], &z_grad[..d_head]);
            let (seen, unseen) = grad.split_at_mut(direction.end(query, len));
            for (g, p) in seen.iter_mut().zip(pattern) {
                *g = p * (*g - along);
            }
            unseen.fill(0.0);
        }
    }
}
