//! GELU: `x * Phi(x)`, Phi being the standard normal distribution function, exactly or approximated by a tanh.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a kernel gets the kernel's instructions"
)]

use dfdx::prelude::*;

use super::silu::sigmoid;
use crate::model::kernels::kernel;
use crate::model::tape::{Matrix, add};

/// Factors of the approximation: Phi(x) = (1 + tanh(`ROOT` (x + `CUBIC` x^3))) / 2.
const ROOT: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

/// Standard normal distribution function.
fn phi(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Exact GELU.
pub(crate) fn exact(x: f32) -> f32 {
    x * phi(x)
}

/// Derivative of [`exact`].
pub(crate) fn exact_slope(x: f32) -> f32 {
    let density =
        (-0.5 * x * x).exp() * (0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2);
    phi(x) + x * density
}

/// GELU with the approximation of Phi (TransformerLens' `gelu_new`): (1 + tanh(u)) / 2 is sigmoid(2 u).
#[inline(always)]
pub(super) fn approximate(x: f32) -> f32 {
    x * sigmoid(2.0 * ROOT * (x + CUBIC * x * x * x))
}

/// Derivative of [`approximate`].
#[inline(always)]
pub(super) fn approximate_slope(x: f32) -> f32 {
    let share = sigmoid(2.0 * ROOT * (x + CUBIC * x * x * x));
    share * (1.0 + x * (1.0 - share) * 2.0 * ROOT * (1.0 + 3.0 * CUBIC * x * x))
}

kernel! {
    /// [`approximate`] of every cell of `pre` into `post`.
    pub fn approximate_forward(pre: &[f32], post: &mut [f32]) {
        for (post, x) in post.iter_mut().zip(pre) {
            *post = approximate(*x);
        }
    }
}

kernel! {
    /// Backward of [`approximate_forward`]. In: dL/d`post`; out, in place: dL/d`pre`.
    pub fn approximate_backward(grad: &mut [f32], pre: &[f32]) {
        for (g, x) in grad.iter_mut().zip(pre) {
            *g *= approximate_slope(*x);
        }
    }
}

/// Exact GELU. dfdx 0.13's `accurate_gelu` has the right value, but a derivative too large by `(sqrt(2) - 1) x phi(x)`,
/// phi being the normal density. Since phi has the derivative `-x phi(x)`, adding a multiple of phi, minus its value as
/// a constant, corrects this.
pub(crate) fn composed_exact<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
) -> Result<Matrix<D, T>, D::Err> {
    let excess = (std::f32::consts::SQRT_2 - 1.0) / (2.0 * std::f32::consts::PI).sqrt();
    let density = x.with_empty_tape().try_square()?.try_mul(-0.5)?.try_exp()?.try_mul(excess)?;
    let constant = density.retaped::<NoneTape>().try_add(0.0)?;
    add(x.try_accurate_gelu()?, density.try_sub(constant)?)
}

/// [`approximate`].
pub(crate) fn composed_approximate<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
) -> Result<Matrix<D, T>, D::Err> {
    x.try_fast_gelu()
}
