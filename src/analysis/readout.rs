//! What a vector of the residual stream adds to each logit.

use super::logits::prediction;
use super::target::ResolvedTarget;
use crate::model::{Activations, Mat, MatMut, ModelConfig, Weights, Write, centre, matmul, transpose};
use crate::task::Class;

/// Larger output vocabularies are read at the requested classes only.
pub const MOST_CLASSES: usize = 4096;

/// `a b`, row-major.
pub(super) fn product(a: Mat<'_>, b: Mat<'_>, rows: usize, cols: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * cols];
    matmul(MatMut::new(&mut out, rows, cols), Write::Set, 1.0, a, b);
    out
}

/// The sum of products of two rows.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let (mut sums, ends) = ([0.0; LANES], a.len() / LANES * LANES);
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f32>() + a[ends..].iter().zip(&b[ends..]).map(|(a, b)| a * b).sum::<f32>()
}

/// The final norm's weight and `W_U` as one map from the residual stream to centred logits, before the final norm's scale.
#[derive(Clone, Debug)]
pub struct Readout {
    /// `[d_vocab_out, d_model]`; centred over the classes, and over `d_model` if the norm centres.
    rows: Vec<f32>,
    /// The part that reaches the logits without the stream: `ln_final.b W_U + b_U`, centred, `[d_vocab_out]`.
    pub bias: Vec<f32>,
    /// `W_out` by layer, `[d_mlp, d_model]`; none in an attention-only model.
    w_out: Vec<Vec<f32>>,
    pub(super) d_model: usize,
    has_norm: bool,
}

impl Readout {
    /// Number of values, as a type that cannot overflow.
    pub fn approximate_values(c: &ModelConfig) -> u128 {
        let rows = c.outputs() + c.n_layers * if c.has_mlp() { c.d_mlp } else { 0 };
        (c.d_model as u128 + 1) * rows as u128
    }

    /// The readout of these weights.
    pub fn new(weights: &Weights) -> Self {
        let c = weights.config();
        let mut matrix = weights.part(&weights.layout.w_u).to_vec();
        if let Some(affine) = weights.affine(weights.layout.ln_final.as_ref()) {
            for (row, w) in matrix.chunks_exact_mut(c.outputs()).zip(affine.w) {
                row.iter_mut().for_each(|x| *x *= w);
            }
        }
        centre(&mut matrix, c.outputs());
        let mut rows = vec![0.0; matrix.len()];
        transpose(&matrix, c.outputs(), &mut rows);
        if c.normalization_type.is_centred() {
            centre(&mut rows, c.d_model);
        }
        let mlps = weights.layout.blocks.iter().filter_map(|block| block.mlp.as_ref());
        let w_out = mlps.map(|mlp| weights.part(&mlp.w_out).to_vec()).collect();
        Self { rows, bias: bias(weights), w_out, d_model: c.d_model, has_norm: c.has_norms() }
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        4 * (self.rows.len() + self.bias.len() + self.w_out.iter().map(Vec::len).sum::<usize>())
    }

    /// Number of classes.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// What a vector, `[d_model]`, adds to a target's logit, before the final norm's scale.
    pub fn to(&self, target: ResolvedTarget, vector: &[f32]) -> f32 {
        target.of(|class| dot(vector, &self.rows[class * self.d_model..][..self.d_model]))
    }

    /// The vector whose product with another is what that adds to a target's logit, `[d_model]`, before the final norm's scale.
    pub(super) fn direction(&self, target: ResolvedTarget) -> Vec<f32> {
        (0..self.d_model).map(|at| target.of(|class| self.rows[class * self.d_model + at])).collect()
    }

    /// What vectors, `[rows, d_model]`, add to every logit, `[rows, d_vocab_out]`, before the final norm's scale.
    pub fn to_all(&self, vectors: &[f32]) -> Vec<f32> {
        let (rows, outputs) = (vectors.len() / self.d_model, self.outputs());
        let map = Mat::new(&self.rows, outputs, self.d_model).t();
        product(Mat::new(vectors, rows, self.d_model), map, rows, outputs)
    }

    /// What a neuron adds to a target's logit at an activation of 1, before the final norm's scale.
    pub fn neuron(&self, layer: usize, neuron: usize, target: ResolvedTarget) -> f32 {
        self.to(target, self.w_out_of(layer, neuron))
    }

    fn w_out_of(&self, layer: usize, neuron: usize) -> &[f32] {
        &self.w_out[layer][neuron * self.d_model..][..self.d_model]
    }

    /// The class whose logit a neuron raises most when it is active; `None` if a weight is not a number, or of more than
    /// [`MOST_CLASSES`].
    pub fn favours(&self, layer: usize, neuron: usize) -> Option<Class> {
        let is_small = self.outputs() <= MOST_CLASSES;
        is_small.then(|| prediction(&self.to_all(self.w_out_of(layer, neuron)))).flatten()
    }

    /// Contribution of a neuron to a target at a position: its activation times what it adds at an activation of 1, divided
    /// by the final norm's scale. The contributions of a layer's neurons sum to the layer's MLP contribution, without `b_out`.
    pub fn contribution(
        &self,
        from: &Activations,
        layer: usize,
        neuron: usize,
        position: usize,
        target: ResolvedTarget,
    ) -> f32 {
        from.neuron(layer, neuron, position) * self.neuron(layer, neuron, target) / self.scale(from, position)
    }

    /// Divisor at a position: the final norm's scale, or 1 without norms.
    pub fn scale(&self, from: &Activations, position: usize) -> f32 {
        if self.has_norm { from.ln_final.scale[position] } else { 1.0 }
    }
}

/// `ln_final.b W_U + b_U`, centred, `[d_vocab_out]`.
fn bias(weights: &Weights) -> Vec<f32> {
    let (d_model, outputs) = (weights.config().d_model, weights.config().outputs());
    let mut bias = weights.part(&weights.layout.b_u).to_vec();
    if let Some(b) = weights.affine(weights.layout.ln_final.as_ref()).and_then(|affine| affine.b) {
        let w_u = Mat::new(weights.part(&weights.layout.w_u), d_model, outputs);
        matmul(MatMut::new(&mut bias, 1, outputs), Write::Add, 1.0, Mat::new(b, 1, d_model), w_u);
    }
    centre(&mut bias, outputs);
    bias
}
