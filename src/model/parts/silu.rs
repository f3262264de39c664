//! SiLU: `x * sigmoid(x)`.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a kernel gets the kernel's instructions"
)]

use dfdx::prelude::*;

use crate::model::kernels::{exp, kernel};
use crate::model::tape::{Matrix, multiply};

#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// SiLU (PyTorch's `F.silu`).
#[inline(always)]
pub(super) fn value(x: f32) -> f32 {
    x * sigmoid(x)
}

/// Derivative of [`value`].
#[inline(always)]
pub(super) fn slope(x: f32) -> f32 {
    let share = sigmoid(x);
    share * (1.0 + x * (1.0 - share))
}

kernel! {
    /// `post` from `pre`, cell by cell.
    pub fn forward(pre: &[f32], post: &mut [f32]) {
        for (post, x) in post.iter_mut().zip(pre) {
            *post = value(*x);
        }
    }
}

kernel! {
    /// In: dL/d`post`; out, in place: dL/d`pre`.
    pub fn backward(grad: &mut [f32], pre: &[f32]) {
        for (g, x) in grad.iter_mut().zip(pre) {
            *g *= slope(*x);
        }
    }
}

pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let share = x.with_empty_tape().try_sigmoid()?;
    multiply(x, share)
}
