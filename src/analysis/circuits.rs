//! Circuits from the weights alone: which tokens a head attends from and to, and what the head then writes.
//!
//! Everything here describes the direct path from the embeddings; norm scales and biases are left out, so fold
//! the weights first (`model::fold`).

use nalgebra::DMatrix;

use super::low_rank::LowRank;
use super::pass::Pass;
use super::readout::product;
use crate::model::{HeadId, Mat, ModelConfig, Weights, centre};
use crate::task::Token;

/// What the weights say about one head (Elhage et al. 2021).
#[derive(Clone, Debug)]
pub struct HeadCircuits {
    /// Which head.
    pub id: HeadId,
    /// Sum of the eigenvalues of the token-to-logit map over the sum of their absolute values: 1 for a head that only
    /// copies.
    pub copying_score: f32,
    /// The non-zero singular values of [`HeadMaps::qk`], at most `d_head`, largest first.
    pub qk_singular: Vec<f32>,
    /// The same of [`HeadMaps::ov_logit`].
    pub ov_singular: Vec<f32>,
}

/// The maps of one head over the vocabulary.
#[derive(Clone, Debug)]
pub struct HeadMaps {
    /// Which head.
    pub id: HeadId,
    /// `W_E W_Q W_K^T W_E^T`, `[query token, key token]`; without 1/`attn_scale` and norm scales. With rotary positions,
    /// for a query and a key at the same position.
    pub qk: LowRank,
    /// `W_E W_V W_O W_U`, `[token, logit]`.
    pub ov_logit: LowRank,
}

/// The weights of one head.
pub(super) struct Head<'a> {
    pub(super) weights: &'a Weights,
    pub(super) id: HeadId,
}

impl<'a> Head<'a> {
    /// Query (0), key (1) or value (2) matrix, `[d_model, d_head]`.
    pub(super) fn reads(&self, part: usize) -> Mat<'a> {
        let c = self.weights.config();
        let w_qkv = self.weights.part(&self.weights.layout.blocks[self.id.layer].attn.w_qkv);
        let first = part * c.d_heads() + self.id.head * c.d_head;
        Mat::strided(&w_qkv[first..], c.d_model, c.d_head, 3 * c.d_heads())
    }

    /// `[d_head, d_model]`.
    pub(super) fn writes(&self) -> Mat<'a> {
        let c = self.weights.config();
        let w_o = self.weights.part(&self.weights.layout.blocks[self.id.layer].attn.w_o);
        Mat::new(&w_o[self.id.head * c.d_head * c.d_model..], c.d_head, c.d_model)
    }

    /// `W_E W_V`, `[token, d_head]`.
    pub(super) fn values(&self) -> Vec<f32> {
        let c = self.weights.config();
        let w_e = Mat::new(self.weights.part(&self.weights.layout.w_e), c.d_vocab, c.d_model);
        product(w_e, self.reads(2), c.d_vocab, c.d_head)
    }

    /// `(W_O M)^T` of a matrix that reads the stream, `[d_model, cols]`: `[cols, d_head]`.
    fn writes_into(&self, matrix: &[f32], cols: usize) -> Vec<f32> {
        let c = self.weights.config();
        transposed(&product(self.writes(), Mat::new(matrix, c.d_model, cols), c.d_head, cols), c.d_head, cols)
    }

    /// The same into the logits, `[class, d_head]`.
    pub(super) fn to_logits(&self) -> Vec<f32> {
        self.writes_into(self.weights.part(&self.weights.layout.w_u), self.weights.config().outputs())
    }

    /// Queries and keys of rows `x`, `[rows, d_model]`: `[rows, d_head]` each.
    pub(super) fn queries_and_keys(&self, x: &[f32]) -> [Vec<f32>; 2] {
        let c = self.weights.config();
        let rows = x.len() / c.d_model;
        [0, 1].map(|part| product(Mat::new(x, rows, c.d_model), self.reads(part), rows, c.d_head))
    }
}

impl HeadCircuits {
    /// Multiplies the weight matrices. The head must exist.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let c = weights.config();
        let head = Head { weights, id };
        let (values, to_logits) = (head.values(), head.to_logits());
        let [queries, keys] = head.queries_and_keys(weights.part(&weights.layout.w_e));
        // AB and BA have the same non-zero eigenvalues; this order gives the smaller matrix.
        let around = can_copy(c).then(|| {
            let out = Mat::new(&to_logits, c.d_vocab, c.d_head).t();
            product(out, Mat::new(&values, c.d_vocab, c.d_head), c.d_head, c.d_head)
        });
        Self {
            id,
            copying_score: around.map_or(f32::NAN, |around| copying_score(&around, c.d_head)),
            qk_singular: singular_values(&queries, &keys, c.d_head),
            ov_singular: singular_values(&values, &to_logits, c.d_head),
        }
    }
}

impl HeadMaps {
    /// Largest number of values, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig) -> u128 {
        let [d_vocab, outputs, d_head] = [c.d_vocab, c.outputs(), c.d_head].map(|n| n as u128);
        (3 * d_vocab + outputs) * d_head + LowRank::MOST_KEPT
    }

    /// Multiplies the weight matrices. The head must exist.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let (head, d_head) = (Head { weights, id }, weights.config().d_head);
        let [queries, keys] = head.queries_and_keys(weights.part(&weights.layout.w_e));
        let ov_logit = LowRank::new(head.values(), head.to_logits(), d_head);
        Self { id, qk: LowRank::new(queries, keys, d_head), ov_logit }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.qk.bytes() + self.ov_logit.bytes()
    }
}

/// How strongly a head drives the neurons of its layer.
#[derive(Clone, Debug)]
pub struct HeadDrive {
    /// Which head.
    pub id: HeadId,
    /// `W_E W_V W_O W_in` minus its mean over the tokens, to show differences between tokens, `[token, neuron]`.
    pub values: LowRank,
    /// The neurons, widest range of values first.
    pub order: Vec<usize>,
}

impl HeadDrive {
    /// Multiplies the weight matrices. The head must exist, and the model must have neurons.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let d_mlp = weights.config().d_mlp;
        let values = ov_neuron(weights, id).centred();
        let mut largest = vec![0.0_f32; d_mlp];
        for (_, cells) in values.blocks() {
            for row in cells.chunks_exact(d_mlp) {
                largest.iter_mut().zip(row).for_each(|(most, x)| *most = most.max(x.abs()));
            }
        }
        let mut order: Vec<usize> = (0..d_mlp).collect();
        order.sort_by(|a, b| largest[*b].total_cmp(&largest[*a]));
        Self { id, values, order }
    }
}

/// `W_E W_V W_O W_in` of one head, `[token, neuron]`; without columns in an attention-only model.
pub fn ov_neuron(weights: &Weights, id: HeadId) -> LowRank {
    let (head, c) = (Head { weights, id }, weights.config());
    let w_in = weights.layout.blocks[id.layer].mlp.as_ref().map(|mlp| weights.part(&mlp.w_in));
    let into = w_in.map_or_else(Vec::new, |w_in| head.writes_into(w_in, c.d_mlp));
    LowRank::new(head.values(), into, c.d_head)
}

/// Every head's circuits, by layer, then head.
pub fn circuits(weights: &Weights) -> Vec<HeadCircuits> {
    weights.config().heads().map(|id| HeadCircuits::new(weights, id)).collect()
}

/// `W_pos W_Q W_K^T W_pos^T` of one head, `[query position, key position]`; without 1/`attn_scale` and norm scales. Zeros
/// in a model without `W_pos`.
pub fn qk_over_positions(weights: &Weights, id: HeadId) -> LowRank {
    let c = weights.config();
    let zeros = || [(); 2].map(|()| vec![0.0; c.n_ctx * c.d_head]);
    let [queries, keys] = weights
        .layout
        .w_pos
        .as_ref()
        .map_or_else(zeros, |w_pos| Head { weights, id }.queries_and_keys(weights.part(w_pos)));
    LowRank::new(queries, keys, c.d_head)
}

pub(super) fn transposed(matrix: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols).flat_map(|col| (0..rows).map(move |row| matrix[row * cols + col])).collect()
}

/// Iterations per row of a matrix before a decomposition is abandoned: a cyclic shift never converges.
const MOST_ITERATIONS: usize = 100;

/// Singular values of `a b^T`, both with `width` columns, largest first; empty if a value is not finite or the
/// decomposition does not converge. With more rows than columns, computed from the small product of the two R factors,
/// which has the same non-zero singular values.
fn singular_values(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    if a.iter().chain(b).any(|x| !x.is_finite()) {
        return Vec::new();
    }
    let rows = (a.len() / width).min(b.len() / width);
    let [a, b] = [a, b].map(|x| DMatrix::from_row_slice(x.len() / width, width, x));
    let small = if rows <= width { a * b.transpose() } else { a.qr().r() * b.qr().r().transpose() };
    let svd = small.try_svd(false, false, 5.0 * f32::EPSILON, MOST_ITERATIONS * rows.max(width));
    let Some(svd) = svd else { return Vec::new() };
    svd.singular_values.iter().copied().collect()
}

/// Whether a copying score means anything: classes are tokens, of which there are three or more, and there is more than one
/// eigenvalue. A single eigenvalue, as of two centred tokens, makes the score 1 or -1 of any weights.
pub fn can_copy(c: &ModelConfig) -> bool {
    c.outputs() == c.d_vocab && c.d_vocab > 2 && c.d_head > 1
}

/// NaN if a value is not finite or the decomposition does not converge.
fn copying_score(matrix: &[f32], width: usize) -> f32 {
    eigenvalues(matrix, width).map_or(f32::NAN, |eigenvalues| score_of(&eigenvalues))
}

/// Real and imaginary parts of the eigenvalues of a square matrix; `None` if a value is not finite or the decomposition does
/// not converge.
pub(super) fn eigenvalues(matrix: &[f32], width: usize) -> Option<Vec<[f32; 2]>> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let matrix = DMatrix::from_row_slice(width, width, matrix);
    let schur = matrix.try_schur(f32::EPSILON, MOST_ITERATIONS * width)?;
    Some(schur.complex_eigenvalues().iter().map(|value| [value.re, value.im]).collect())
}

/// The sum of eigenvalues over the sum of their absolute values; 0 if all are 0.
pub(super) fn score_of(eigenvalues: &[[f32; 2]]) -> f32 {
    let sizes: f32 = eigenvalues.iter().map(|[re, im]| re.hypot(*im)).sum();
    if sizes == 0.0 { 0.0 } else { eigenvalues.iter().map(|[re, _]| re).sum::<f32>() / sizes }
}

/// Contribution of each token's positions to each neuron's `hook_pre` at a query, through one head: the tokens of the
/// sequence in ascending order, and `[token, neuron]`.
pub fn drive(
    weights: &Weights,
    pass: &Pass,
    tokens: &[Token],
    id: HeadId,
    query: usize,
) -> (Vec<Token>, Vec<f32>) {
    let c = weights.config();
    let (Some(at), Some(mlp)) =
        (&weights.layout.blocks[id.layer].mlp, &pass.activations.blocks[id.layer].mlp)
    else {
        return (Vec::new(), Vec::new());
    };
    let qkv = &pass.activations.blocks[id.layer].attn.qkv;
    let mut distinct = tokens.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut seen = vec![0.0; distinct.len() * c.d_head];
    for (key, (token, weight)) in tokens.iter().zip(pass.attention(id.layer, id.head, query)).enumerate() {
        let value = &qkv[key * 3 * c.d_heads() + 2 * c.d_heads() + id.head * c.d_head..][..c.d_head];
        let row = distinct.partition_point(|other| other < token);
        let into = &mut seen[row * c.d_head..][..c.d_head];
        into.iter_mut().zip(value).for_each(|(into, v)| *into += weight * v);
    }
    let rows = distinct.len();
    let mut written =
        product(Mat::new(&seen, rows, c.d_head), Head { weights, id }.writes(), rows, c.d_model);
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
    let w_in = Mat::new(weights.part(&at.w_in), c.d_model, c.d_mlp);
    (distinct, product(Mat::new(&written, rows, c.d_model), w_in, rows, c.d_mlp))
}
