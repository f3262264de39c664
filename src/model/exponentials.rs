//! Exponentials and logarithms of cells, for kernels: branches become selections, so that loops vectorise.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a kernel gets the kernel's instructions"
)]

/// `e^x` to 1.2e-7 relative, from -87 to 88 (clamped outside); NaN stays NaN.
///
/// The reduction and the polynomial are those of the Cephes library's `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
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

/// ln x to 3e-7 relative, for positive x that are not subnormal; finite but meaningless for all others, NaN included.
///
/// The reduction and the polynomial are those of the Cephes library's `logf`.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // The exponent that leaves a mantissa from sqrt(1/2) to sqrt(2).
    let above = x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits()).cast_signed() >> 23;
    let mantissa = f32::from_bits(x.to_bits().wrapping_sub(above.cast_unsigned() << 23));
    let (r, n) = (mantissa - 1.0, above as f32);
    let mut p = 7.037_683_6e-2_f32;
    for c in [
        -0.115_146_1,
        0.116_769_99,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_57,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_3,
    ] {
        p = p * r + c;
    }
    let square = r * r;
    let tail = p * r * square - n * 2.121_944_4e-4 - 0.5 * square;
    r + tail + n * 0.693_359_4
}

/// `e^x` in double precision to 3e-16 relative, from -708 to 709 (clamped outside); NaN stays NaN.
///
/// The reduction and the rational function are those of the Cephes library's `exp`.
#[inline(always)]
pub(super) fn exp_in_f64(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52, as in `exp`
    let x = if x < -708.0 { -708.0 } else { x };
    let x = if x > 709.0 { 709.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 6.931_457_519_531_25e-1 - n * 1.428_606_820_309_417_2e-6;
    let square = r * r;
    let p = r * ((1.261_771_930_748_105_9e-4 * square + 3.029_944_077_074_419_6e-2) * square + 1.0);
    let mut q = 3.001_985_051_386_644_6e-6 * square + 2.524_483_403_496_841e-3;
    q = (q * square + 2.272_655_482_081_550_3e-1) * square + 2.0;
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    (1.0 + 2.0 * p / (q - p)) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_to_float_precision_over_its_whole_range() {
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
    fn exp_in_f64_is_accurate_to_double_precision_over_its_whole_range() {
        let worst = (-7_070_000..7_080_000)
            .step_by(7)
            .map(|i| {
                let x = f64::from(i) / 10_000.0;
                ((exp_in_f64(x) - x.exp()) / x.exp()).abs()
            })
            .fold(0.0, f64::max);
        assert!(worst < 5e-16, "{worst}");
        assert!(exp_in_f64(f64::NAN).is_nan());
        assert!(exp_in_f64(f64::NEG_INFINITY) < 1e-300);
    }

    #[test]
    fn ln_is_accurate_to_float_precision_over_its_whole_range() {
        let worst = (f32::MIN_POSITIVE.to_bits()..f32::INFINITY.to_bits())
            .step_by(977)
            .chain(1.0_f32.to_bits() - 100_000..1.0_f32.to_bits() + 100_000)
            .map(f32::from_bits)
            .map(|x| {
                let right = f64::from(x).ln();
                ((f64::from(ln(x)) - right) / right.abs().max(f64::from(f32::MIN_POSITIVE))).abs()
            })
            .fold(0.0, f64::max);
        assert!(worst < 3e-7, "{worst}");
        assert!(ln(0.0).is_finite());
    }
}
