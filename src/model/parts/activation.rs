//! The nonlinearity between `W_in` and `W_out`: from `mlp.hook_pre` to `mlp.hook_post`.

use std::fmt;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::norm::{Affine, Norm, NormLayout, Normed};
use super::{gelu, silu, solu};
use crate::model::clone_into::{clone_into_buffers, fit};
use crate::model::hooks::Hooks;
use crate::model::tape::Matrix;

/// The MLP's nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `solu`, then a layer norm of width `d_mlp` (Elhage et al. 2022).
    SoluLn,
    /// `x * Phi(x)`, exact (PyTorch's `F.gelu`).
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// GELU with Phi approximated by a tanh (GPT-2's).
    GeluNew,
    /// `x * sigmoid(x)`.
    Silu,
    /// `x * softmax(x)` over the neurons.
    Solu,
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoluLn => "solu_ln",
            Self::Solu => "solu",
            Self::Gelu => "gelu",
            Self::GeluNew => "gelu_new",
            Self::Silu => "silu",
            Self::Relu => "relu",
        })
    }
}

/// Intermediate values of `solu` and `solu_ln`; empty otherwise.
#[derive(Debug, Default)]
pub struct Inner {
    /// `softmax(pre)` over the neurons, `[pos, d_mlp]`.
    pub softmaxed: Vec<f32>,
    /// After SoLU, before `mlp.ln` if there is one, `[pos, d_mlp]`.
    pub mid: Vec<f32>,
    /// `mlp.ln`, of width `d_mlp`, of `solu_ln`.
    pub ln: Normed,
}

clone_into_buffers!(Inner: softmaxed, mid, ln);

/// The norm after `solu_ln`: its formula, and the ranges of its weight and bias.
#[derive(Clone, Copy)]
pub(crate) struct InnerNorm<'a> {
    pub(crate) norm: Norm,
    pub(crate) at: Option<&'a NormLayout>,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::SoluLn, Self::Gelu, Self::Relu, Self::GeluNew, Self::Silu, Self::Solu];

    /// Whether `mlp.ln` follows.
    pub(crate) fn has_norm(self) -> bool {
        self == Self::SoluLn
    }

    /// Widths of [`Inner::mid`] and [`Inner::ln`].
    pub(crate) fn inner_widths(self, d_mlp: usize) -> [usize; 2] {
        let is_solu = matches!(self, Self::SoluLn | Self::Solu);
        [if is_solu { d_mlp } else { 0 }, if self.has_norm() { d_mlp } else { 0 }]
    }

    /// Sizes the buffers for `len` positions.
    pub(crate) fn fit_inner(self, inner: &mut Inner, len: usize, d_mlp: usize) {
        let [mid, ln] = self.inner_widths(d_mlp);
        fit(&mut inner.softmaxed, len * mid);
        fit(&mut inner.mid, len * mid);
        inner.ln.fit(len, ln);
    }

    /// Computes `post` from `pre`, both `[pos, d_mlp]`; `norm` and `affine` are `mlp.ln`'s.
    pub(crate) fn forward(
        self,
        pre: &[f32],
        d_mlp: usize,
        (norm, affine): (Norm, Option<Affine<'_>>),
        to: &mut Inner,
        post: &mut [f32],
    ) {
        match self {
            Self::SoluLn => {
                solu::forward(pre, d_mlp, &mut to.softmaxed, &mut to.mid);
                norm.forward(&to.mid, d_mlp, affine, &mut to.ln, post);
            }
            Self::Solu => {
                solu::forward(pre, d_mlp, &mut to.softmaxed, &mut to.mid);
                post.copy_from_slice(&to.mid);
            }
            Self::Gelu => map(pre, post, gelu::exact),
            Self::GeluNew => gelu::approximate_forward(pre, post),
            Self::Silu => silu::forward(pre, post),
            Self::Relu => map(pre, post, |x| x.max(0.0)),
        }
    }

    /// In: dL/d`post`; out, in place: dL/d`pre`. `ln` is `mlp.ln`.
    pub(crate) fn backward(
        self,
        values: &[f32],
        ln: InnerNorm<'_>,
        (pre, d_mlp): (&[f32], usize),
        from: &Inner,
        grad: &mut [f32],
        grads: &mut [f32],
    ) {
        match self {
            Self::SoluLn => {
                ln.norm.backward(values, ln.at, &from.ln, grad, grads);
                solu::backward(grad, pre, &from.softmaxed, &from.mid, d_mlp);
            }
            Self::Solu => solu::backward(grad, pre, &from.softmaxed, &from.mid, d_mlp),
            Self::Gelu => scale_by(grad, pre, gelu::exact_slope),
            Self::GeluNew => gelu::approximate_backward(grad, pre),
            Self::Silu => silu::backward(grad, pre),
            Self::Relu => scale_by(grad, pre, |x| f32::from(x > 0.0)),
        }
    }

    /// Computes the input of `W_out` from `pre`, without the weight and bias of `mlp.ln`.
    pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(
        self,
        pre: Matrix<D, T>,
        norm: Norm,
    ) -> Result<Matrix<D, T>, D::Err> {
        match self {
            Self::SoluLn => norm.composed(solu::composed(pre)?),
            Self::Solu => solu::composed(pre),
            Self::Gelu => gelu::composed_exact(pre),
            Self::GeluNew => gelu::composed_approximate(pre),
            Self::Silu => silu::composed(pre),
            Self::Relu => pre.try_relu(),
        }
    }
}

impl Hooks {
    /// The hooks between `mlp.hook_pre` and `mlp.hook_post`.
    pub(crate) fn inner(&mut self, mlp: &str, from: &Inner) {
        let width = from.ln.normalized.len() / self.len;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_values() {
        type Function = fn(f32) -> f32;
        let functions: [(Function, Function); 3] = [
            (gelu::exact, gelu::exact_slope),
            (gelu::approximate, gelu::approximate_slope),
            (silu::value, silu::slope),
        ];
        for (value, slope) in functions {
            for x in [-3.0_f32, -0.5, 0.0, 0.3, 2.0] {
                let difference = (value(x + 1e-3) - value(x - 1e-3)) / 2e-3;
                assert!((slope(x) - difference).abs() < 1e-3, "{x}");
            }
            for x in [-1e4, 1e4] {
                let errors = [value(x) - x.max(0.0), slope(x) - f32::from(x > 0.0)];
                assert!(errors.iter().all(|error| error.abs() < 1e-6), "{x}: {errors:?}");
            }
        }
    }
}
