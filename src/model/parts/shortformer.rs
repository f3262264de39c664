//! Shortformer positions (Press et al. 2020): queries and keys, but not values, read the norm of the stream plus
//! `W_pos`.

use dfdx::prelude::*;

use super::linear::Composition;
use crate::model::tape::Matrix;

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// What positions add to queries and keys, given their matrix, which is also that of the values: `[batch * pos,
    /// 3 * n_heads * d_head]`, of which the last third means nothing.
    pub(crate) fn shortformer(&self, w_qkv: &Matrix<D, T>) -> Result<Option<Matrix<D, T>>, D::Err> {
        let Some(positions) = &self.positions else { return Ok(None) };
        positions.with_empty_tape().try_matmul(w_qkv.with_empty_tape()).map(Some)
    }
}
