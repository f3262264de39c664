//! A matrix with bias, possibly reading the residual stream through a norm: the building block of attention, MLP and
//! unembedding.

use std::ops::Range;

use dfdx::prelude::*;

use super::norm::{Affine, Norm, NormLayout, centre_columns};
use super::rotary::Rotation;
use crate::model::config::ModelConfig;
use crate::model::kernels;
use crate::model::matmul::{Mat, MatMut, Write, matmul};
use crate::model::patch::Patch;
use crate::model::tape::{Matrix, Vector, add};
use crate::model::visible::VisibleKeys;

/// Ranges of a matrix and of its bias in the flat buffer.
pub(crate) type Place<'a> = (&'a Range<usize>, &'a Range<usize>);

/// The weights in the form that the parts read.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a> {
    pub(crate) config: &'a ModelConfig,
    /// `[parameters]`.
    pub(crate) values: &'a [f32],
    /// Like `values`, with every matrix transposed; for the backward pass.
    pub(crate) transposed: &'a [f32],
    /// Of a model with rotary positions.
    pub(crate) rotation: Option<&'a Rotation>,
}

impl<'a> Params<'a> {
    /// Values of one range of the layout.
    pub(crate) fn part(self, range: &Range<usize>) -> &'a [f32] {
        &self.values[range.clone()]
    }

    /// Weight and bias of a norm, if it has them.
    pub(crate) fn affine(self, norm: Option<&NormLayout>) -> Option<Affine<'a>> {
        norm.map(|norm| Affine { w: self.part(&norm.w), b: norm.b.as_ref().map(|b| self.part(b)) })
    }

    /// `stream + x matrix + bias` into `out`, where `x` is `[pos, width]` and `bias` as wide as `out`; of these rows of the
    /// stream, or of all.
    pub(crate) fn project(
        self,
        (stream, rows): (&[f32], Option<&[usize]>),
        x: &[f32],
        width: usize,
        (matrix, bias): Place<'_>,
        out: &mut [f32],
    ) {
        kernels::add_row(out, stream, rows, self.part(bias));
        project_into(x, width, self.part(matrix), out);
    }

    /// `x matrix + bias` into `out`.
    pub(crate) fn linear(self, x: &[f32], width: usize, (matrix, bias): Place<'_>, out: &mut [f32]) {
        kernels::fill_rows(out, self.part(bias));
        project_into(x, width, self.part(matrix), out);
    }
}

/// `out += x matrix`, where `x` is `[pos, width]`.
fn project_into(x: &[f32], width: usize, matrix: &[f32], out: &mut [f32]) {
    let (rows, cols) = (x.len() / width, matrix.len() / width);
    matmul(
        MatMut::new(out, rows, cols),
        Write::Add,
        1.0,
        Mat::new(x, rows, width),
        Mat::new(matrix, width, cols),
    );
}

/// Backward of `out = x matrix + bias`: adds the gradients of matrix and bias, and sets that of `x`.
pub(crate) fn linear_backward(
    of: Params<'_>,
    (matrix, bias): Place<'_>,
    x: &[f32],
    out_grad: &[f32],
    x_grad: &mut [f32],
    grads: &mut [f32],
) {
    let cols = bias.len();
    let width = matrix.len() / cols;
    let rows = x.len() / width;
    let out_grad_rows = Mat::new(out_grad, rows, cols);
    kernels::add_rows(&mut grads[bias.clone()], out_grad, cols);
    let matrix_grad = MatMut::new(&mut grads[matrix.clone()], width, cols);
    matmul(matrix_grad, Write::Add, 1.0, Mat::new(x, rows, width).t(), out_grad_rows);
    let transposed = Mat::new(&of.transposed[matrix.clone()], cols, width);
    matmul(MatMut::new(x_grad, rows, width), Write::Set, 1.0, out_grad_rows, transposed);
}

/// The composed model on a device: its parameters with their tape, and the size of the batch.
pub(crate) struct Composition<'a, D: Device<f32>, T: Tape<f32, D>> {
    pub(crate) device: &'a D,
    pub(crate) config: &'a ModelConfig,
    pub(crate) params: Vector<D, T>,
    pub(crate) batch: usize,
    pub(crate) len: usize,
    /// `[batch * pos, 1]`.
    pub(crate) ones: Matrix<D, NoneTape>,
    /// 1 for a key that queries see, 0 for a hidden one, `[batch, pos]`; `None` if none is hidden.
    pub(crate) visible: Option<Matrix<D, NoneTape>>,
    /// Of a model with rotary positions.
    pub(crate) rotation: Option<&'a Rotation>,
    /// Of a model with shortformer positions: `W_pos` of every row, `[batch * pos, d_model]`.
    pub(crate) positions: Option<Matrix<D, T>>,
    /// The edits of each sequence, with the keys that its queries see; none without edits.
    pub(crate) edits: &'a [(Patch, VisibleKeys)],
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    /// A range of the parameters as a matrix with `rows` rows. Once only for each range: the gradient of dfdx's slice
    /// replaces that of another slice of the same values.
    pub(crate) fn matrix(&self, at: &Range<usize>, rows: usize) -> Result<Matrix<D, T>, D::Err> {
        self.params.retaped::<T>().try_slice((at.clone(),))?.try_reshape_like(&(rows, at.len() / rows))
    }

    /// The product that reads `x` through the norm at `norm`; mean and deviation of `x` are computed here.
    pub(crate) fn linear_of_normed(
        &self,
        x: Matrix<D, T>,
        norm: Option<&NormLayout>,
        place: Place<'_>,
    ) -> Result<Matrix<D, T>, D::Err> {
        self.linear(self.config.norm().composed(x)?, norm, place)
    }

    /// `(x * norm.w + norm.b) weight + bias`, with the norm applied to weight and bias.
    pub(crate) fn linear(
        &self,
        x: Matrix<D, T>,
        norm: Option<&NormLayout>,
        (weight, bias): Place<'_>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let weight = self.matrix(weight, x.shape().1)?;
        self.linear_by(x, norm, weight, bias)
    }

    /// Like [`linear`](Self::linear), with the matrix at hand.
    pub(crate) fn linear_by(
        &self,
        x: Matrix<D, T>,
        norm: Option<&NormLayout>,
        weight: Matrix<D, T>,
        bias: &Range<usize>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let width = x.shape().1;
        let (mut weight, mut bias) = (weight, self.matrix(bias, 1)?);
        if let Some(norm) = norm {
            if let Some(b) = &norm.b {
                bias = add(bias, self.matrix(b, 1)?.try_matmul(weight.with_empty_tape())?)?;
            }
            let scale = self.matrix(&norm.w, width)?.try_reshape_like(&(width,))?;
            let scale = scale.try_broadcast_like::<_, Axis<1>>(&weight)?;
            weight = weight.try_mul(scale)?;
        }
        add(x.try_matmul(weight)?, self.ones.retaped::<T>().try_matmul(bias)?)
    }
}

/// Weights being folded.
pub(crate) struct Folder<'a> {
    pub(crate) from: Params<'a>,
    pub(crate) to: Vec<f32>,
    /// Whether to centre matrices that read a normalised vector over their input dimension.
    pub(crate) center_reading: bool,
}

impl Folder<'_> {
    pub(crate) fn copy(&mut self, from: &Range<usize>, to: &Range<usize>) {
        self.to[to.clone()].copy_from_slice(self.from.part(from));
    }

    /// Copies a matrix and bias that read the stream through a norm, and folds the norm into them.
    pub(crate) fn read(&mut self, from: Place<'_>, norm: Option<&NormLayout>, to: Place<'_>) {
        self.copy(from.0, to.0);
        self.copy(from.1, to.1);
        self.fold_norm(self.from.config.norm(), norm, to);
    }

    /// Copies weight and bias of a norm that stays.
    pub(crate) fn keep_norm(&mut self, from: Option<&NormLayout>, to: Option<&NormLayout>) {
        if let (Some(from), Some(to)) = (from, to) {
            self.copy(&from.w, &to.w);
            from.b.iter().zip(&to.b).for_each(|(from, to)| self.copy(from, to));
        }
    }

    /// Folds a norm into the matrix and bias at `to` that read it.
    pub(crate) fn fold_norm(&mut self, kind: Norm, norm: Option<&NormLayout>, to: Place<'_>) {
        if let Some(affine) = self.from.affine(norm) {
            let (before, bias) = self.to.split_at_mut(to.1.start);
            affine.fold_into(&mut before[to.0.clone()], &mut bias[..to.1.len()]);
        }
        if self.center_reading && kind.kind.is_centred() {
            centre_columns(&mut self.to[to.0.clone()], to.1.len());
        }
    }
}
