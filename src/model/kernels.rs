//! The row operations that a matrix library does not have.
//!
//! Plain loops that vectorise. [`kernel!`] compiles each for every instruction set and picks the widest that the machine
//! has when the program runs, so an ordinary build is as quick as one for this very machine. Sums run in sixteen lanes
//! whose order is fixed, so every instruction set gives the same bits.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a kernel gets the kernel's instructions"
)]

use pulp::{Arch, NullaryFnOnce};

use super::config::LAYER_NORM_EPS;
use super::weights::Affine;
use crate::task::Class;

/// A function compiled for every instruction set. Its body must call nothing that is not inlined always.
macro_rules! kernel {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        kernel! { $(#[$doc])* pub fn $name($($arg: $ty),*) -> () $body }
    };
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty $body:block) => {
        $(#[$doc])*
        pub fn $name($($arg: $ty),*) -> $out {
            struct Call<A>(A);
            impl NullaryFnOnce for Call<($($ty,)*)> {
                type Output = $out;
                #[inline(always)]
                fn call(self) -> $out {
                    let Call(($($arg,)*)) = self;
                    $body
                }
            }
            Arch::new().dispatch(Call(($($arg,)*)))
        }
    };
}

const LANES: usize = 16;

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

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    fold_lanes([row, row], |total, x, _| total + x)
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
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
fn exp(x: f32) -> f32 {
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
fn softmax(row: &mut [f32]) -> f32 {
    let largest = max(row);
    for x in &mut *row {
        *x = exp(*x - largest);
    }
    let total = sum(row);
    scale(row, 1.0 / total);
    largest + total.ln()
}

#[inline(always)]
fn scale(row: &mut [f32], by: f32) {
    for x in row {
        *x *= by;
    }
}

#[inline(always)]
fn accumulate(into: &mut [f32], row: &[f32]) {
    for (into, x) in into.iter_mut().zip(row) {
        *into += x;
    }
}

kernel! {
    /// `into += x`.
    pub fn add(into: &mut [f32], x: &[f32]) {
        accumulate(into, x);
    }
}

kernel! {
    /// Adds every row of `x`, `[rows, into.len()]`, to `into`.
    pub fn add_rows(into: &mut [f32], x: &[f32]) {
        for row in x.chunks_exact(into.len()) {
            accumulate(into, row);
        }
    }
}

kernel! {
    /// Adds `row` to every row of `x`, `[rows, row.len()]`.
    pub fn add_to_rows(x: &mut [f32], row: &[f32]) {
        for x in x.chunks_exact_mut(row.len()) {
            accumulate(x, row);
        }
    }
}

/// Fills every row of `x`, `[rows, row.len()]`, with `row`.
pub fn fill_rows(x: &mut [f32], row: &[f32]) {
    x.chunks_exact_mut(row.len()).for_each(|out| out.copy_from_slice(row));
}

kernel! {
    /// Takes its mean off every row of `x`, `[rows, width]`.
    pub fn centre(x: &mut [f32], width: usize) {
        for row in x.chunks_exact_mut(width) {
            let mean = sum(row) / width as f32;
            for x in row {
                *x -= mean;
            }
        }
    }
}

kernel! {
    /// Softmax of each row of `scores`, `[query, key]`, over the keys up to the query; 0 for the others.
    pub fn causal_softmax(scores: &mut [f32], len: usize) {
        for (query, row) in scores.chunks_exact_mut(len).enumerate() {
            let (seen, unseen) = row.split_at_mut(query + 1);
            softmax(seen);
            unseen.fill(0.0);
        }
    }
}

kernel! {
    /// Backward of [`causal_softmax`] for one head: `grad`, `[query, key]`, comes as the gradient of the pattern and leaves
    /// as that of the scores. The inner product of a row of the pattern with its gradient equals that of `z` with its own,
    /// which is shorter; `z` and `z_grad` are `[pos, stride]`, of which the head has the first `d_head` columns.
    pub fn causal_softmax_backward(
        grad: &mut [f32],
        pattern: &[f32],
        len: usize,
        z: &[f32],
        z_grad: &[f32],
        d_head: usize,
        stride: usize,
    ) {
        let rows = grad.chunks_exact_mut(len).zip(pattern.chunks_exact(len));
        for (query, ((grad, pattern), (z, z_grad))) in rows.zip(z.chunks(stride).zip(z_grad.chunks(stride))).enumerate() {
            let along = dot(&z[..d_head], &z_grad[..d_head]);
            let (seen, unseen) = grad.split_at_mut(query + 1);
            for (g, p) in seen.iter_mut().zip(pattern) {
                *g = p * (*g - along);
            }
            unseen.fill(0.0);
        }
    }
}

kernel! {
    /// Sum of the cross-entropies of `logits`, `[pos, d_vocab_out]`, where there are targets, in nats. Leaves `scale` times
    /// their gradient in `logits`. Panics when there are not as many targets, or none, as rows.
    pub fn cross_entropy(logits: &mut [f32], targets: &[Option<Class>], width: usize, by: f32) -> f64 {
        assert_eq!(logits.len(), targets.len() * width, "a target, or none, for each row of logits");
        let mut loss = 0.0;
        for (row, target) in logits.chunks_exact_mut(width).zip(targets) {
            let Some(target) = target.map(usize::from) else {
                row.fill(0.0);
                continue;
            };
            let logit = row[target];
            loss += f64::from(softmax(row) - logit);
            row[target] -= 1.0;
            scale(row, by);
        }
        loss
    }
}

/// As [`cross_entropy`], with softmax and loss in double precision: a loss of 1e-8 still has a gradient.
pub fn cross_entropy_in_f64(logits: &mut [f32], targets: &[Option<Class>], width: usize, by: f32) -> f64 {
    assert_eq!(logits.len(), targets.len() * width, "a target, or none, for each row of logits");
    let mut loss = 0.0;
    for (row, target) in logits.chunks_exact_mut(width).zip(targets) {
        let Some(target) = target.map(usize::from) else {
            row.fill(0.0);
            continue;
        };
        let largest = f64::from(max(row));
        let share = |x: f32| (f64::from(x) - largest).exp();
        let total: f64 = row.iter().map(|&x| share(x)).sum();
        loss += largest + total.ln() - f64::from(row[target]);
        for (class, x) in row.iter_mut().enumerate() {
            let wanted = if class == target { 1.0 } else { 0.0 };
            *x = ((share(*x) / total - wanted) * f64::from(by)) as f32;
        }
    }
    loss
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

/// Gradients of a norm's weight and bias, to be added to.
pub struct AffineGrad<'a> {
    /// Of the weight.
    pub w: &'a mut [f32],
    /// Of the bias.
    pub b: &'a mut [f32],
}

kernel! {
    /// Backward of [`layer_norm`]: `grad` comes as the gradient of `out` and leaves as that of `x`, `[pos, width]`.
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

kernel! {
    /// `SoLU` of each row of `pre`: `mid = pre * softmax(pre)`; `softmaxed` keeps the softmax for the way back.
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
    /// Backward of [`solu`]: `grad` comes as the gradient of `mid` and leaves as that of `pre`.
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
    #[should_panic(expected = "a target, or none, for each row of logits")]
    fn a_loss_is_not_taken_of_part_of_a_sequence() {
        cross_entropy(&mut [0.0; 6], &[Some(1)], 3, 1.0);
    }

    #[test]
    fn a_row_without_a_target_adds_no_loss_and_no_gradient() {
        let mut logits = [1.0, 2.0, 3.0, 0.5, 0.5, 9.0];
        let loss = cross_entropy(&mut logits, &[None, Some(2)], 3, 1.0);
        assert_eq!(logits[..3], [0.0; 3]);
        let alone = cross_entropy(&mut [0.5, 0.5, 9.0], &[Some(2)], 3, 1.0);
        assert_eq!(loss.to_bits(), alone.to_bits());
    }

    #[test]
    fn a_loss_below_single_precision_has_a_gradient_in_double() {
        let mut logits = [30.0, 0.0];
        let loss = cross_entropy_in_f64(&mut logits, &[Some(0)], 2, 1.0);
        let expected = (-30.0_f64).exp();
        assert!((loss / expected - 1.0).abs() < 1e-1 && (f64::from(logits[1]) / expected - 1.0).abs() < 1e-6);
        assert!(logits[0] < 0.0, "{logits:?}");
        let mut single = [30.0, 0.0];
        cross_entropy(&mut single, &[Some(0)], 2, 1.0);
        assert_eq!(single[0].to_bits() << 1, 0, "lost");
    }

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
    fn the_widest_instructions_give_the_bits_of_the_plainest() {
        let scores: Vec<f32> = (0..129 * 129).map(|i| (i as f32 * 0.77).sin() * 5.0).collect();
        let mut wide = scores.clone();
        causal_softmax(&mut wide, 129);
        for (query, (wide, plain)) in wide.chunks(129).zip(scores.chunks(129)).enumerate() {
            let mut plain = plain[..=query].to_vec();
            softmax(&mut plain);
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&wide[..=query]), bits(&plain));
            assert!(wide[query + 1..].iter().all(|p| *p == 0.0));
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
