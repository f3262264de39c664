//! SiLU: `x * sigmoid(x)`.

use dfdx::prelude::*;

use crate::model::tape::{Matrix, multiply};

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// SiLU (PyTorch's `F.silu`).
pub(crate) fn value(x: f32) -> f32 {
    x * sigmoid(x)
}

/// Derivative of [`value`].
pub(crate) fn slope(x: f32) -> f32 {
    let share = sigmoid(x);
    share * (1.0 + x * (1.0 - share))
}

pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let share = x.with_empty_tape().try_sigmoid()?;
    multiply(x, share)
}
