//! Circuits from the weights alone: which tokens a head attends from and to, and what it writes then.
//!
//! Everything here describes the direct path from the embeddings; norm scales and biases are left out, so fold
//! the weights first (`model::fold`).

use nalgebra::DMatrix;

use super::pass::Pass;
use super::readout::product;
use crate::model::{HeadId, Mat, Weights, centre};
use crate::task::Token;

/// The circuits of one head (Elhage et al. 2021).
#[derive(Clone, Debug)]
pub struct HeadCircuits {
    /// Which head.
    pub id: HeadId,
    /// `W_E W_Q W_K^T W_E^T`, `[query token, key token]`; without 1/`attn_scale` and norm scales. With rotary positions,
    /// for a query and a key at the same position.
    pub qk: Vec<f32>,
    /// `W_E W_V W_O W_in`, `[token, neuron]`; empty in an attention-only model.
    pub ov_neuron: Vec<f32>,
    /// `W_E W_V W_O W_U`, `[token, logit]`.
    pub ov_logit: Vec<f32>,
    /// Sum of the eigenvalues of the token-to-logit map over the sum of their absolute values: 1 for a head that only
    /// copies.
    pub copying_score: f32,
    /// Singular values of `qk`, largest first.
    pub qk_singular: Vec<f32>,
    /// Singular values of `ov_logit`, largest first.
    pub ov_singular: Vec<f32>,
}

/// The weights of one head.
struct Head<'a> {
    weights: &'a Weights,
    id: HeadId,
}

impl<'a> Head<'a> {
    /// Query (0), key (1) or value (2) matrix, `[d_model, d_head]`.
    fn reads(&self, part: usize) -> Mat<'a> {
        let c = self.weights.config();
        let w_qkv = self.weights.part(&self.weights.layout.blocks[self.id.layer].attn.w_qkv);
        let first = part * c.d_heads() + self.id.head * c.d_head;
        Mat::strided(&w_qkv[first..], c.d_model, c.d_head, 3 * c.d_heads())
    }

    /// `[d_head, d_model]`.
    fn writes(&self) -> Mat<'a> {
        let c = self.weights.config();
        let w_o = self.weights.part(&self.weights.layout.blocks[self.id.layer].attn.w_o);
        Mat::new(&w_o[self.id.head * c.d_head * c.d_model..], c.d_head, c.d_model)
    }

    /// `W_E W_V`, `[token, d_head]`.
    fn values(&self) -> Vec<f32> {
        let c = self.weights.config();
        let w_e = Mat::new(self.weights.part(&self.weights.layout.w_e), c.d_vocab, c.d_model);
        product(w_e, self.reads(2), c.d_vocab, c.d_head)
    }

    /// `W_E W_V W_O`, `[token, d_model]`.
    fn written(&self) -> Vec<f32> {
        let c = self.weights.config();
        product(Mat::new(&self.values(), c.d_vocab, c.d_head), self.writes(), c.d_vocab, c.d_model)
    }

    /// Queries and keys of rows `x`, `[rows, d_model]`: `[rows, d_head]` each.
    fn queries_and_keys(&self, x: &[f32]) -> [Vec<f32>; 2] {
        let c = self.weights.config();
        let rows = x.len() / c.d_model;
        [0, 1].map(|part| product(Mat::new(x, rows, c.d_model), self.reads(part), rows, c.d_head))
    }
}

/// `a b^T` of two matrices with `width` columns.
fn times_transposed(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let (rows, cols) = (a.len() / width, b.len() / width);
    product(Mat::new(a, rows, width), Mat::new(b, cols, width).t(), rows, cols)
}

impl HeadCircuits {
    /// Multiplies the weight matrices. The head must exist.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let c = weights.config();
        let head = Head { weights, id };
        let (values, written) = (head.values(), head.written());
        let w_u = weights.part(&weights.layout.w_u);
        let [queries, keys] = head.queries_and_keys(weights.part(&weights.layout.w_e));
        let qk = times_transposed(&queries, &keys, c.d_head);
        let w_u_matrix = Mat::new(w_u, c.d_model, c.outputs());
        let ov_logit = product(Mat::new(&written, c.d_vocab, c.d_model), w_u_matrix, c.d_vocab, c.outputs());
        let from_head = product(head.writes(), w_u_matrix, c.d_head, c.outputs());
        // AB and BA have the same non-zero eigenvalues; this order gives the smaller matrix.
        let around = (c.outputs() == c.d_vocab).then(|| {
            let (out, back) =
                (Mat::new(&from_head, c.d_head, c.d_vocab), Mat::new(&values, c.d_vocab, c.d_head));
            product(out, back, c.d_head, c.d_head)
        });
        Self {
            id,
            copying_score: around.map_or(f32::NAN, |around| copying_score(&around, c.d_head)),
            qk_singular: singular_values(&queries, &keys, c.d_head),
            ov_singular: singular_values(&values, &transposed(&from_head, c.d_head, c.outputs()), c.d_head),
            ov_neuron: ov_neuron(weights, id),
            qk,
            ov_logit,
        }
    }
}

/// How strongly a head drives the neurons of its layer.
#[derive(Clone, Debug)]
pub struct HeadDrive {
    /// Which head.
    pub id: HeadId,
    /// `W_E W_V W_O W_in` minus its mean over the tokens, to show differences between tokens, `[token, neuron]`.
    pub values: Vec<f32>,
    /// The neurons, widest range of values first.
    pub order: Vec<usize>,
}

impl HeadDrive {
    /// Multiplies the weight matrices. The head must exist, and the model must have neurons.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let (d_vocab, d_mlp) = (weights.config().d_vocab, weights.config().d_mlp);
        let mut by_neuron = transposed(&ov_neuron(weights, id), d_vocab, d_mlp);
        centre(&mut by_neuron, d_vocab);
        let largest = |row: &[f32]| row.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let mut order: Vec<(f32, usize)> =
            by_neuron.chunks_exact(d_vocab).map(largest).zip(0..d_mlp).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let order = order.into_iter().map(|(_, neuron)| neuron).collect();
        Self { id, values: transposed(&by_neuron, d_mlp, d_vocab), order }
    }
}

/// `W_E W_V W_O W_in` of one head, `[token, neuron]`; empty in an attention-only model.
fn ov_neuron(weights: &Weights, id: HeadId) -> Vec<f32> {
    let c = weights.config();
    let Some(mlp) = &weights.layout.blocks[id.layer].mlp else { return Vec::new() };
    let written = Head { weights, id }.written();
    let w_in = Mat::new(weights.part(&mlp.w_in), c.d_model, c.d_mlp);
    product(Mat::new(&written, c.d_vocab, c.d_model), w_in, c.d_vocab, c.d_mlp)
}

/// Every head's circuits, by layer, then head.
pub fn circuits(weights: &Weights) -> Vec<HeadCircuits> {
    weights.config().heads().map(|id| HeadCircuits::new(weights, id)).collect()
}

/// `W_pos W_Q W_K^T W_pos^T` of one head, `[query position, key position]`; without 1/`attn_scale` and norm scales. Zeros
/// in a model without `W_pos`.
pub fn qk_over_positions(weights: &Weights, id: HeadId) -> Vec<f32> {
    let n_ctx = weights.config().n_ctx;
    let Some(w_pos) = &weights.layout.w_pos else { return vec![0.0; n_ctx * n_ctx] };
    let [queries, keys] = Head { weights, id }.queries_and_keys(weights.part(w_pos));
    times_transposed(&queries, &keys, weights.config().d_head)
}

fn transposed(matrix: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols).flat_map(|col| (0..rows).map(move |row| matrix[row * cols + col])).collect()
}

/// Iterations per row of a matrix before a decomposition is abandoned: a cyclic shift never converges.
const MOST_ITERATIONS: usize = 100;

/// Singular values of `a b^T`, both with `width` columns, largest first; empty if a value is not finite or the
/// decomposition does not converge. With more rows than columns: those of the small product of the two R factors, which
/// are the same, and zeros.
fn singular_values(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    if a.iter().chain(b).any(|x| !x.is_finite()) {
        return Vec::new();
    }
    let rows = (a.len() / width).min(b.len() / width);
    let [a, b] = [a, b].map(|x| DMatrix::from_row_slice(x.len() / width, width, x));
    let small = if rows <= width { a * b.transpose() } else { a.qr().r() * b.qr().r().transpose() };
    let svd = small.try_svd(false, false, 5.0 * f32::EPSILON, MOST_ITERATIONS * rows.max(width));
    let Some(svd) = svd else { return Vec::new() };
    let mut values: Vec<f32> = svd.singular_values.iter().copied().collect();
    values.resize(rows, 0.0);
    values
}

/// NaN if a value is not finite or the decomposition does not converge.
fn copying_score(matrix: &[f32], width: usize) -> f32 {
    if matrix.iter().any(|x| !x.is_finite()) {
        return f32::NAN;
    }
    let matrix = DMatrix::from_row_slice(width, width, matrix);
    let Some(schur) = matrix.try_schur(f32::EPSILON, MOST_ITERATIONS * width) else { return f32::NAN };
    let eigenvalues = schur.complex_eigenvalues();
    let sizes: f32 = eigenvalues.iter().map(|value| value.norm()).sum();
    if sizes == 0.0 { 0.0 } else { eigenvalues.iter().map(|value| value.re).sum::<f32>() / sizes }
}

/// Contribution of each token's positions to each neuron's `hook_pre` at a query, through one head, `[token, neuron]`.
pub fn drive(weights: &Weights, pass: &Pass, tokens: &[Token], id: HeadId, query: usize) -> Vec<f32> {
    let c = weights.config();
    let (Some(at), Some(mlp)) =
        (&weights.layout.blocks[id.layer].mlp, &pass.activations.blocks[id.layer].mlp)
    else {
        return Vec::new();
    };
    let qkv = &pass.activations.blocks[id.layer].attn.qkv;
    let mut seen = vec![0.0; c.d_vocab * c.d_head];
    for (key, (&token, weight)) in tokens.iter().zip(pass.attention(id.layer, id.head, query)).enumerate() {
        let value = &qkv[key * 3 * c.d_heads() + 2 * c.d_heads() + id.head * c.d_head..][..c.d_head];
        let into = &mut seen[usize::from(token) * c.d_head..][..c.d_head];
        into.iter_mut().zip(value).for_each(|(into, v)| *into += weight * v);
    }
    let mut written =
        product(Mat::new(&seen, c.d_vocab, c.d_head), Head { weights, id }.writes(), c.d_vocab, c.d_model);
    if c.normalization_type.is_centred() {
        centre(&mut written, c.d_model);
    }
    if c.has_norms() {
        let scale = mlp.ln2.scale[query];
        let w = weights.affine(at.ln2.as_ref()).map_or(vec![1.0; c.d_model], |affine| affine.w.to_vec());
        written
            .chunks_exact_mut(c.d_model)
            .for_each(|row| row.iter_mut().zip(&w).for_each(|(x, w)| *x *= w / scale));
    }
    product(
        Mat::new(&written, c.d_vocab, c.d_model),
        Mat::new(weights.part(&at.w_in), c.d_model, c.d_mlp),
        c.d_vocab,
        c.d_mlp,
    )
}
