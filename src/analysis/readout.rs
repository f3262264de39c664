//! Maps vectors of the residual stream to centred logits.

use crate::model::{Mat, MatMut, Weights, Write, centre, matmul};

/// `a b`, row-major.
pub(super) fn product(a: Mat<'_>, b: Mat<'_>, rows: usize, cols: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * cols];
    matmul(MatMut::new(&mut out, rows, cols), Write::Set, 1.0, a, b);
    out
}

/// The final norm's weight and `W_U` as one matrix.
pub(super) struct Readout {
    matrix: Vec<f32>,
    pub(super) d_model: usize,
    pub(super) outputs: usize,
    centre_stream: bool,
    has_norm: bool,
}

impl Readout {
    /// The readout of these weights.
    pub(super) fn new(weights: &Weights) -> Self {
        let c = weights.config();
        let mut matrix = weights.part(&weights.layout.w_u).to_vec();
        if let Some(affine) = weights.affine(weights.layout.ln_final.as_ref()) {
            for (row, w) in matrix.chunks_exact_mut(c.outputs()).zip(affine.w) {
                row.iter_mut().for_each(|x| *x *= w);
            }
        }
        let (centre_stream, has_norm) = (c.normalization_type.is_centred(), c.has_norms());
        Self { matrix, d_model: c.d_model, outputs: c.outputs(), centre_stream, has_norm }
    }

    /// Maps `vectors`, `[rows, d_model]`, to centred logits, `[rows, d_vocab_out]`; each row divided by its `scale`.
    pub(super) fn read(&self, vectors: &[f32], scale: Option<&[f32]>) -> Vec<f32> {
        let rows = vectors.len() / self.d_model;
        let mut vectors = vectors.to_vec();
        if self.centre_stream {
            centre(&mut vectors, self.d_model);
        }
        let mut logits = product(
            Mat::new(&vectors, rows, self.d_model),
            Mat::new(&self.matrix, self.d_model, self.outputs),
            rows,
            self.outputs,
        );
        if let Some(scale) = scale {
            self.divide(&mut logits, scale);
        }
        centre(&mut logits, self.outputs);
        logits
    }

    /// Divides each row by the final norm's scale, if there is a norm.
    pub(super) fn divide(&self, logits: &mut [f32], scale: &[f32]) {
        if self.has_norm {
            for (row, scale) in logits.chunks_exact_mut(self.outputs).zip(scale) {
                row.iter_mut().for_each(|x| *x /= scale);
            }
        }
    }

    /// `ln_final.b W_U + b_U`, centred, `[d_vocab_out]`.
    pub(super) fn bias(&self, weights: &Weights) -> Vec<f32> {
        let mut bias = weights.part(&weights.layout.b_u).to_vec();
        if let Some(b) = weights.affine(weights.layout.ln_final.as_ref()).and_then(|affine| affine.b) {
            let w_u = Mat::new(weights.part(&weights.layout.w_u), self.d_model, self.outputs);
            let out = MatMut::new(&mut bias, 1, self.outputs);
            matmul(out, Write::Add, 1.0, Mat::new(b, 1, self.d_model), w_u);
        }
        centre(&mut bias, self.outputs);
        bias
    }
}
