//! Correlations between columns of activations and series, over parts that are merged.

use super::readout::product;
use crate::model::Mat;

/// Below this share of its own size the spread of a value is rounding in single precision: the value is constant.
const ROUNDING: f64 = 1e-6;

/// Means, and sums of products of deviations from them: nothing cancels, however far the values are from 0
/// (Chan, Golub and `LeVeque` 1983, "Algorithms for computing the sample variance").
#[derive(Clone, Debug)]
pub(super) struct Correlations {
    n: f64,
    x: Side,
    y: Side,
    /// `[series, column]`.
    xy: Vec<f64>,
}

/// The values of one side of a correlation.
#[derive(Clone, Debug)]
struct Side {
    mean: Vec<f64>,
    /// Sums of squared deviations.
    squares: Vec<f64>,
}

impl Side {
    fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], squares: vec![0.0; len] }
    }

    /// Of values `[which, at]`, which become deviations.
    fn centred(values: &mut [f32], len: usize) -> Self {
        let (mean, squares) = values.chunks_exact_mut(len).map(centre).unzip();
        Self { mean, squares }
    }

    fn merge(&mut self, next: &Self, (ours, theirs): (f64, f64)) {
        let (all, shared) = (ours + theirs, ours * theirs / (ours + theirs));
        for (at, (mean, squares)) in self.mean.iter_mut().zip(&mut self.squares).enumerate() {
            let apart = next.mean[at] - *mean;
            *mean += apart * theirs / all;
            *squares += next.squares[at] + apart * apart * shared;
        }
    }

    fn is_constant(&self, at: usize, n: f64) -> bool {
        self.squares[at] <= n * (ROUNDING * self.mean[at]).powi(2)
    }
}

/// Subtracts the mean; returns the mean and the sum of squares.
fn centre(row: &mut [f32]) -> (f64, f64) {
    let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64;
    let mut squares = 0.0;
    for x in row {
        let deviation = f64::from(*x) - mean;
        squares += deviation * deviation;
        *x = deviation as f32;
    }
    (mean, squares)
}

impl Correlations {
    /// Of no value yet.
    pub(super) fn new(columns: usize, series: usize) -> Self {
        Self { n: 0.0, x: Side::new(columns), y: Side::new(series), xy: vec![0.0; columns * series] }
    }

    /// Of no value yet, with as many columns and series.
    pub(super) fn empty(&self) -> Self {
        Self::new(self.columns(), self.y.mean.len())
    }

    pub(super) fn columns(&self) -> usize {
        self.x.mean.len()
    }

    /// Adds `x`, `[pos, column]`, and `y`, `[series, pos]`.
    pub(super) fn add(&mut self, x: &[f32], mut y: Vec<f32>) {
        let (columns, series) = (self.columns(), self.y.mean.len());
        let len = x.len() / columns.max(1);
        if len == 0 {
            return;
        }
        let mut turned = vec![0.0; x.len()];
        for (at, row) in x.chunks_exact(columns).enumerate() {
            row.iter().enumerate().for_each(|(column, value)| turned[column * len + at] = *value);
        }
        let (x, y_side) = (Side::centred(&mut turned, len), Side::centred(&mut y, len));
        let products =
            product(Mat::new(&y, series, len), Mat::new(&turned, columns, len).t(), series, columns);
        let xy = products.into_iter().map(f64::from).collect();
        self.merge(&Self { n: len as f64, x, y: y_side, xy });
    }

    /// Adds the sums over the positions that follow.
    pub(super) fn merge(&mut self, next: &Self) {
        if next.n == 0.0 {
            return;
        }
        let columns = self.columns();
        let (counts, shared) = ((self.n, next.n), self.n * next.n / (self.n + next.n));
        for (series, (ours, theirs)) in
            self.xy.chunks_exact_mut(columns).zip(next.xy.chunks_exact(columns)).enumerate()
        {
            let apart = (next.y.mean[series] - self.y.mean[series]) * shared;
            for (column, (ours, theirs)) in ours.iter_mut().zip(theirs).enumerate() {
                *ours += theirs + apart * (next.x.mean[column] - self.x.mean[column]);
            }
        }
        self.x.merge(&next.x, counts);
        self.y.merge(&next.y, counts);
        self.n += next.n;
    }

    /// Whether a column never changes, but for rounding.
    pub(super) fn is_constant(&self, column: usize) -> bool {
        self.x.is_constant(column, self.n)
    }

    /// Pearson's correlation of a column with a series, -1 to 1: its square is the share of variance that a straight line
    /// explains. 0 if either is constant, NaN if either has a NaN.
    pub(super) fn of(&self, column: usize, series: usize) -> f64 {
        let squares = self.x.squares[column] * self.y.squares[series];
        let is_constant = self.x.is_constant(column, self.n) || self.y.is_constant(series, self.n);
        if is_constant && !squares.is_nan() {
            return 0.0;
        }
        (self.xy[series * self.columns() + column] / squares.sqrt()).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_with_nan_has_no_correlation_and_a_constant_one_explains_nothing() {
        let mut all = Correlations::new(2, 1);
        all.add(&[f32::NAN, 1.0, 2.0, 1.0, 3.0, 1.0], vec![1.0, 2.0, 3.0]);
        assert!(all.of(0, 0).is_nan());
        let mut constant = Correlations::new(1, 1);
        constant.add(&[f32::NAN, 1.0], vec![1.0, 1.0]);
        assert!(constant.of(0, 0).is_nan());
        assert_eq!((all.of(1, 0), all.is_constant(1)), (0.0, true));
    }

    #[test]
    fn a_perfect_line_has_a_correlation_of_one_and_noise_nearly_none() {
        let y: Vec<f32> = (0..400).map(|i| ((i * 7919) % 101) as f32).collect();
        let columns: Vec<f32> =
            y.iter().flat_map(|y| [3.0 - 2.0 * y, ((y * 37.7) as i32 % 13) as f32]).collect();
        let mut all = Correlations::new(2, 1);
        all.add(&columns, y);
        let (line, noise) = (all.of(0, 0), all.of(1, 0));
        assert!((line + 1.0).abs() < 1e-6 && noise.abs() < 0.2, "{line} {noise}");
    }

    /// A value of 0.7 with rounding is not 1.0: its sums of squares cancel to noise, which correlates with anything.
    #[test]
    fn a_constant_far_from_zero_explains_nothing_and_a_small_spread_around_it_is_measured() {
        let series: Vec<f32> = (0..5000).map(|i| ((i * 7919) % 101) as f32).collect();
        for spread in [0.0, 1e-4] {
            let column = |y: &f32| 0.7 + spread * (y - 50.0) / 50.0;
            let mut all = Correlations::new(1, 1);
            for part in series.chunks(128) {
                let mut merged = all.empty();
                merged.add(&part.iter().map(column).collect::<Vec<f32>>(), part.to_vec());
                all.merge(&merged);
            }
            let want = f64::from(u8::from(spread > 0.0));
            assert!((all.of(0, 0) - want).abs() < 1e-3, "{spread}: {}", all.of(0, 0));
        }
    }
}
