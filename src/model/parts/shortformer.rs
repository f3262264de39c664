//! Shortformer positions (Press et al. 2020): queries and keys, but not values, read the norm of the stream plus
//! `W_pos`. The product of `W_pos` with their matrices is added to them: the same, as the matrices are linear.

use std::ops::Range;

use dfdx::prelude::*;

use super::linear::{Composition, Params};
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::tape::Matrix;

/// Ranges of `W_pos`, `[n_ctx, d_model]`, and of the matrix of queries, keys and values in the flat buffer.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    pub(crate) w_pos: &'a Range<usize>,
    pub(crate) w_qkv: &'a Range<usize>,
}

/// Adds the positions to queries and keys in `qkv`, `[pos, 3, n_heads, d_head]`.
pub(crate) fn forward(of: Params<'_>, at: Places<'_>, qkv: &mut [f32]) {
    let (d_model, both, width) = sizes(of);
    let len = qkv.len() / width;
    let positions = Mat::new(of.part(at.w_pos), len, d_model);
    let matrix = Mat::strided(of.part(at.w_qkv), d_model, both, width);
    matmul(MatMut::strided(qkv, len, both, width), Write::Add, 1.0, positions, matrix);
}

/// Adds the gradients of `W_pos` and the matrix, given that of `qkv`.
pub(crate) fn backward(of: Params<'_>, at: Places<'_>, qkv: &[f32], grads: &mut [f32]) {
    let (d_model, both, width) = sizes(of);
    let len = qkv.len() / width;
    let qk = Mat::strided(qkv, len, both, width);
    let positions = Mat::new(of.part(at.w_pos), len, d_model);
    let to = MatMut::strided(&mut grads[at.w_qkv.clone()], d_model, both, width);
    matmul(to, Write::Add, 1.0, positions.t(), qk);
    let matrix = Mat::strided(of.part(at.w_qkv), d_model, both, width);
    let to = MatMut::new(&mut grads[at.w_pos.clone()], len, d_model);
    matmul(to, Write::Add, 1.0, qk, matrix.t());
}

/// `d_model`, and the columns of queries and keys and of queries, keys and values.
fn sizes(of: Params<'_>) -> (usize, usize, usize) {
    let c = of.config;
    (c.d_model, 2 * c.d_heads(), 3 * c.d_heads())
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// What positions add to queries and keys, given their matrix, which is also that of the values: `[batch * pos,
    /// 3 * n_heads * d_head]`, of which the last third means nothing.
    pub(crate) fn shortformer(&self, w_qkv: &Matrix<D, T>) -> Result<Option<Matrix<D, T>>, D::Err> {
        let Some(positions) = &self.positions else { return Ok(None) };
        positions.with_empty_tape().try_matmul(w_qkv.with_empty_tape()).map(Some)
    }
}
