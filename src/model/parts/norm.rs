//! Norms of rows: x / scale, minus the mean for a layer norm, then weight and bias, if any.
//!
//! Layer norm: scale = sqrt(variance + eps). RMS norm: scale = sqrt(mean of squares + eps), and no bias (Zhang & Sennrich
//! 2019).

use std::fmt;
use std::ops::Range;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::clone_into::{clone_into_buffers, fit};
use crate::model::hooks::Hooks;
use crate::model::kernels::{accumulate, dot, kernel, sum};
use crate::model::place::LayoutBuilder;
use crate::model::tape::Matrix;

/// The normalisation before each matrix that reads the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// Layer norm with weight and bias.
    #[serde(rename = "LN")]
    Ln,
    /// Layer norm without weight and bias: they are folded into the next matrix.
    #[serde(rename = "LNPre")]
    LnPre,
    /// RMS norm with a weight.
    #[serde(rename = "RMS")]
    Rms,
    /// RMS norm without a weight.
    #[serde(rename = "RMSPre")]
    RmsPre,
    /// Nothing.
    #[serde(rename = "none")]
    None,
}

impl Normalization {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ln, Self::LnPre, Self::Rms, Self::RmsPre, Self::None];

    /// Whether rows are centred.
    pub fn is_centred(self) -> bool {
        matches!(self, Self::Ln | Self::LnPre)
    }

    /// Whether there is a weight.
    pub fn has_weight(self) -> bool {
        matches!(self, Self::Ln | Self::Rms)
    }

    /// Whether there is a bias.
    pub fn has_bias(self) -> bool {
        self == Self::Ln
    }

    /// The norm once weight and bias are folded into the next matrix.
    #[must_use]
    pub fn folded(self) -> Self {
        match self {
            Self::Ln => Self::LnPre,
            Self::Rms => Self::RmsPre,
            other => other,
        }
    }

    /// The norm between `solu_ln` and `W_out`, TransformerLens' choice: a layer norm, with weight and bias only in a
    /// model with such layer norms.
    #[must_use]
    pub fn of_neurons(self) -> Self {
        if self == Self::Ln { Self::Ln } else { Self::LnPre }
    }
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ln => "LN",
            Self::LnPre => "LNPre",
            Self::Rms => "RMS",
            Self::RmsPre => "RMSPre",
            Self::None => "none",
        })
    }
}

/// A norm of a model.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// Its formula.
    pub kind: Normalization,
    /// Added to the variance, or to the mean of squares, before the square root.
    pub eps: f32,
}

/// Ranges of a norm's weight and bias, each `[width]`.
#[derive(Clone, Debug)]
pub struct NormLayout {
    /// Range of `w`.
    pub w: Range<usize>,
    /// Range of `b`, unless an RMS norm.
    pub b: Option<Range<usize>>,
}

impl LayoutBuilder {
    /// Lays out the weight and bias of a norm, if it has them.
    pub(crate) fn norm(&mut self, kind: Normalization, name: &str, width: usize) -> Option<NormLayout> {
        kind.has_weight().then(|| NormLayout {
            w: self.tensor(&format!("{name}.w"), &[width]),
            b: kind.has_bias().then(|| self.tensor(&format!("{name}.b"), &[width])),
        })
    }
}

/// Weight and bias of a norm, each `[width]`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// Multiplied.
    pub w: &'a [f32],
    /// Added, unless an RMS norm.
    pub b: Option<&'a [f32]>,
}

/// Results of a norm for a sequence.
#[derive(Debug, Default)]
pub struct Normed {
    /// The divisor, `[pos]`: `hook_scale`.
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

    /// Sizes the buffers for `len` positions.
    pub(crate) fn fit(&mut self, len: usize, width: usize) {
        self.scale.resize(len, 1.0);
        fit(&mut self.normalized, len * width);
    }
}

kernel! {
    /// The norm of each row of `x` into `out`, both `[pos, width]`; without weight and bias when `affine` is `None`.
    pub fn normalize(norm: Norm, x: &[f32], width: usize, affine: Option<Affine<'_>>, to: &mut Normed, out: &mut [f32]) {
        let rows = x.chunks_exact(width).zip(to.normalized.chunks_exact_mut(width));
        for (((x, normalized), out), scale) in rows.zip(out.chunks_exact_mut(width)).zip(&mut to.scale) {
            let mean = if norm.kind.is_centred() { sum(x) / width as f32 } else { 0.0 };
            for (n, x) in normalized.iter_mut().zip(x) {
                *n = x - mean;
            }
            *scale = (dot(normalized, normalized) / width as f32 + norm.eps).sqrt();
            let inverse = 1.0 / *scale;
            match affine {
                Some(Affine { w, b: Some(b) }) => {
                    for (((out, n), w), b) in out.iter_mut().zip(&mut *normalized).zip(w).zip(b) {
                        *n *= inverse;
                        *out = *n * w + b;
                    }
                }
                Some(Affine { w, b: None }) => {
                    for ((out, n), w) in out.iter_mut().zip(&mut *normalized).zip(w) {
                        *n *= inverse;
                        *out = *n * w;
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
    pub b: Option<&'a mut [f32]>,
}

kernel! {
    /// Backward of [`normalize`]. In: dL/d`out`, `[pos, width]`; out, in place: dL/d`x`.
    pub fn normalize_backward(
        norm: Norm,
        grad: &mut [f32],
        from: &Normed,
        affine: Option<(&[f32], AffineGrad<'_>)>,
        width: usize,
    ) {
        let mut affine = affine;
        let rows = grad.chunks_exact_mut(width).zip(from.normalized.chunks_exact(width));
        for ((grad, normalized), scale) in rows.zip(&from.scale) {
            if let Some((w, into)) = &mut affine {
                if let Some(b) = &mut into.b {
                    accumulate(b, grad);
                }
                for (((gw, g), n), w) in into.w.iter_mut().zip(&mut *grad).zip(normalized).zip(*w) {
                    *gw += *g * n;
                    *g *= w;
                }
            }
            let mean = if norm.kind.is_centred() { sum(grad) / width as f32 } else { 0.0 };
            let along = dot(grad, normalized) / width as f32;
            let inverse = 1.0 / scale;
            for (g, n) in grad.iter_mut().zip(normalized) {
                *g = (*g - mean - n * along) * inverse;
            }
        }
    }
}

impl Norm {
    /// Sets `out` to the norm of each row of `x`, `[pos, width]`, or to `x` without a norm.
    pub(crate) fn forward(
        self,
        x: &[f32],
        width: usize,
        affine: Option<Affine<'_>>,
        to: &mut Normed,
        out: &mut [f32],
    ) {
        if self.kind == Normalization::None {
            out.copy_from_slice(x);
        } else {
            normalize(self, x, width, affine, to, out);
        }
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
        if self.kind == Normalization::None {
            return;
        }
        let width = from.normalized.len() / from.scale.len().max(1);
        let affine = at.map(|at| {
            let (before, after) = grads.split_at_mut(at.w.end);
            let b = at.b.as_ref().map(|b| &mut after[b.start - at.w.end..b.end - at.w.end]);
            (&values[at.w.clone()], AffineGrad { w: &mut before[at.w.clone()], b })
        });
        normalize_backward(self, grad, from, affine, width);
    }

    /// The norm of each row without weight and bias, which are folded into the next product.
    pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(
        self,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        match self.kind {
            Normalization::None => Ok(x),
            Normalization::Ln | Normalization::LnPre => x.try_normalize::<Axis<1>>(self.eps),
            Normalization::Rms | Normalization::RmsPre => {
                let squares = x.with_empty_tape().try_square()?.try_mean::<_, Axis<1>>()?;
                let scale = squares.try_add(self.eps)?.try_sqrt()?;
                let scale = scale.try_broadcast_like::<_, Axis<1>>(&x)?;
                x.try_div(scale)
            }
        }
    }
}

impl Affine<'_> {
    /// Folds weight and bias into the matrix and bias that read the norm: `(x w + b) W + c = x (w W) + (b W + c)`.
    pub(crate) fn fold_into(self, matrix: &mut [f32], bias: &mut [f32]) {
        for (index, (w, row)) in self.w.iter().zip(matrix.chunks_exact_mut(bias.len())).enumerate() {
            let b = self.b.map_or(0.0, |b| b[index]);
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
