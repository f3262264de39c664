//! Sums of vectors by label: their means, and the linear probe that reads the labels.

use nalgebra::{Cholesky, DMatrix, DVector};

use crate::task::Class;

/// Share of the mean variance that is added to every direction's, so that the fit exists.
const RIDGE: f64 = 1e-4;

/// Sums over labelled vectors. A label is a class, or a list of numbers; a class is a list of zeros and a one.
#[derive(Clone, Debug)]
pub struct Moments {
    width: usize,
    /// Number of vectors.
    len: u64,
    /// Their sum.
    total: Vec<f64>,
    /// Sums of each number of the labels.
    counts: Vec<f64>,
    /// Sums of the vectors times each number, `[number, width]`.
    sums: Vec<f64>,
    /// Sums of products, `[width, width]`, of which the part up to the diagonal is kept; empty if there will be no probe.
    squares: Vec<f64>,
}

/// A linear map of vectors to labels, `w x + b`.
#[derive(Clone, Debug)]
pub struct LinearProbe {
    width: usize,
    /// `[number, width]`.
    w: Vec<f64>,
    b: Vec<f64>,
}

impl Moments {
    /// No vectors.
    pub fn new(numbers: usize, width: usize, with_probe: bool) -> Self {
        let squares = vec![0.0; if with_probe { width * width } else { 0 }];
        let (total, sums) = (vec![0.0; width], vec![0.0; numbers * width]);
        Self { width, len: 0, total, counts: vec![0.0; numbers], sums, squares }
    }

    /// Bytes of the sums, as a type that cannot overflow.
    pub fn approximate_bytes(numbers: usize, width: usize) -> u128 {
        8 * width as u128 * (width + numbers) as u128
    }

    /// Adds a vector of a class.
    pub fn add(&mut self, row: &[f32], class: Class) {
        self.add_vector(row);
        self.add_times(row, usize::from(class), 1.0);
    }

    /// Adds a vector with the numbers of its label.
    pub fn add_numbers(&mut self, row: &[f32], label: &[f32]) {
        self.add_vector(row);
        label.iter().enumerate().for_each(|(at, number)| self.add_times(row, at, f64::from(*number)));
    }

    fn add_times(&mut self, row: &[f32], at: usize, number: f64) {
        self.counts[at] += number;
        let sums = &mut self.sums[at * self.width..(at + 1) * self.width];
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += number * f64::from(*x));
    }

    fn add_vector(&mut self, row: &[f32]) {
        let width = self.width;
        self.len += 1;
        self.total.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
        for (at, products) in self.squares.chunks_exact_mut(width.max(1)).enumerate() {
            let x = f64::from(row[at]);
            products[..=at].iter_mut().zip(row).for_each(|(sum, y)| *sum += x * f64::from(*y));
        }
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        self.len += other.len;
        self.total.iter_mut().zip(&other.total).for_each(|(a, b)| *a += b);
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.squares.iter_mut().zip(&other.squares).for_each(|(a, b)| *a += b);
    }

    /// Number of vectors.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mean over these classes; zeros without vectors.
    pub fn mean(&self, classes: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        let mut count = 0.0;
        for (class, sums) in self.sums.chunks_exact(self.width.max(1)).enumerate().filter(|at| classes(at.0))
        {
            count += self.counts[class];
            mean.iter_mut().zip(sums).for_each(|(sum, x)| *sum += x);
        }
        mean.iter_mut().for_each(|sum| *sum /= f64::max(count, 1.0));
        mean
    }

    /// The ridge regression of the labels on the vectors.
    pub fn probe(&self) -> LinearProbe {
        self.probe_with(self)
    }

    /// The same for other labels of the vectors whose products `of` has summed.
    pub fn probe_with(&self, of: &Self) -> LinearProbe {
        let (width, n) = (self.width, self.len().max(1) as f64);
        let mean: Vec<f64> = self.total.iter().map(|sum| sum / n).collect();
        let trace: f64 = (0..width).map(|at| of.squares[at * width + at] - n * mean[at] * mean[at]).sum();
        let ridge = (RIDGE * trace / width.max(1) as f64).max(f64::MIN_POSITIVE);
        let covariance = DMatrix::from_fn(width, width, |row, col| {
            let product = of.squares[row.max(col) * width + row.min(col)];
            product - n * mean[row] * mean[col] + if row == col { ridge } else { 0.0 }
        });
        let factor = Cholesky::new(covariance);
        let (mut w, mut b) = (self.sums.clone(), Vec::with_capacity(self.counts.len()));
        for (class, w) in w.chunks_exact_mut(width.max(1)).enumerate() {
            let count = self.counts[class];
            w.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= count * mean);
            let solved = factor.as_ref().map(|factor| factor.solve(&DVector::from_column_slice(w)));
            // Vectors that do not vary tell nothing.
            w.copy_from_slice(solved.unwrap_or_else(|| DVector::zeros(width)).as_slice());
            b.push(count / n - w.iter().zip(&mean).map(|(w, mean)| w * mean).sum::<f64>());
        }
        LinearProbe { width, w, b }
    }
}

impl LinearProbe {
    /// What it reads for a number of the label.
    pub fn number(&self, at: usize, row: &[f32]) -> f64 {
        let w = &self.w[at * self.width..(at + 1) * self.width];
        self.b[at] + w.iter().zip(row).map(|(w, x)| w * f64::from(*x)).sum::<f64>()
    }

    /// The class of a vector: that of the largest number.
    pub fn class(&self, row: &[f32]) -> Class {
        let scores = (0..self.b.len()).map(|class| (class, self.number(class, row)));
        let best = scores.fold((0, f64::NEG_INFINITY), |best, one| if one.1 > best.1 { one } else { best });
        best.0 as Class
    }

    /// What the score of a class reads, as a vector of unit length; zeros if it reads nothing.
    pub fn direction(&self, class: Class) -> Vec<f32> {
        let w = &self.w[usize::from(class) * self.width..][..self.width];
        let norm = w.iter().map(|x| x * x).sum::<f64>().sqrt();
        w.iter().map(|x| if norm > 0.0 { (x / norm) as f32 } else { 0.0 }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_separates_what_is_linear_and_solves_the_normal_equations() {
        let mut moments = Moments::new(2, 3, true);
        let rows: Vec<([f32; 3], Class)> = (0..40)
            .map(|at| {
                let [a, b] = [at % 7, at % 5].map(|x| x as f32);
                ([a, b, a - 2.0 * b], Class::from(a > 2.0 * b))
            })
            .collect();
        let (first, second) = rows.split_at(25);
        first.iter().for_each(|(row, class)| moments.add(row, *class));
        let mut rest = Moments::new(2, 3, true);
        second.iter().for_each(|(row, class)| rest.add(row, *class));
        moments.merge(&rest);
        assert_eq!(moments.len(), 40);
        let probe = moments.probe();
        let right = rows.iter().filter(|(row, class)| probe.class(row) == *class).count();
        assert!(right >= 37, "{right} of 40");
        // The gradient of the squared error, plus the ridge, is 0.
        let residual = |(row, class): &([f32; 3], Class), of: usize| {
            let w = &probe.w[of * 3..of * 3 + 3];
            let score = probe.b[of] + w.iter().zip(row).map(|(w, x)| w * f64::from(*x)).sum::<f64>();
            f64::from(u8::from(usize::from(*class) == of)) - score
        };
        let variance: f64 = {
            let mean = moments.mean(|_| true);
            let square = |row: &[f32; 3]| -> f64 {
                row.iter().zip(&mean).map(|(x, mean)| (f64::from(*x) - mean).powi(2)).sum()
            };
            rows.iter().map(|(row, _)| square(row)).sum()
        };
        for of in 0..2 {
            assert!(rows.iter().map(|row| residual(row, of)).sum::<f64>().abs() < 1e-9);
            for at in 0..3 {
                let slope: f64 = rows.iter().map(|row| residual(row, of) * f64::from(row.0[at])).sum();
                let ridge = RIDGE * variance / 3.0 * probe.w[of * 3 + at];
                assert!((slope - ridge).abs() < 1e-9, "{slope} {ridge}");
            }
        }
    }

    #[test]
    fn what_is_constant_has_a_probe_that_reads_nothing() {
        let mut moments = Moments::new(2, 2, true);
        (0..6).for_each(|at| moments.add(&[1.0, 0.0], at % 3 / 2));
        let probe = moments.probe();
        assert_eq!((probe.class(&[1.0, 0.0]), probe.direction(1)), (0, vec![0.0, 0.0]));
    }
}
