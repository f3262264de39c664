//! What the weights alone say: which tokens a head looks from and to, and what it then writes.
//!
//! Everything here is of the direct path from the embeddings; layer norm scales and biases are left out, so the weights
//! are best folded first (`model::fold`).

use nalgebra::DMatrix;

use super::attribution::{ResolvedTarget, product};
use super::neurons::NeuronDirections;
use super::probe::{Pass, Probe};
use crate::model::{HeadId, Mat, Weights, centre};
use crate::task::Token;

/// The circuits of one head (Elhage et al. 2021).
#[derive(Clone, Debug)]
pub struct HeadCircuits {
    /// Which head.
    pub id: HeadId,
    /// `W_E W_Q W_K^T W_E^T`, `[query token, key token]`; without 1/sqrt(`d_head`) and layer norm scales.
    pub qk: Vec<f32>,
    /// `W_E W_V W_O W_in`, `[token, neuron]`; empty in an attention-only model.
    pub ov_neuron: Vec<f32>,
    /// `W_E W_V W_O W_U`, `[token, logit]`.
    pub ov_logit: Vec<f32>,
    /// Sum of the eigenvalues of the token-to-logit map over the sum of their sizes: 1 for a head that only copies.
    pub copying_score: f32,
    /// Singular values of `qk`, largest first.
    pub qk_singular: Vec<f32>,
    /// Singular values of `ov_logit`, largest first.
    pub ov_singular: Vec<f32>,
}

/// A head's parts of the weights.
struct Head<'a> {
    weights: &'a Weights,
    id: HeadId,
}

impl<'a> Head<'a> {
    /// Query (0), key (1) or value (2) matrix, `[d_model, d_head]`.
    fn reads(&self, part: usize) -> Mat<'a> {
        let c = self.weights.config();
        let w_qkv = self.weights.part(&self.weights.layout.blocks[self.id.layer].w_qkv);
        let first = part * c.d_heads() + self.id.head * c.d_head;
        Mat::strided(&w_qkv[first..], c.d_model, c.d_head, 3 * c.d_heads())
    }

    /// `[d_head, d_model]`.
    fn writes(&self) -> Mat<'a> {
        let c = self.weights.config();
        let w_o = self.weights.part(&self.weights.layout.blocks[self.id.layer].w_o);
        Mat::new(&w_o[self.id.head * c.d_head * c.d_model..], c.d_head, c.d_model)
    }

    /// `x reads reads^T x^T` of rows `x`, `[rows, d_model]`: `[rows, rows]`.
    fn match_rows(&self, x: &[f32]) -> Vec<f32> {
        let c = self.weights.config();
        let rows = x.len() / c.d_model;
        let x = Mat::new(x, rows, c.d_model);
        let (q, k) = (product(x, self.reads(0), rows, c.d_head), product(x, self.reads(1), rows, c.d_head));
        product(Mat::new(&q, rows, c.d_head), Mat::new(&k, rows, c.d_head).t(), rows, rows)
    }
}

impl HeadCircuits {
    /// Multiplies the weights out. The head must exist.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let c = weights.config();
        let head = Head { weights, id };
        let w_e = weights.part(&weights.layout.w_e);
        let values = product(Mat::new(w_e, c.d_vocab, c.d_model), head.reads(2), c.d_vocab, c.d_head);
        let written = product(Mat::new(&values, c.d_vocab, c.d_head), head.writes(), c.d_vocab, c.d_model);
        let through = |matrix: &[f32], cols: usize| {
            product(
                Mat::new(&written, c.d_vocab, c.d_model),
                Mat::new(matrix, c.d_model, cols),
                c.d_vocab,
                cols,
            )
        };
        let mlp = weights.layout.blocks[id.layer].mlp.as_ref();
        let ov_neuron = mlp.map_or(Vec::new(), |mlp| through(weights.part(&mlp.w_in), c.d_mlp));
        let w_u = weights.part(&weights.layout.w_u);
        let (qk, ov_logit) = (head.match_rows(w_e), through(w_u, c.outputs()));
        // The non-zero eigenvalues of AB are those of BA, and this order makes the smaller matrix.
        let around = (c.outputs() == c.d_vocab).then(|| {
            let from_head = product(head.writes(), Mat::new(w_u, c.d_model, c.d_vocab), c.d_head, c.d_vocab);
            let (out, back) =
                (Mat::new(&from_head, c.d_head, c.d_vocab), Mat::new(&values, c.d_vocab, c.d_head));
            product(out, back, c.d_head, c.d_head)
        });
        Self {
            id,
            copying_score: around.map_or(f32::NAN, |around| copying_score(&around, c.d_head)),
            qk_singular: singular_values(&qk, c.d_vocab),
            ov_singular: singular_values(&ov_logit, c.outputs()),
            qk,
            ov_neuron,
            ov_logit,
        }
    }

    /// `ov_neuron` less its mean over the tokens: what tells tokens apart, `[token, neuron]`.
    pub fn ov_neuron_centred(&self, d_vocab: usize) -> Vec<f32> {
        let d_mlp = self.ov_neuron.len() / d_vocab;
        let mut by_neuron = transposed(&self.ov_neuron, d_vocab, d_mlp);
        centre(&mut by_neuron, d_vocab);
        transposed(&by_neuron, d_mlp, d_vocab)
    }
}

/// Every head's circuits, by layer, then head.
pub fn circuits(weights: &Weights) -> Vec<HeadCircuits> {
    weights.config().heads().map(|id| HeadCircuits::new(weights, id)).collect()
}

/// `W_pos W_Q W_K^T W_pos^T` of one head, `[query position, key position]`; without 1/sqrt(`d_head`) and layer norm scales.
pub fn qk_over_positions(weights: &Weights, id: HeadId) -> Vec<f32> {
    Head { weights, id }.match_rows(weights.part(&weights.layout.w_pos))
}

fn transposed(matrix: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols).flat_map(|col| (0..rows).map(move |row| matrix[row * cols + col])).collect()
}

fn singular_values(matrix: &[f32], width: usize) -> Vec<f32> {
    let finite = matrix.iter().all(|x| x.is_finite());
    let matrix = DMatrix::from_row_slice(matrix.len() / width, width, matrix);
    // An iteration over NaN does not end.
    if finite { matrix.singular_values().iter().copied().collect() } else { Vec::new() }
}

fn copying_score(matrix: &[f32], width: usize) -> f32 {
    if matrix.iter().any(|x| !x.is_finite()) {
        return f32::NAN;
    }
    let eigenvalues = DMatrix::from_row_slice(width, width, matrix).complex_eigenvalues();
    let sizes: f32 = eigenvalues.iter().map(|value| value.norm()).sum();
    if sizes == 0.0 { 0.0 } else { eigenvalues.iter().map(|value| value.re).sum::<f32>() / sizes }
}

/// A way from a token through a head and a neuron to a logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPath {
    /// The token attended to.
    pub token: Token,
    /// The head.
    pub head: HeadId,
    /// The neuron, of the head's layer.
    pub neuron: usize,
    /// From the weights alone: how much more than the average token this one drives the neuron, times what the neuron adds
    /// to the target for an activation of 1.
    pub score: f32,
    /// What the token's positions add to the neuron's `hook_pre` at the query, through the attention there; nothing through
    /// a head that is off, whatever it is set to.
    pub drive: f32,
    /// What the neuron adds to the target at the query.
    pub contribution: f32,
}

/// The `most` paths of a layer's heads with the largest |score| for a target, with what is measured at `position` of a
/// probe, as it is ablated. `directions` are of the same, folded weights as the circuits; what is measured may be of
/// another snapshot.
pub fn paths(
    circuits: &[HeadCircuits],
    directions: &NeuronDirections,
    probe: &Probe,
    (layer, position): (usize, usize),
    target: ResolvedTarget,
    most: usize,
) -> Vec<TokenPath> {
    let (snapshot, pass) = (&*probe.request.snapshot, probe.current());
    let c = snapshot.config();
    let mut found = Vec::new();
    for circuit in circuits.iter().filter(|circuit| circuit.id.layer == layer) {
        let is_off = probe.ablated.is_some() && probe.request.interventions.heads.contains(&circuit.id);
        let drives = if is_off {
            vec![0.0; circuit.ov_neuron.len()]
        } else {
            drive(&snapshot.weights, pass, &probe.request.tokens, circuit.id, position)
        };
        for (cell, drive_score) in circuit.ov_neuron_centred(c.d_vocab).into_iter().enumerate() {
            let (token, neuron) = (cell / c.d_mlp, cell % c.d_mlp);
            found.push(TokenPath {
                token: token as Token,
                head: circuit.id,
                neuron,
                score: drive_score * target.value(directions.of(layer, neuron)),
                drive: drives[cell],
                contribution: 0.0,
            });
        }
    }
    found.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    found.truncate(most);
    for path in &mut found {
        path.contribution =
            probe.directions.contribution(&pass.activations, layer, path.neuron, position, target);
    }
    found
}

/// What each token's positions add to each neuron's `hook_pre` at a query through one head, `[token, neuron]`.
fn drive(weights: &Weights, pass: &Pass, tokens: &[Token], id: HeadId, query: usize) -> Vec<f32> {
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
    let has_norm = c.normalization_type != crate::model::Normalization::None;
    if has_norm {
        centre(&mut written, c.d_model);
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
