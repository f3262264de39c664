//! Logits from the residual stream, and their loss.

use std::ops::Range;

use dfdx::prelude::*;

use super::linear::{Composition, Folder, Params, Place, linear_backward};
use super::norm::{NormLayout, Normed};
use crate::model::adjoints::Adjoints;
use crate::model::hooks::Hooks;
use crate::model::kernels::{exp_in_f64, kernel, max, scale, softmax};
use crate::model::loss_dtype::LossDtype;
use crate::model::tape::{Matrix, join};
use crate::task::Class;

/// Ranges of `ln_final`, `W_U` and `b_U`.
#[derive(Clone, Copy)]
pub(crate) struct UnembedLayout<'a> {
    pub(crate) ln_final: Option<&'a NormLayout>,
    pub(crate) w_u: &'a Range<usize>,
    pub(crate) b_u: &'a Range<usize>,
}

impl<'a> UnembedLayout<'a> {
    fn place(self) -> Place<'a> {
        (self.w_u, self.b_u)
    }
}

/// Logits of `stream`, `[pos, d_model]`; `normed` is the final norm, `input` the input of `W_U`.
pub(crate) fn forward(
    of: Params<'_>,
    at: UnembedLayout<'_>,
    stream: &[f32],
    (normed, input): (&mut Normed, &mut [f32]),
    logits: &mut [f32],
) {
    let c = of.config;
    c.norm().forward(stream, c.d_model, of.affine(at.ln_final), normed, input);
    of.linear(input, c.d_model, at.place(), logits);
}

kernel! {
    /// Sum of the cross-entropies of `logits`, `[pos, d_vocab_out]`, over rows with a target, in nats. Leaves `by`
    /// times their gradient in `logits`. Panics unless `targets` has one entry per row.
    pub fn cross_entropy(logits: &mut [f32], targets: &[Option<Class>], width: usize, by: f32) -> f64 {
        assert_eq!(logits.len(), targets.len() * width, "a target, or none, for each row of logits");
        let mut loss = 0.0;
        for (row, target) in logits.chunks_exact_mut(width).zip(targets) {
            let Some(target) = target.map(usize::from) else {
                row.fill(0.0);
                continue;
            };
            let logit = row[target];
            let normalizer = softmax(row);
            let own = row[target];
            // The difference of the logits has no digits left where the prediction is confident.
            loss += if own > 0.5 {
                let others = row.iter().enumerate().map(|(class, &x)| if class == target { 0.0 } else { f64::from(x) });
                let others: f64 = others.sum();
                (others / f64::from(own)).ln_1p()
            } else {
                f64::from(normalizer - logit)
            };
            row[target] -= 1.0;
            scale(row, by);
        }
        loss
    }
}

kernel! {
    /// The cross-entropy of a row of logits, in nats, in double precision: the logarithm of 1 plus the other classes' odds, so
    /// that a loss of 1e-12 keeps its digits. NaN if a logit is.
    pub fn loss_of(row: &[f32], target: usize) -> f64 {
        let (own, largest) = (f64::from(row[target]), f64::from(max(row)));
        let mut others = 0.0;
        for (class, &x) in row.iter().enumerate() {
            let share = exp_in_f64(f64::from(x) - largest);
            others += if class == target { 0.0 } else { share };
        }
        let behind = largest - own;
        loss_from(behind, others, exp_in_f64(-behind))
    }
}

/// The cross-entropy of a class `behind` the largest logit, by its share and those of the others, relative to that logit's.
fn loss_from(behind: f64, others: f64, own: f64) -> f64 {
    if behind == 0.0 { others.ln_1p() } else { behind + (others + own).ln() }
}

kernel! {
    /// Like [`cross_entropy`], with softmax and loss in double precision: a loss of 1e-8 still has a gradient.
    pub fn cross_entropy_in_f64(logits: &mut [f32], targets: &[Option<Class>], width: usize, by: f32) -> f64 {
        assert_eq!(logits.len(), targets.len() * width, "a target, or none, for each row of logits");
        let (mut loss, mut shares) = (0.0, vec![0.0; width]);
        for (row, target) in logits.chunks_exact_mut(width).zip(targets) {
            let Some(target) = target.map(usize::from) else {
                row.fill(0.0);
                continue;
            };
            let largest = f64::from(max(row));
            for (share, &x) in shares.iter_mut().zip(&*row) {
                *share = exp_in_f64(f64::from(x) - largest);
            }
            let total = shares.iter().sum::<f64>();
            let others = shares.iter().enumerate().map(|(class, &x)| if class == target { 0.0 } else { x });
            loss += loss_from(largest - f64::from(row[target]), others.sum(), shares[target]);
            shares[target] -= total;
            let by = f64::from(by) / total;
            for (x, share) in row.iter_mut().zip(&shares) {
                *x = (share * by) as f32;
            }
        }
        loss
    }
}

/// The loss of the logits, summed over positions. Computes the gradients of `by` times the loss: adds
/// those of the weights to `grads`, and sets that of the last residual stream.
pub(crate) fn backward(
    of: Params<'_>,
    at: UnembedLayout<'_>,
    (logits, targets, by): (&[f32], &[Option<Class>], f32),
    (normed, input): (&Normed, &[f32]),
    scratch: &mut Adjoints,
    grads: &mut [f32],
) -> f64 {
    let width = of.config.outputs();
    let grad = &mut scratch.logits[..logits.len()];
    grad.copy_from_slice(logits);
    let loss = match scratch.loss_dtype {
        LossDtype::F32 => cross_entropy(grad, targets, width, by),
        LossDtype::F64 => cross_entropy_in_f64(grad, targets, width, by),
    };
    let resid = &mut scratch.resid[..input.len()];
    linear_backward(of, at.place(), input, grad, resid, grads);
    of.config.norm().backward(of.values, at.ln_final, normed, resid, grads);
    loss
}

impl Hooks {
    /// `ln_final`, `unembed.hook_in` and `unembed.hook_out`.
    pub(crate) fn unembed(&mut self, of: Params<'_>, normed: &Normed, input: &[f32], logits: &[f32]) {
        self.norm("ln_final", of.config.normalization_type, normed);
        self.stream("unembed.hook_in", input.to_vec());
        self.push("unembed.hook_out", &[self.len, of.config.outputs()], logits.to_vec());
    }
}

impl<D: Device<f32>, T: Tape<f32, D>> Composition<'_, D, T> {
    pub(crate) fn unembed(self, at: UnembedLayout<'_>, stream: Matrix<D, T>) -> Result<Matrix<D, T>, D::Err> {
        let logits = self.linear_of_normed(stream, at.ln_final, at.place())?;
        let logits = join(logits, self.params);
        Ok(match self.positions {
            Some(positions) => join(logits, positions),
            None => logits,
        })
    }
}

impl Folder<'_> {
    /// Folds `ln_final` into `W_U`.
    pub(crate) fn unembed(&mut self, from: UnembedLayout<'_>, to: UnembedLayout<'_>) {
        self.read(from.place(), from.ln_final, to.place());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a target, or none, for each row of logits")]
    fn a_loss_over_part_of_a_sequence_is_refused() {
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
    fn a_loss_of_any_size_keeps_its_digits() {
        for gap in [0.0, 1e-3, 1.0, 12.0, 20.0, 60.0] {
            // Three classes; the target leads the others by the gap, or is behind by it.
            let leading = [3.0, 3.0 - gap, 3.0 - gap];
            let want = (2.0 * f64::from(-gap).exp()).ln_1p();
            let behind = [3.0, 3.0 + gap, 3.0];
            let lost = f64::from(gap) + (2.0 * f64::from(-gap).exp()).ln_1p();
            for (logits, want) in [(leading, want), (behind, lost)] {
                let found = loss_of(&logits, 0);
                assert!((found / want - 1.0).abs() < 1e-6, "{gap}: {found}, not {want}");
                let trained = cross_entropy(&mut logits.clone(), &[Some(0)], 3, 1.0);
                assert!((trained / want - 1.0).abs() < 1e-4, "{gap}: {trained}, not {want}");
            }
        }
        assert!(loss_of(&[1.0, f32::NAN], 0).is_nan() && loss_of(&[f32::NAN, 1.0], 0).is_nan());
    }
}
