//! Row operations that a matrix library does not provide.
//!
//! Plain loops that vectorise. [`kernel!`] compiles each for every instruction set and picks the widest at run time, so
//! a portable build is as fast as one for this machine. Sums run in sixteen lanes of fixed order, so every instruction
//! set gives the same bits.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a kernel gets the kernel's instructions"
)]

/// A function compiled for every instruction set. Its body must call only functions that are always inlined.
macro_rules! kernel {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        kernel! { $(#[$doc])* pub fn $name($($arg: $ty),*) -> () $body }
    };
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty $body:block) => {
        $(#[$doc])*
        pub fn $name($($arg: $ty),*) -> $out {
            struct Call<A>(A);
            impl pulp::NullaryFnOnce for Call<($($ty,)*)> {
                type Output = $out;
                #[inline(always)]
                fn call(self) -> $out {
                    // As parameters, unlike as fields, references are known not to overlap.
                    #[inline(always)]
                    fn body($($arg: $ty),*) -> $out $body
                    let Call(($($arg,)*)) = self;
                    body($($arg),*)
                }
            }
            pulp::Arch::new().dispatch(Call(($($arg,)*)))
        }
    };
}

pub(super) use kernel;

/// The instruction set of every kernel on this machine: `x86-v4`, `x86-v3`, `neon`, `scalar`, …
pub fn instruction_set() -> String {
    // The variants depend on the target.
    let variant = format!("{:?}", pulp::Arch::new()).to_lowercase();
    let name = variant.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_level = name.starts_with('v') && cfg!(any(target_arch = "x86", target_arch = "x86_64"));
    if is_level { format!("x86-{name}") } else { name.to_owned() }
}

/// Cells that a sum or a maximum takes at a time: as many groups of lanes as a processor adds at once.
const LANES: usize = 16;
const GROUPS: usize = 4;
type Lanes = [[f32; LANES]; GROUPS];

/// Folds each cell of two rows into the lane of its index, and the lanes into one value.
#[inline(always)]
fn fold_lanes(
    rows: [&[f32]; 2],
    start: f32,
    step: impl Fn(f32, f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let [a, b] = rows;
    let mut lanes: Lanes = [[start; LANES]; GROUPS];
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES * GROUPS), b.chunks_exact(LANES * GROUPS));
    for (a, b) in (&mut chunks_a).zip(&mut chunks_b) {
        for group in 0..GROUPS {
            for lane in 0..LANES {
                let at = group * LANES + lane;
                lanes[group][lane] = step(lanes[group][lane], a[at], b[at]);
            }
        }
    }
    let (a, b) = (chunks_a.remainder(), chunks_b.remainder());
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for ((a, b), lanes) in (&mut chunks_a).zip(&mut chunks_b).zip(&mut lanes) {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], a[lane], b[lane]);
        }
    }
    let last = &mut lanes[a.len() / LANES % GROUPS];
    for (lane, (a, b)) in chunks_a.remainder().iter().zip(chunks_b.remainder()).enumerate() {
        last[lane] = step(last[lane], *a, *b);
    }
    let [mut lanes, others @ ..] = lanes;
    for other in others {
        for lane in 0..LANES {
            lanes[lane] = join(lanes[lane], other[lane]);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn fold_sum(rows: [&[f32]; 2], step: impl Fn(f32, f32, f32) -> f32) -> f32 {
    fold_lanes(rows, 0.0, step, |a, b| a + b)
}

#[inline(always)]
pub(super) fn sum(row: &[f32]) -> f32 {
    fold_sum([row, row], |total, x, _| total + x)
}

#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    fold_sum([a, b], |total, x, y| total + x * y)
}

#[inline(always)]
pub(super) fn max(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    fold_lanes([row, row], f32::NEG_INFINITY, |most, x, _| larger(most, x), larger)
}

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

/// Softmax of a row in place; returns the logarithm of the sum it divided by.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32]) -> f32 {
    softmax_of_first(row, row.len())
}

/// Softmax of the first `seen` cells of a row in place; the others become 0. Returns the logarithm of the sum it divided
/// by.
#[inline(always)]
pub(super) fn softmax_of_first(row: &mut [f32], seen: usize) -> f32 {
    // Whole lanes are faster than the last few cells one by one.
    let (row, rest) = row.split_at_mut(seen.next_multiple_of(LANES).min(row.len()));
    rest.fill(0.0);
    row[seen..].fill(f32::NEG_INFINITY);
    let largest = max(row);
    for x in &mut *row {
        *x = exp(*x - largest);
    }
    row[seen..].fill(0.0);
    let total = sum(row);
    scale(row, 1.0 / total);
    row[seen..].fill(0.0); // a row without any key is NaN
    largest + total.ln()
}

#[inline(always)]
pub(super) fn scale(row: &mut [f32], by: f32) {
    for x in row {
        *x *= by;
    }
}

#[inline(always)]
pub(super) fn accumulate(into: &mut [f32], row: &[f32]) {
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
    /// Adds the first columns of every row of `x`, `[rows, width]`, to `into`.
    pub fn add_rows(into: &mut [f32], x: &[f32], width: usize) {
        let cols = into.len();
        // Four rows at a time: reading and writing `into` costs as much as two.
        for rows in x.chunks(4 * width) {
            if rows.len() < 3 * width + cols {
                rows.chunks(width).for_each(|row| accumulate(into, row));
                continue;
            }
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| &rows[at * width..][..cols]);
            for (((into, a), b), (c, d)) in into.iter_mut().zip(a).zip(b).zip(c.iter().zip(d)) {
                *into += (a + b) + (c + d);
            }
        }
    }
}

/// Sets each row of `to` to the row of this index of `from`, both of this width.
pub fn gather(to: &mut [f32], from: &[f32], rows: &[usize], width: usize) {
    for (to, row) in to.chunks_exact_mut(width).zip(rows) {
        to.copy_from_slice(&from[row * width..][..width]);
    }
}

kernel! {
    /// Adds to each row of `to` the row of this index of `from`, both of this width.
    pub fn gather_add(to: &mut [f32], from: &[f32], rows: &[usize], width: usize) {
        for (to, row) in to.chunks_exact_mut(width).zip(rows) {
            accumulate(to, &from[row * width..][..width]);
        }
    }
}

kernel! {
    /// Adds each row of `from` to the row of this index of `to`, both of this width.
    pub fn scatter_add(to: &mut [f32], from: &[f32], rows: &[usize], width: usize) {
        for (from, row) in from.chunks_exact(width).zip(rows) {
            accumulate(&mut to[row * width..][..width], from);
        }
    }
}

/// Transposes `from`, `[rows, cols]`.
pub fn transpose(from: &[f32], cols: usize, to: &mut [f32]) {
    const STRIP: usize = 16; // one line of the cache
    let rows = from.len() / cols;
    for first in (0..rows).step_by(STRIP) {
        let strip = first..(first + STRIP).min(rows);
        for (col, to) in to.chunks_exact_mut(rows).enumerate() {
            for row in strip.clone() {
                to[row] = from[row * cols + col];
            }
        }
    }
}

/// Moves the first rows of `x` to the rows of these ascending indices; all others become 0.
pub fn spread(x: &mut [f32], rows: &[usize], width: usize) {
    let mut end = x.len();
    for (at, row) in rows.iter().enumerate().rev() {
        x.copy_within(at * width..(at + 1) * width, row * width);
        x[(row + 1) * width..end].fill(0.0);
        end = row * width;
    }
    x[..end].fill(0.0);
}

kernel! {
    /// Sets each row of `out` to a row of `x` plus `row`: to these of its rows, or to all.
    pub fn add_row(out: &mut [f32], x: &[f32], rows: Option<&[usize]>, row: &[f32]) {
        let width = row.len();
        for (at, out) in out.chunks_exact_mut(width).enumerate() {
            let x = &x[rows.map_or(at, |rows| rows[at]) * width..][..width];
            for ((out, x), y) in out.iter_mut().zip(x).zip(row) {
                *out = x + y;
            }
        }
    }
}

kernel! {
    /// The sum of p ln(`times` p) over a row, in nats; p = 0 adds 0.
    pub fn sum_p_ln_p(row: &[f32], times: f32) -> f32 {
        fold_sum([row, row], |total, p, _| total + p * ln(times * p))
    }
}

/// Fills every row of `x`, `[rows, row.len()]`, with `row`.
pub fn fill_rows(x: &mut [f32], row: &[f32]) {
    x.chunks_exact_mut(row.len()).for_each(|out| out.copy_from_slice(row));
}

kernel! {
    /// Subtracts its mean from every row of `x`, `[rows, width]`.
    pub fn centre(x: &mut [f32], width: usize) {
        for row in x.chunks_exact_mut(width) {
            let mean = sum(row) / width as f32;
            for x in row {
                *x -= mean;
            }
        }
    }
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
        assert!(sum_p_ln_p(&[0.5, f32::NAN], 1.0).is_nan());
        assert!((sum_p_ln_p(&[0.5, 0.0, 0.5], 1.0) + std::f32::consts::LN_2).abs() < 1e-7);
    }
}
