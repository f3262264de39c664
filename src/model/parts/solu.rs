//! SoLU: `x * softmax(x)` over the neurons (Elhage et al. 2022).

use dfdx::prelude::*;

use crate::model::kernels::{dot, exp, kernel, max, sum};
use crate::model::tape::{Matrix, multiply};

kernel! {
    /// SoLU of each row of `pre`: `mid = pre * softmax(pre)`; `softmaxed` keeps the softmax for the backward pass.
    pub fn forward(pre: &[f32], width: usize, softmaxed: &mut [f32], mid: &mut [f32]) {
        let rows = pre.chunks_exact(width).zip(softmaxed.chunks_exact_mut(width));
        for ((pre, p), mid) in rows.zip(mid.chunks_exact_mut(width)) {
            let largest = max(pre);
            for (p, x) in p.iter_mut().zip(pre) {
                *p = exp(*x - largest);
            }
            let inverse = 1.0 / sum(p);
            for ((mid, x), p) in mid.iter_mut().zip(pre).zip(p) {
                *p *= inverse;
                *mid = x * *p;
            }
        }
    }
}

kernel! {
    /// Backward of [`forward`]. In: dL/d`mid`; out, in place: dL/d`pre`.
    pub fn backward(grad: &mut [f32], pre: &[f32], softmaxed: &[f32], mid: &[f32], width: usize) {
        let rows = grad.chunks_exact_mut(width).zip(pre.chunks_exact(width));
        for (((grad, pre), p), mid) in rows.zip(softmaxed.chunks_exact(width)).zip(mid.chunks_exact(width)) {
            let along = dot(grad, mid);
            for ((g, x), p) in grad.iter_mut().zip(pre).zip(p) {
                *g = p * (*g * (1.0 + x) - along);
            }
        }
    }
}

pub(crate) fn composed<D: Device<f32>, T: Tape<f32, D>>(pre: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
    let shares = pre.with_empty_tape();
    multiply(shares.try_softmax::<Axis<1>>()?, pre)
}
