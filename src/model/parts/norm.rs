//! Layer norm: (x - mean) / sqrt(variance + eps), then weight and bias, if any.

use std::fmt;
use std::ops::Range;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::clone_into::clone_into_buffers;
use crate::model::hooks::Hooks;
use crate::model::kernels::{accumulate, dot, kernel, sum};
use crate::model::place::LayoutBuilder;
use crate::model::tape::Matrix;

/// Added to the variance before the square root, TransformerLens' default.
pub const LAYER_NORM_EPS: f32 = 1e-5;

/// The normalisation before each matrix that reads the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// Layer norm with weight and bias.
    #[serde(rename = "LN")]
    Ln,
    /// Layer norm without weight and bias: they are folded into the next matrix.
    #[serde(rename = "LNPre")]
    LnPre,
    /// Nothing.
    #[serde(rename = "none")]
    None,
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ln => "LN",
            Self::LnPre => "LNPre",
            Self::None => "none",
        })
    }
}

/// Ranges of a layer norm's weight and bias, each `[width]`.
#[derive(Clone, Debug)]
pub struct NormLayout {
    /// Range of `w`.
    pub w: Range<usize>,
    /// Range of `b`.
    pub b: Range<usize>,
}

impl LayoutBuilder {
    /// Lays out the weight and bias of a norm, if it has them.
    pub(crate) fn norm(&mut self, name: &str, width: usize) -> Option<NormLayout> {
        self.affine.then(|| NormLayout {
            w: self.tensor(&format!("{name}.w"), &[width]),
            b: self.tensor(&format!("{name}.b"), &[width]),
        })
    }
}

/// Weight and bias of a layer norm, each `[width]`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// Multiplied.
    pub w: &'a [f32],
    /// Added.
    pub b: &'a [f32],
}

/// Results of a layer norm for a sequence.
#[derive(Debug, Default)]
pub struct Normed {
    /// sqrt(variance + eps), `[pos]`: `hook_scale`.
    pub scale: Vec<f32>,
    /// Before weight and bias, `[pos, width]`: `hook_normalized`.
    pub normalized: Vec<f32>,
}

clone_into_buffers!(Normed: scale, normalized);

impl Normed {
    /// Buffers for `len` positions.
    pub fn new(len: usize, width: usize) -> Self {
        Self { scale: vec![1.0; len], normalized: vec![0.0; len * width] }
    }
}

kernel! {
    /// Layer norm of each row of `x` into `out`, both `[pos, width]`; without weight and bias when `affine` is `None`.
    pub fn layer_norm(x: &[f32], width: usize, affine: Option<Affine<'_>>, to: &mut Normed, out: &mut [f32]) {
        let rows = x.chunks_exact(width).zip(to.normalized.chunks_exact_mut(width));
        for (((x, normalized), out), scale) in rows.zip(out.chunks_exact_mut(width)).zip(&mut to.scale) {
            let mean = sum(x) / width as f32;
            for (n, x) in normalized.iter_mut().zip(x) {
                *n = x - mean;
            }
            *scale = (dot(normalized, normalized) / width as f32 + LAYER_NORM_EPS).sqrt();
            let inverse = 1.0 / *scale;
            match affine {
                Some(Affine { w, b }) => {
                    for (((out, n), w), b) in out.iter_mut().zip(&mut *normalized).zip(w).zip(b) {
                        *n *= inverse;
                        *out = *n * w + b;
                    }
                }
                None => {
                    for (out, n) in out.iter_mut().zip(&mut *normalized) {
                        *n *= inverse;
                        *out = *n;
                    }
                }
            }
        }
    }
}

/// Gradients of a norm's weight and bias, to accumulate into.
pub struct AffineGrad<'a> {
    /// Of the weight.
    pub w: &'a mut [f32],
    /// Of the bias.
    pub b: &'a mut [f32],
}

kernel! {
    /// Backward of [`layer_norm`]. In: dL/d`out`, `[pos, width]`; out, in place: dL/d`x`.
    pub fn layer_norm_backward(
        grad: &mut [f32],
        from: &Normed,
        affine: Option<(Affine<'_>, AffineGrad<'_>)>,
        width: usize,
    ) {
        if let Some((weights, into)) = affine {
            for (grad, normalized) in grad.chunks_exact_mut(width).zip(from.normalized.chunks_exact(width)) {
                accumulate(into.b, grad);
                for (((gw, g), n), w) in into.w.iter_mut().zip(grad).zip(normalized).zip(weights.w) {
                    *gw += *g * n;
                    *g *= w;
                }
            }
        }
        let rows = grad.chunks_exact_mut(width).zip(from.normalized.chunks_exact(width));
        for ((grad, normalized), scale) in rows.zip(&from.scale) {
            let mean = sum(grad) / width as f32;
            let along = dot(grad, normalized) / width as f32;
            let inverse = 1.0 / scale;
            for (g, n) in grad.iter_mut().zip(normalized) {
                *g = (*g - mean - n * along) * inverse;
            }
        }
    }
}

impl Normalization {
    /// Sets `out` to the norm of each row of `x`, `[pos, width]`, or to `x` without a norm.
    pub(crate) fn forward(
        self,
        x: &[f32],
        width: usize,
        affine: Option<Affine<'_>>,
        to: &mut Normed,
        out: &mut [f32],
    ) {
        if self == Self::None { out.copy_from_slice(x) } else { layer_norm(x, width, affine, to, out) }
    }

    /// In: dL/d`out` of [`forward`](Self::forward); out, in place: dL/d`x`. Adds the gradients of weight and bias, at
    /// range `at`, to `grads`.
    pub(crate) fn backward(
        self,
        values: &[f32],
        at: Option<&NormLayout>,
        from: &Normed,
        grad: &mut [f32],
        grads: &mut [f32],
    ) {
        if self != Self::None {
            affine_backward(values, at, from, grad, grads);
        }
    }

    /// The norm of each row without weight and bias, which are folded into the next product.
    pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(
        self,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        if self == Self::None { Ok(x) } else { x.try_normalize::<Axis<1>>(LAYER_NORM_EPS) }
    }
}

/// Backward of a norm that is always present.
pub(crate) fn affine_backward(
    values: &[f32],
    at: Option<&NormLayout>,
    from: &Normed,
    grad: &mut [f32],
    grads: &mut [f32],
) {
    let width = from.normalized.len() / from.scale.len();
    let affine = at.map(|at| {
        let weights = Affine { w: &values[at.w.clone()], b: &values[at.b.clone()] };
        let (before, after) = grads.split_at_mut(at.b.start);
        (weights, AffineGrad { w: &mut before[at.w.clone()], b: &mut after[..width] })
    });
    layer_norm_backward(grad, from, affine, width);
}

impl Affine<'_> {
    /// Folds weight and bias into the matrix and bias that read the norm: `(x w + b) W + c = x (w W) + (b W + c)`.
    pub(crate) fn fold_into(self, matrix: &mut [f32], bias: &mut [f32]) {
        for ((w, b), row) in self.w.iter().zip(self.b).zip(matrix.chunks_exact_mut(bias.len())) {
            for (cell, bias) in row.iter_mut().zip(&mut *bias) {
                *bias += b * *cell;
                *cell *= w;
            }
        }
    }
}

/// Centres every column of a matrix: a normalised vector has mean 0, so the mean of a column has no effect.
pub(crate) fn centre_columns(matrix: &mut [f32], cols: usize) {
    let rows = matrix.len() / cols;
    for col in 0..cols {
        let mean = (0..rows).map(|row| matrix[row * cols + col]).sum::<f32>() / rows as f32;
        (0..rows).for_each(|row| matrix[row * cols + col] -= mean);
    }
}

impl Hooks {
    /// `hook_scale` and `hook_normalized` of a norm.
    pub(crate) fn norm(&mut self, name: &str, kind: Normalization, from: &Normed) {
        if kind != Normalization::None {
            let width = from.normalized.len() / self.len;
            self.push(&format!("{name}.hook_scale"), &[self.len, 1], from.scale.clone());
            self.push(&format!("{name}.hook_normalized"), &[self.len, width], from.normalized.clone());
        }
    }
}
