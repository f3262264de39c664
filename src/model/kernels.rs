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

pub(super) use super::exponentials::{exp, exp_in_f64, ln};
pub(super) use kernel;

/// The instruction set of every kernel on this machine: `x86-v4`, `x86-v3`, `neon`, `scalar`, …
pub fn instruction_set() -> String {
    // The variants depend on the target.
    let variant = format!("{:?}", pulp::Arch::new()).to_lowercase();
    let name = variant.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_level = name.starts_with('v') && cfg!(any(target_arch = "x86", target_arch = "x86_64"));
    if is_level { format!("x86-{name}") } else { name.to_owned() }
}

/// Cells that a sum or a maximum takes at a time; four such groups at once compile to code slower by 15 % of a step.
const LANES: usize = 16;

/// Folds each cell of two rows into the lane of its index, and the lanes into one value.
#[inline(always)]
fn fold_lanes(
    rows: [&[f32]; 2],
    start: f32,
    step: impl Fn(f32, f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let [a, b] = rows;
    let mut lanes = [start; LANES];
    let (mut chunks_a, mut chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in (&mut chunks_a).zip(&mut chunks_b) {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], a[lane], b[lane]);
        }
    }
    // A vector of its own for what is left: an index that is not known would keep the lanes in memory.
    let mut rest = [start; LANES];
    for (lane, (a, b)) in chunks_a.remainder().iter().zip(chunks_b.remainder()).enumerate() {
        rest[lane] = step(rest[lane], *a, *b);
    }
    for lane in 0..LANES {
        lanes[lane] = join(lanes[lane], rest[lane]);
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
    fn a_probability_of_zero_adds_nothing_to_an_entropy_and_nan_stays() {
        assert!(sum_p_ln_p(&[0.5, f32::NAN], 1.0).is_nan());
        assert!((sum_p_ln_p(&[0.5, 0.0, 0.5], 1.0) + std::f32::consts::LN_2).abs() < 1e-7);
    }

    #[test]
    fn sums_and_maxima_of_any_length_take_every_cell_once() {
        for len in 1..200 {
            // Whole numbers, so that no order of a sum rounds.
            let row: Vec<f32> = (0..len).map(|at| (at * 7 % 31) as f32 - 40.0).collect();
            let found = [sum(&row), dot(&row, &row), max(&row)];
            let squares = row.iter().map(|x| x * x).sum::<f32>();
            let wanted =
                [row.iter().sum::<f32>(), squares, row.iter().copied().fold(f32::NEG_INFINITY, f32::max)];
            assert_eq!(found.map(f32::to_bits), wanted.map(f32::to_bits), "{len}");
        }
    }

    #[test]
    fn softmax_of_the_first_cells_leaves_zeros_after_them() {
        for len in [1, 3, 16, 17, 40] {
            for seen in 1..=len {
                let row: Vec<f32> = (0..len).map(|at| (at as f32 * 0.7).sin() * 4.0).collect();
                let (mut all, mut first) = (row.clone(), row[..seen].to_vec());
                assert_eq!(softmax_of_first(&mut all, seen).to_bits(), softmax(&mut first).to_bits());
                assert!(all[..seen] == first && all[seen..].iter().all(|p| *p == 0.0), "{seen} of {len}");
            }
        }
    }

    #[test]
    fn rows_are_gathered_scattered_spread_and_transposed() {
        let rows: Vec<f32> = (0..6).map(|at| at as f32).collect();
        let mut to = vec![9.0; 4];
        gather(&mut to, &rows, &[2, 0], 2);
        assert_eq!(to, [4.0, 5.0, 0.0, 1.0]);
        gather_add(&mut to, &rows, &[1, 1], 2);
        assert_eq!(to, [6.0, 8.0, 2.0, 4.0]);
        let mut sums = vec![0.0; 4];
        scatter_add(&mut sums, &to, &[1, 1], 2);
        assert_eq!(sums, [0.0, 0.0, 8.0, 12.0]);
        let mut wide = vec![1.0, 2.0, 3.0, 4.0, 7.0, 7.0, 7.0, 7.0];
        spread(&mut wide, &[1, 2], 2);
        assert_eq!(wide, [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0]);
        let mut turned = vec![0.0; 6];
        transpose(&rows, 2, &mut turned);
        assert_eq!(turned, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let mut columns = vec![0.0; 2];
        let tall: Vec<f32> = (0..27).map(|at| at as f32).collect();
        add_rows(&mut columns, &tall, 3);
        assert_eq!(columns, [108.0, 117.0]);
    }
}
