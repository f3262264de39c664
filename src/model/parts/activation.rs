//! The nonlinearity between `W_in` and `W_out`: from `mlp.hook_pre` to `mlp.hook_post`.

use std::fmt;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::norm::{Affine, LAYER_NORM_EPS, NormLayout, Normed, affine_backward, layer_norm};
use crate::model::clone_into::clone_into_buffers;
use crate::model::hooks::Hooks;
use crate::model::kernels::{dot, kernel, softmax};
use crate::model::tape::{Matrix, add, multiply};

/// The MLP's nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * softmax(x)` over the neurons, then a layer norm of width `d_mlp` (Elhage et al. 2022).
    SoluLn,
    /// `x * Phi(x)`, exact (PyTorch's `F.gelu`).
    Gelu,
    /// `max(x, 0)`.
    Relu,
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoluLn => "solu_ln",
            Self::Gelu => "gelu",
            Self::Relu => "relu",
        })
    }
}

/// Intermediate values of `solu_ln`; empty otherwise.
#[derive(Debug)]
pub struct Inner {
    /// `softmax(pre)` over the neurons, `[pos, d_mlp]`.
    pub softmaxed: Vec<f32>,
    /// After the nonlinearity, before `mlp.ln`, `[pos, d_mlp]`.
    pub mid: Vec<f32>,
    /// `mlp.ln`, of width `d_mlp`.
    pub ln: Normed,
}

clone_into_buffers!(Inner: softmaxed, mid, ln);

impl Activation {
    /// Whether `mlp.ln` follows.
    pub(crate) fn has_norm(self) -> bool {
        self == Self::SoluLn
    }

    /// Buffers for `len` positions.
    pub(crate) fn inner(self, len: usize, d_mlp: usize) -> Inner {
        let width = if self.has_norm() { d_mlp } else { 0 };
        let zeros = || vec![0.0; len * width];
        Inner { softmaxed: zeros(), mid: zeros(), ln: Normed::new(len, width) }
    }

    /// Computes `post` from `pre`, both `[pos, d_mlp]`; `affine` is `mlp.ln`'s.
    pub(crate) fn forward(
        self,
        pre: &[f32],
        d_mlp: usize,
        affine: Option<Affine<'_>>,
        to: &mut Inner,
        post: &mut [f32],
    ) {
        match self {
            Self::SoluLn => {
                solu(pre, d_mlp, &mut to.softmaxed, &mut to.mid);
                layer_norm(&to.mid, d_mlp, affine, &mut to.ln, post);
            }
            Self::Gelu => map(pre, post, gelu),
            Self::Relu => map(pre, post, |x| x.max(0.0)),
        }
    }

    /// In: dL/d`post`; out, in place: dL/d`pre`. `ln` is the range of `mlp.ln`.
    pub(crate) fn backward(
        self,
        values: &[f32],
        ln: Option<&NormLayout>,
        (pre, d_mlp): (&[f32], usize),
        from: &Inner,
        grad: &mut [f32],
        grads: &mut [f32],
    ) {
        match self {
            Self::SoluLn => {
                affine_backward(values, ln, &from.ln, grad, grads);
                solu_backward(grad, pre, &from.softmaxed, &from.mid, d_mlp);
            }
            Self::Gelu => scale_by(grad, pre, gelu_derivative),
            Self::Relu => scale_by(grad, pre, |x| f32::from(x > 0.0)),
        }
    }

    /// Computes the input of `W_out` from `pre`, without the weight and bias of `mlp.ln`.
    pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(
        self,
        pre: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        match self {
            Self::SoluLn => {
                let shares = pre.with_empty_tape();
                let mid = multiply(shares.try_softmax::<Axis<1>>()?, pre)?;
                mid.try_normalize::<Axis<1>>(LAYER_NORM_EPS)
            }
            Self::Gelu => composed_gelu(pre),
            Self::Relu => pre.try_relu(),
        }
    }
}

impl Hooks {
    /// The hooks between `mlp.hook_pre` and `mlp.hook_post`.
    pub(crate) fn inner(&mut self, mlp: &str, from: &Inner) {
        let width = from.mid.len() / self.len;
        if width > 0 {
            self.push(&format!("{mlp}.hook_mid"), &[self.len, width], from.mid.clone());
            self.push(&format!("{mlp}.ln.hook_scale"), &[self.len, 1], from.ln.scale.clone());
            self.push(&format!("{mlp}.ln.hook_normalized"), &[self.len, width], from.ln.normalized.clone());
        }
    }
}

fn map(from: &[f32], to: &mut [f32], f: impl Fn(f32) -> f32) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = f(from));
}

fn scale_by(grad: &mut [f32], pre: &[f32], derivative: impl Fn(f32) -> f32) {
    grad.iter_mut().zip(pre).for_each(|(g, &x)| *g *= derivative(x));
}

kernel! {
    /// SoLU of each row of `pre`: `mid = pre * softmax(pre)`; `softmaxed` keeps the softmax for the backward pass.
    pub fn solu(pre: &[f32], width: usize, softmaxed: &mut [f32], mid: &mut [f32]) {
        let rows = pre.chunks_exact(width).zip(softmaxed.chunks_exact_mut(width));
        for ((pre, p), mid) in rows.zip(mid.chunks_exact_mut(width)) {
            p.copy_from_slice(pre);
            softmax(p);
            for ((mid, x), p) in mid.iter_mut().zip(pre).zip(&*p) {
                *mid = x * p;
            }
        }
    }
}

kernel! {
    /// Backward of [`solu`]. In: dL/d`mid`; out, in place: dL/d`pre`.
    pub fn solu_backward(grad: &mut [f32], pre: &[f32], softmaxed: &[f32], mid: &[f32], width: usize) {
        let rows = grad.chunks_exact_mut(width).zip(pre.chunks_exact(width));
        for (((grad, pre), p), mid) in rows.zip(softmaxed.chunks_exact(width)).zip(mid.chunks_exact(width)) {
            let along = dot(grad, mid);
            for ((g, x), p) in grad.iter_mut().zip(pre).zip(p) {
                *g = p * (*g * (1.0 + x) - along);
            }
        }
    }
}

/// Standard normal distribution function.
fn phi(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Exact GELU.
fn gelu(x: f32) -> f32 {
    x * phi(x)
}

/// Derivative of [`gelu`].
fn gelu_derivative(x: f32) -> f32 {
    let density =
        (-0.5 * x * x).exp() * (0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2);
    phi(x) + x * density
}

/// Exact GELU. dfdx 0.13's `accurate_gelu` has the right value, but a derivative too large by `(sqrt(2) - 1) x phi(x)`,
/// phi being the normal density. Since phi has the derivative `-x phi(x)`, adding a multiple of phi, minus its value as
/// a constant, corrects this.
fn composed_gelu<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let excess = (std::f32::consts::SQRT_2 - 1.0) / (2.0 * std::f32::consts::PI).sqrt();
    let density = x.with_empty_tape().try_square()?.try_mul(-0.5)?.try_exp()?.try_mul(excess)?;
    let constant = density.retaped::<NoneTape>().try_add(0.0)?;
    add(x.try_accurate_gelu()?, density.try_sub(constant)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_derivative_is_its_slope() {
        for x in [-3.0_f32, -0.5, 0.0, 0.3, 2.0] {
            let slope = (gelu(x + 1e-3) - gelu(x - 1e-3)) / 2e-3;
            assert!((gelu_derivative(x) - slope).abs() < 1e-3, "{x}");
        }
    }
}
