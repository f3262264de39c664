//! Gradients of attention.

use super::head::{Head, Part};
use super::{AttentionActivations, AttentionLayout, Source, out, rotate, sources};
use crate::model::adjoints::Adjoints;
use crate::model::config::ModelConfig;
use crate::model::edit::Hook;
use crate::model::kernels::{self, dot, kernel, scatter_add, spread};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::parts::linear::{Params, linear_backward};
use crate::model::parts::norm::Normed;
use crate::model::parts::rotary::Turn;
use crate::model::tile::{Layer, Rows};
use crate::model::visible::AttentionDirection;

/// In: the gradient of the stream after attention, `[query, d_model]`, in `scratch`; out, in place: the gradient of the
/// stream before, `[pos, d_model]`.
pub(crate) fn backward(
    of: Params<'_>,
    at: &AttentionLayout,
    layer: Layer<'_>,
    (ln1, attn): (&Normed, &AttentionActivations),
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let c = of.config;
    let resid = &scratch.resid[..layer.queries() * c.d_model];
    let own = layer.edits(Hook::AttnOut).then(|| {
        let mut own = resid.to_vec();
        layer.back((Hook::AttnOut, Rows::Queries), || out(of, at, &attn.z), &mut own);
        own
    });
    let written = own.as_deref().unwrap_or(resid);
    linear_backward(of, (&at.w_o, &at.b_o), &attn.z, written, &mut scratch.z[..attn.z.len()], grads);
    let mixed = layer.edits(Hook::Z).then(|| mixed(c, layer, attn));
    let z = mixed.as_deref().unwrap_or(&attn.z);
    layer.back((Hook::Z, Rows::Queries), || z.to_vec(), &mut scratch.z);
    for span in layer.spans() {
        for index in 0..c.n_heads {
            attend(Head { c, span: &span, index }, (attn, z), scratch);
        }
    }
    let qkv_grads = &mut scratch.qkv[..attn.qkv.len()];
    rotate(of, Turn::Back, layer, qkv_grads);
    let projected = || {
        let mut again = attn.clone();
        super::project(of, at, layer, &mut again);
        again.qkv
    };
    for (hook, rows) in [(Hook::Q, Rows::Queries), (Hook::K, Rows::All), (Hook::V, Rows::All)] {
        layer.back((hook, rows), projected, qkv_grads);
    }
    project(of, at, layer, attn, scratch, grads);
    if let Some(live) = layer.live() {
        spread(&mut scratch.resid[..attn.input.len()], live, c.d_model);
    }
    let input = &mut scratch.input[..attn.input.len()];
    c.norm().backward(of.values, at.ln1.as_ref(), ln1, input, grads);
    kernels::add(&mut scratch.resid[..attn.input.len()], input);
}

/// `z` before its own edits.
fn mixed(c: &ModelConfig, layer: Layer<'_>, attn: &AttentionActivations) -> Vec<f32> {
    let mut z = vec![0.0; attn.z.len()];
    for span in layer.spans() {
        for head in (0..c.n_heads).map(|index| Head { c, span: &span, index }) {
            head.mix(&attn.qkv, &attn.pattern[head.cells()], &mut z);
        }
    }
    z
}

/// Gradients of one head's queries, keys and values from the gradient of its `z`, which its pattern has mixed.
fn attend(head: Head<'_>, (attn, z): (&AttentionActivations, &[f32]), scratch: &mut Adjoints) {
    let (c, span) = (head.c, head.span);
    let (len, d_heads) = (span.rows.len(), c.d_heads());
    let pattern = &attn.pattern[head.cells()];
    let scores = &mut scratch.scores[..pattern.len()];
    let z_grad = &scratch.z[..];
    let rows_of_z = |first: usize, rows: usize| {
        Mat::strided(&z_grad[head.first_of_z(first).min(z_grad.len())..], rows, c.d_head, d_heads)
    };
    for (block, end) in head.blocks_of_queries() {
        let values = head.columns(&attn.qkv, Part::Value, 0..end);
        let out = MatMut::strided(&mut scores[block.start * len..], block.len(), end, len);
        matmul(out, Write::Set, 1.0, rows_of_z(block.start, block.len()), values.t());
    }
    let first = head.first_of_z(0);
    let z = [&z[first..], &z_grad[first..]];
    softmax_of_seen_backward(scores, pattern, (len, c.attention_dir), span.positions, z, [c.d_head, d_heads]);
    for edit in span.edit.patterns.iter().filter(|edit| edit.head == head.index) {
        edit.back(scores, span.positions, len);
    }
    let scale = c.score_scale();
    for (block, end) in head.blocks_of_queries() {
        let (rows, start) = (block.len(), block.start * len);
        let keys = head.columns(&attn.qkv, Part::Key, 0..end);
        let to = head.columns_mut(&mut scratch.qkv, Part::Query, block);
        matmul(to, Write::Set, scale, Mat::strided(&scores[start..], rows, end, len), keys);
    }
    for (block, first) in head.blocks_of_keys() {
        let rows = span.queries.len() - first;
        let cells = (first * len + block.start).min(pattern.len());
        // Queries before `first` see none of these keys.
        let below = |from| Mat::strided(from, rows, block.len(), len).t();
        let queries = head.columns(&attn.qkv, Part::Query, first..span.queries.len());
        let to = head.columns_mut(&mut scratch.qkv, Part::Key, block.clone());
        matmul(to, Write::Set, scale, below(&scores[cells..]), queries);
        let to = head.columns_mut(&mut scratch.qkv, Part::Value, block.clone());
        matmul(to, Write::Set, 1.0, below(&pattern[cells..]), rows_of_z(first, rows));
    }
}

/// Gradients of the weights of queries, keys and values, and of their input, from those of `qkv`.
fn project(
    of: Params<'_>,
    at: &AttentionLayout,
    layer: Layer<'_>,
    attn: &AttentionActivations,
    scratch: &mut Adjoints,
    grads: &mut [f32],
) {
    let (d_model, width) = (of.config.d_model, 3 * of.config.d_heads());
    for (source, columns) in sources(of.config, layer) {
        let from = attn.source(source);
        let (rows, cols) = (from.len() / d_model, columns.len());
        let qkv = &scratch.qkv[columns.start..rows * width];
        let grad = Mat::strided(qkv, rows, cols, width);
        kernels::add_rows(&mut grads[at.b_qkv.clone()][columns.clone()], qkv, width);
        let to = MatMut::strided(&mut grads[at.w_qkv.clone()][columns.start..], d_model, cols, width);
        matmul(to, Write::Add, 1.0, Mat::new(from, rows, d_model).t(), grad);
        let transposed = Mat::new(&of.transposed[at.w_qkv.clone()][columns.start * d_model..], cols, d_model);
        let to = match source {
            Source::Input => &mut scratch.input,
            Source::Positioned => &mut scratch.positioned,
            Source::OfQueries => &mut scratch.of_queries,
        };
        matmul(MatMut::new(to, rows, d_model), Write::Set, 1.0, grad, transposed);
    }
    let values = attn.input.len();
    if let Some(live) = layer.live() {
        let of_keys = if at.w_pos.is_some() { &mut scratch.positioned } else { &mut scratch.input };
        scatter_add(of_keys, &scratch.of_queries[..attn.of_queries.len()], live, d_model);
    }
    if let Some(w_pos) = &at.w_pos {
        let positioned = &scratch.positioned[..values];
        scatter_add(&mut grads[w_pos.clone()], positioned, layer.positions_of_rows(), d_model);
        kernels::add(&mut scratch.input[..values], positioned);
    }
}

kernel! {
    /// Backward of [`softmax_of_seen`](super::softmax_of_seen) for one head. In: dL/dpattern, `[query, key]`; out, in
    /// place: dL/dscores. The inner product of a pattern's row with its gradient equals that of `z` with its gradient,
    /// which is shorter; both are `[query, stride]`, and the head has the first `d_head` columns.
    pub fn softmax_of_seen_backward(
        grad: &mut [f32],
        pattern: &[f32],
        sight: (usize, AttentionDirection),
        positions: &[usize],
        z: [&[f32]; 2],
        widths: [usize; 2],
    ) {
        let ((len, direction), [d_head, stride]) = (sight, widths);
        let rows = grad.chunks_exact_mut(len).zip(pattern.chunks_exact(len));
        let z = z[0].chunks(stride).zip(z[1].chunks(stride));
        for (((grad, pattern), (z, z_grad)), &query) in rows.zip(z).zip(positions) {
            let along = dot(&z[..d_head], &z_grad[..d_head]);
            let (seen, unseen) = grad.split_at_mut(direction.end(query, len));
            for (g, p) in seen.iter_mut().zip(pattern) {
                *g = p * (*g - along);
            }
            unseen.fill(0.0);
        }
    }
}
