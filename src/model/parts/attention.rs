//! Attention: queries, keys and values of all heads as one product, a pattern per head, and the heads' outputs.

mod backward;
mod composed;
mod head;

use std::borrow::Cow;
use std::ops::Range;

use super::PositionEmbedding;
use super::linear::{Folder, Params};
use super::norm::{NormLayout, Normed};
use super::rotary::Turn;
use crate::model::clone_into::{clone_into_buffers, fit};
use crate::model::config::ModelConfig;
use crate::model::edit::Hook;
use crate::model::hooks::Hooks;
use crate::model::kernels::{add, add_row, fill_rows, gather, gather_add};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::place::{LayoutBuilder, TensorView};
use crate::model::tile::Layer;

pub(crate) use backward::backward;
use head::{Head, Part, head_offset, softmax_of_seen};

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

/// Attention activations of a block.
#[derive(Debug, Default)]
pub struct AttentionActivations {
    /// Input of the query, key and value matrices, `[pos, d_model]`.
    pub input: Vec<f32>,
    /// The input of queries and keys where they also read `W_pos`, `[pos, d_model]`; empty otherwise.
    pub positioned: Vec<f32>,
    /// The input of queries where not every row is one, `[query, d_model]`; empty otherwise.
    pub of_queries: Vec<f32>,
    /// `[pos, 3, n_heads, d_head]`: queries, keys, values side by side; rotated if positions are rotary. Where not every
    /// row is a query, the queries stand in the first rows.
    pub qkv: Vec<f32>,
    /// `[n_heads, query, key]` of one sequence after the other; 0 for keys that the query does not see.
    pub pattern: Vec<f32>,
    /// `[query, n_heads, d_head]`.
    pub z: Vec<f32>,
}

clone_into_buffers!(AttentionActivations: input, positioned, of_queries, qkv, z; pattern);

impl AttentionActivations {
    /// Sizes the buffers for a tile.
    pub(crate) fn fit(&mut self, c: &ModelConfig, layer: Layer<'_>) {
        let (rows, queries) = (layer.rows(), layer.queries());
        let is_shortformer = c.positional_embedding_type == PositionEmbedding::Shortformer;
        fit(&mut self.input, rows * c.d_model);
        fit(&mut self.positioned, if is_shortformer { rows * c.d_model } else { 0 });
        fit(&mut self.of_queries, if layer.live().is_some() { queries * c.d_model } else { 0 });
        fit(&mut self.qkv, rows * 3 * c.d_heads());
        fit(&mut self.pattern, layer.cells() * c.n_heads);
        fit(&mut self.z, queries * c.d_heads());
    }
}

/// What a third of [`AttentionActivations::qkv`] is computed from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Input,
    Positioned,
    OfQueries,
}

/// The source of each range of columns of `qkv`.
fn sources(c: &ModelConfig, layer: Layer<'_>) -> impl Iterator<Item = (Source, Range<usize>)> {
    let is_shortformer = c.positional_embedding_type == PositionEmbedding::Shortformer;
    let of_keys = if is_shortformer { Source::Positioned } else { Source::Input };
    let of_queries = if layer.live().is_some() { Source::OfQueries } else { of_keys };
    let d_heads = c.d_heads();
    let thirds = [of_queries, of_keys, Source::Input];
    let starts = (0..3).filter(move |&part| part == 0 || thirds[part] != thirds[part - 1]);
    starts.map(move |first| {
        let end = (first..3).find(|&part| thirds[part] != thirds[first]).unwrap_or(3);
        (thirds[first], first * d_heads..end * d_heads)
    })
}

impl AttentionActivations {
    fn source(&self, source: Source) -> &[f32] {
        match source {
            Source::Input => &self.input,
            Source::Positioned => &self.positioned,
            Source::OfQueries => &self.of_queries,
        }
    }
}

/// Computes `z` from the residual stream.
pub(crate) fn forward(
    of: Params<'_>,
    at: &AttentionLayout,
    layer: Layer<'_>,
    stream: &[f32],
    (ln1, attn): (&mut Normed, &mut AttentionActivations),
) {
    let c = of.config;
    c.norm().forward(stream, c.d_model, of.affine(at.ln1.as_ref()), ln1, &mut attn.input);
    project(of, at, layer, attn);
    layer.edit_queries(Hook::Q, &mut attn.qkv);
    layer.edit_rows(Hook::K, &mut attn.qkv);
    layer.edit_rows(Hook::V, &mut attn.qkv);
    rotate(of, Turn::Forth, layer, &mut attn.qkv);
    for span in layer.spans() {
        for head in (0..c.n_heads).map(|index| Head { c, span: &span, index }) {
            let pattern = &mut attn.pattern[head.cells()];
            head.scores(&attn.qkv, pattern);
            // A query that sees no key has no pattern: its row is NaN until hidden keys are set to 0.
            span.keys.fill_hidden(pattern, f32::NEG_INFINITY);
            softmax_of_seen(pattern, span.rows.len(), span.positions, c.attention_dir);
            span.keys.fill_hidden(pattern, 0.0);
            head.mix(&attn.qkv, pattern, &mut attn.z);
        }
    }
    edit_patterns(c, layer, attn);
}

/// Computes queries, keys and values from the input.
fn project(of: Params<'_>, at: &AttentionLayout, layer: Layer<'_>, attn: &mut AttentionActivations) {
    let (d_model, width) = (of.config.d_model, 3 * of.config.d_heads());
    if let Some(w_pos) = &at.w_pos {
        attn.positioned.copy_from_slice(&attn.input);
        gather_add(&mut attn.positioned, of.part(w_pos), layer.positions_of_rows(), d_model);
    }
    if let Some(live) = layer.live() {
        let from = if at.w_pos.is_some() { &attn.positioned } else { &attn.input };
        gather(&mut attn.of_queries, from, live, d_model);
    }
    let mut qkv = std::mem::take(&mut attn.qkv);
    fill_rows(&mut qkv, of.part(&at.b_qkv));
    for (source, columns) in sources(of.config, layer) {
        let from = attn.source(source);
        let (rows, cols) = (from.len() / d_model, columns.len());
        let matrix = Mat::strided(&of.part(&at.w_qkv)[columns.start..], d_model, cols, width);
        let out = MatMut::strided(&mut qkv[columns.start..], rows, cols, width);
        matmul(out, Write::Add, 1.0, Mat::new(from, rows, d_model), matrix);
    }
    attn.qkv = qkv;
}

/// Rotates queries and keys, or their gradients, if positions are rotary.
fn rotate(of: Params<'_>, turn: Turn, layer: Layer<'_>, qkv: &mut [f32]) {
    let (c, width) = (of.config, 3 * of.config.d_heads());
    if let Some(rotation) = of.rotation {
        let parts = [(Part::Query, layer.positions()), (Part::Key, layer.positions_of_rows())];
        for (part, positions) in parts {
            let first = head_offset(c, part, 0);
            let rows = qkv.chunks_exact_mut(width).map(|row| &mut row[first..first + c.d_heads()]);
            rotation.apply(turn, rows.zip(positions.iter().copied()), c.d_head);
        }
    }
}

/// Queries, keys and values before any rotation.
pub(crate) fn unrotated<'a>(of: Params<'_>, layer: Layer<'_>, qkv: &'a [f32]) -> Cow<'a, [f32]> {
    if of.rotation.is_none() {
        return Cow::Borrowed(qkv);
    }
    let mut qkv = qkv.to_vec();
    rotate(of, Turn::Back, layer, &mut qkv);
    Cow::Owned(qkv)
}

/// Replaces patterns, and recomputes `z`.
pub(crate) fn edit_patterns(c: &ModelConfig, layer: Layer<'_>, attn: &mut AttentionActivations) {
    for span in layer.spans() {
        for edit in &span.edit.patterns {
            let head = Head { c, span: &span, index: edit.head };
            let pattern = &mut attn.pattern[head.cells()];
            edit.apply(pattern, span.positions, span.keys);
            head.mix(&attn.qkv, pattern, &mut attn.z);
        }
    }
}

/// The stream, `[pos, d_model]`, plus the heads' outputs, after the edits of `z` and of the outputs, into `out`,
/// `[query, d_model]`.
pub(crate) fn write(
    of: Params<'_>,
    at: &AttentionLayout,
    layer: Layer<'_>,
    (stream, attn): (&[f32], &mut AttentionActivations),
    out: &mut [f32],
) {
    layer.edit_queries(Hook::Z, &mut attn.z);
    sum(of, at, layer, (stream, &attn.z), out);
}

/// The same of `z` as it is.
pub(crate) fn sum(
    of: Params<'_>,
    at: &AttentionLayout,
    layer: Layer<'_>,
    (stream, z): (&[f32], &[f32]),
    out: &mut [f32],
) {
    if layer.edits(Hook::AttnOut) {
        let mut written = self::out(of, at, z);
        layer.edit_queries(Hook::AttnOut, &mut written);
        add_row(out, stream, layer.live(), &vec![0.0; of.config.d_model]);
        return add(out, &written);
    }
    of.project((stream, layer.live()), z, of.config.d_heads(), (&at.w_o, &at.b_o), out);
}

/// `z W_O + b_O`, `[pos, d_model]`: `hook_attn_out`.
pub(crate) fn out(of: Params<'_>, at: &AttentionLayout, z: &[f32]) -> Vec<f32> {
    let d_heads = of.config.d_heads();
    let mut out = vec![0.0; z.len() / d_heads * of.config.d_model];
    of.linear(z, d_heads, (&at.w_o, &at.b_o), &mut out);
    out
}

impl Hooks {
    /// `hook_q` to `hook_attn_out` of a block.
    pub(crate) fn attention(
        &mut self,
        of: Params<'_>,
        at: &AttentionLayout,
        block: &str,
        (attn, layer): (&AttentionActivations, Layer<'_>),
    ) {
        let (c, len) = (of.config, self.len);
        let name = |part: &str| format!("{block}.{part}");
        self.heads(c, &name("attn.hook"), &["q", "k", "v"], &unrotated(of, layer, &attn.qkv));
        if of.rotation.is_some() {
            self.heads(c, &name("attn.hook_rot"), &["q", "k"], &attn.qkv);
        }
        let mut all = vec![0.0; c.n_heads * len * len];
        for span in layer.spans() {
            for head in (0..c.n_heads).map(|index| Head { c, span: &span, index }) {
                let out = &mut all[head.cells()];
                head.scores(&attn.qkv, out);
                let rows = out.chunks_exact_mut(len).enumerate();
                rows.for_each(|(query, row)| row[span.keys.end(query)..].fill(f32::NEG_INFINITY));
                span.keys.fill_hidden(out, f32::NEG_INFINITY);
            }
        }
        self.push(&name("attn.hook_attn_scores"), &[c.n_heads, len, len], all);
        self.push(&name("attn.hook_pattern"), &[c.n_heads, len, len], attn.pattern.clone());
        self.push(&name("attn.hook_z"), &[len, c.n_heads, c.d_head], attn.z.clone());
        self.stream(&name("hook_attn_out"), out(of, at, &attn.z));
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
