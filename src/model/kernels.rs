//! The row operations that a matrix library does not have.
//!
//! Plain loops that vectorise. [`vectorised`] compiles them again for the widest instructions the machine has, chosen
//! when the program runs, so an ordinary build is as quick as one for this very machine. Sums run in sixteen lanes
//! whose order is fixed, so every instruction set gives the same bits.

#![expect(clippy::inline_always, reason = "only what is inlined into `vectorised` gets its instructions")]

use pulp::Arch;

use super::config::LAYER_NORM_EPS;
use super::weights::Affine;

const LANES: usize = 16;

/// Runs `work` with the widest vector instructions of this machine.
#[inline]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

#[inline(always)]
fn fold_lanes(rows: [&[f32]; 2], step: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let [a, b] = rows;
    let mut lanes = [0.0_f32; LANES];
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in (&mut chunks_a).zip(&mut chunks_b) {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], a[lane], b[lane]);
        }
    }
    for (lane, (a, b)) in chunks_a.remainder().iter().zip(chunks_b.remainder()).enumerate() {
        lanes[lane] = step(lanes[lane], *a, *b);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of a row.
#[inline(always)]
pub fn sum(row: &[f32]) -> f32 {
    fold_lanes([row, row], |total, x, _| total + x)
}

/// Inner product of two rows.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    fold_lanes([a, b], |total, x, y| total + x * y)
}

#[inline(always)]
fn max(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut chunks = row.chunks_exact(LANES);
    for chunk in &mut chunks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], chunk[lane]);
        }
    }
    let tail = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    lanes.into_iter().fold(tail, larger)
}

/// `e^x` to 1.2e-7 relative, from -87 to 88 (clamped outside); NaN stays NaN.
///
/// The reduction and the polynomial are those of the Cephes library's `expf`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4_f32;
    for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        p = p * r + c;
    }
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    (p * r * r + r + 1.0) * power
}

/// Softmax of a row in place; returns the logarithm of the sum it divided by.
#[inline(always)]
pub fn softmax(row: &mut [f32]) -> f32 {
    let largest = max(row);
    row.iter_mut().for_each(|x| *x = exp(*x - largest));
    let total = sum(row);
    let scale = 1.0 / total;
    row.iter_mut().for_each(|x| *x *= scale);
    largest + total.ln()
}

/// `x + y`, in place.
#[inline(always)]
pub fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

/// Adds every row of `x`, `[rows, into.len()]`, to `into`.
#[inline(always)]
pub fn add_rows(into: &mut [f32], x: &[f32]) {
    x.chunks_exact(into.len()).for_each(|row| add(into, row));
}

/// Fills every row of `x`, `[rows, row.len()]`, with `row`.
#[inline(always)]
pub fn fill_rows(x: &mut [f32], row: &[f32]) {
    x.chunks_exact_mut(row.len()).for_each(|out| out.copy_from_slice(row));
}

/// Takes its mean off every row of `x`, `[rows, width]`.
pub fn centre(x: &mut [f32], width: usize) {
    for row in x.chunks_exact_mut(width) {
        let mean = sum(row) / width as f32;
        row.iter_mut().for_each(|x| *x -= mean);
    }
}

/// A layer norm's results for a sequence.
#[derive(Clone, Debug, Default)]
pub struct Normed {
    /// sqrt(variance + eps), `[pos]`: `hook_scale`.
    pub scale: Vec<f32>,
    /// Before weight and bias, `[pos, width]`: `hook_normalized`.
    pub normalized: Vec<f32>,
}

impl Normed {
    /// Room for `len` positions.
    pub fn new(len: usize, width: usize) -> Self {
        Self { scale: vec![1.0; len], normalized: vec![0.0; len * width] }
    }
}

/// Layer norm of each row of `x` into `out`, both `[pos, width]`; without weight and bias when `affine` is `None`.
#[inline(always)]
pub fn layer_norm(x: &[f32], width: usize, affine: Option<Affine<'_>>, to: &mut Normed, out: &mut [f32]) {
    let rows = x.chunks_exact(width).zip(to.normalized.chunks_exact_mut(width));
    for (((x, normalized), out), scale) in rows.zip(out.chunks_exact_mut(width)).zip(&mut to.scale) {
        let mean = sum(x) / width as f32;
        normalized.iter_mut().zip(x).for_each(|(n, x)| *n = x - mean);
        *scale = (dot(normalized, normalized) / width as f32 + LAYER_NORM_EPS).sqrt();
        let inverse = 1.0 / *scale;
        normalized.iter_mut().for_each(|n| *n *= inverse);
        match affine {
            Some(Affine { w, b }) => {
                for (((out, n), w), b) in out.iter_mut().zip(&*normalized).zip(w).zip(b) {
                    *out = n * w + b;
                }
            }
            None => out.copy_from_slice(normalized),
        }
    }
}

/// Gradients of a norm's weight and bias, to be added to.
pub struct AffineGrad<'a> {
    /// Of the weight.
    pub w: &'a mut [f32],
    /// Of the bias.
    pub b: &'a mut [f32],
}

/// Backward of [`layer_norm`]: `grad` comes as the gradient of `out` and leaves as that of `x`, `[pos, width]`.
#[inline(always)]
pub fn layer_norm_backward(
    grad: &mut [f32],
    from: &Normed,
    affine: Option<(Affine<'_>, AffineGrad<'_>)>,
    width: usize,
) {
    if let Some((weights, into)) = affine {
        for (grad, normalized) in grad.chunks_exact_mut(width).zip(from.normalized.chunks_exact(width)) {
            add(into.b, grad);
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
        grad.iter_mut().zip(normalized).for_each(|(g, n)| *g = (*g - mean - n * along) * inverse);
    }
}

/// `SoLU` of each row of `pre`: `mid = pre * softmax(pre)`; `softmaxed` keeps the softmax for the way back.
#[inline(always)]
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

/// Backward of [`solu`]: `grad` comes as the gradient of `mid` and leaves as that of `pre`.
#[inline(always)]
pub fn solu_backward(grad: &mut [f32], pre: &[f32], softmaxed: &[f32], mid: &[f32], width: usize) {
    let rows = grad.chunks_exact_mut(width).zip(pre.chunks_exact(width));
    for (((grad, pre), p), mid) in rows.zip(softmaxed.chunks_exact(width)).zip(mid.chunks_exact(width)) {
        let along = dot(grad, mid);
        for ((g, x), p) in grad.iter_mut().zip(pre).zip(p) {
            *g = p * (*g * (1.0 + x) - along);
        }
    }
}

/// Standard normal distribution function.
fn phi(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Exact GELU.
pub fn gelu(x: f32) -> f32 {
    x * phi(x)
}

/// Derivative of [`gelu`].
pub fn gelu_derivative(x: f32) -> f32 {
    let density =
        (-0.5 * x * x).exp() * (0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2);
    phi(x) + x * density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_right_to_float_precision_over_its_whole_range() {
        let worst = (-860_000..880_000)
            .step_by(7)
            .map(|i| {
                let x = i as f32 / 10_000.0;
                ((f64::from(exp(x)) - f64::from(x).exp()) / f64::from(x).exp()).abs()
            })
            .fold(0.0, f64::max);
        assert!(worst < 2e-7, "{worst}");
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1e9) < 1e-37);
    }

    #[test]
    fn the_vectorised_result_is_the_plain_result_bit_for_bit() {
        let row: Vec<f32> = (0..129).map(|i| (i as f32 * 0.77).sin() * 5.0).collect();
        let (mut plain, mut wide) = (row.clone(), row);
        softmax(&mut plain);
        vectorised(|| softmax(&mut wide));
        assert_eq!(plain.map_bits(), wide.map_bits());
    }

    trait MapBits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl MapBits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }

    #[test]
    fn gelu_derivative_is_its_slope() {
        for x in [-3.0_f32, -0.5, 0.0, 0.3, 2.0] {
            let slope = (gelu(x + 1e-3) - gelu(x - 1e-3)) / 2e-3;
            assert!((gelu_derivative(x) - slope).abs() < 1e-3, "{x}");
        }
    }
}
