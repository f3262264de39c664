//! Discrete Fourier transforms of functions of cyclic tokens, and of pairs of them (Nanda et al. 2023, "Progress measures
//! for grokking via mechanistic interpretability").

use std::f64::consts::TAU;
use std::ops::Range;

/// A frequency is key if its share of the power is more than this many times its share by chance.
pub const KEY: f64 = 2.0;

/// The orthonormal basis of functions on a circle of `n` points: the constant, then cos and sin of each frequency.
#[derive(Clone, Debug)]
pub struct Fourier {
    n: usize,
    /// `[term][point]`: the constant, cos 1, sin 1, cos 2, ...; of frequency n/2 the cosine alone.
    terms: Vec<f64>,
}

/// The terms of a frequency in a function of two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairTerms {
    /// Cosine and sine of a, those of b, and their products: eight.
    All,
    /// The products alone: four. A sum of a function of a and one of b has none.
    Products,
}

/// The power of each frequency: the sum of its squared coefficients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spectrum {
    /// By frequency, from 1.
    pub power: Vec<f64>,
    /// Of all terms but the constant: more than the frequencies' together where terms mix two frequencies.
    pub total: f64,
    /// The expected share of each frequency in noise: its share of the terms.
    pub chance: Vec<f64>,
}

impl Spectrum {
    /// Share of the power of a frequency, from 1; 0 without any power, NaN of what is no number.
    pub fn share(&self, frequency: usize) -> f64 {
        if self.total == 0.0 { 0.0 } else { self.power[frequency - 1] / self.total }
    }

    /// Whether a frequency has more than [`KEY`] times its share by chance.
    pub fn is_key(&self, frequency: usize) -> bool {
        self.share(frequency) > KEY * self.chance[frequency - 1]
    }

    /// The frequency of most power, the lowest of equal ones; `None` without any power.
    pub fn best(&self) -> Option<usize> {
        let best = (1..=self.power.len()).rev().max_by(|a, b| self.share(*a).total_cmp(&self.share(*b)));
        best.filter(|_| self.total > 0.0)
    }

    /// Adds the power of another function.
    pub(super) fn add(&mut self, other: &Self) {
        self.power.iter_mut().zip(&other.power).for_each(|(sum, power)| *sum += power);
        self.total += other.total;
    }
}

impl Fourier {
    /// The basis for `n` points.
    pub fn new(n: usize) -> Self {
        let of = |term: usize| {
            let frequency = term.div_ceil(2);
            let scale = if frequency == 0 || 2 * frequency == n { 1.0 } else { 2.0 };
            (0..n).map(move |point| {
                // The remainder first: the angle of a large product would be rough.
                let angle = TAU * (frequency * point % n) as f64 / n as f64;
                (scale / n as f64).sqrt() * if term % 2 == 1 || term == 0 { angle.cos() } else { angle.sin() }
            })
        };
        Self { n, terms: (0..n).flat_map(of).collect() }
    }

    /// Number of frequencies: 1 to n/2.
    pub fn frequencies(&self) -> usize {
        self.n / 2
    }

    /// A term, `[point]`.
    fn term(&self, term: usize) -> &[f64] {
        &self.terms[term * self.n..(term + 1) * self.n]
    }

    /// Cosine and sine of a frequency, from 1.
    pub(super) fn of(&self, frequency: usize) -> Range<usize> {
        2 * frequency - 1..(2 * frequency + 1).min(self.n)
    }

    /// An empty spectrum of functions whose frequencies have `terms(cosine and sine)` of `all` terms.
    fn spectrum(&self, terms: fn(usize) -> usize, all: usize) -> Spectrum {
        let chance = (1..=self.frequencies()).map(|k| terms(self.of(k).len()) as f64 / all.max(1) as f64);
        Spectrum { power: vec![0.0; self.frequencies()], total: 0.0, chance: chance.collect() }
    }

    /// Coefficients of a term in each of `width` functions, `values[point][function]`.
    pub(super) fn coefficients(&self, values: &[f32], width: usize, term: usize) -> Vec<f64> {
        let mut sums = vec![0.0; width];
        for (row, weight) in values.chunks_exact(width).zip(self.term(term)) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(*x));
        }
        sums
    }

    /// The spectrum of `width` functions of a point together, `values[point][function]`.
    pub fn of_points(&self, values: &[f32], width: usize) -> Spectrum {
        let mut spectrum = self.spectrum(|terms| terms, self.n - 1);
        for (power, frequency) in spectrum.power.iter_mut().zip(1..) {
            let coefficients = self.of(frequency).flat_map(|term| self.coefficients(values, width, term));
            *power = coefficients.map(|x| x * x).sum();
        }
        spectrum.total = spectrum.power.iter().sum();
        spectrum
    }

    /// The part of a function of two points, `values[a][b]`, in the products of cosine or sine of a and of b of some
    /// frequencies.
    pub(super) fn products_of(&self, values: &[f32], frequencies: &[usize]) -> Vec<f64> {
        let n = self.n;
        let mut part = vec![0.0; n * n];
        for frequency in frequencies {
            for a in self.of(*frequency) {
                let of_b = self.coefficients(values, n, a);
                for b in self.of(*frequency) {
                    let weight: f64 = self.term(b).iter().zip(&of_b).map(|(x, y)| x * y).sum();
                    for (row, x) in part.chunks_exact_mut(n).zip(self.term(a)) {
                        row.iter_mut().zip(self.term(b)).for_each(|(sum, y)| *sum += weight * x * y);
                    }
                }
            }
        }
        part
    }

    /// The spectrum of a function of two points, `values[a][b]`.
    pub fn of_pairs(&self, values: &[f32], which: PairTerms) -> Spectrum {
        let n = self.n;
        let count = match which {
            PairTerms::All => |terms| 2 * terms + terms * terms,
            PairTerms::Products => |terms| terms * terms,
        };
        let mut spectrum = self.spectrum(count, n * n - 1);
        // A constant differs from its mean by rounding alone.
        if values.iter().all(|x| x.to_bits() == values[0].to_bits()) {
            return spectrum;
        }
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / (n * n) as f64;
        spectrum.total = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum();
        // By term of a, a function of b.
        let of_a: Vec<Vec<f64>> = (0..n).map(|term| self.coefficients(values, n, term)).collect();
        let power = |(a, b): (usize, usize)| {
            self.term(b).iter().zip(&of_a[a]).map(|(x, y)| x * y).sum::<f64>().powi(2)
        };
        for (sum, frequency) in spectrum.power.iter_mut().zip(1..) {
            let terms = self.of(frequency);
            let alone = terms.clone().flat_map(|term| [(term, 0), (0, term)]);
            let products = terms.clone().flat_map(|a| terms.clone().map(move |b| (a, b)));
            let products: f64 = products.map(power).sum();
            *sum = if which == PairTerms::All { products + alone.map(power).sum::<f64>() } else { products };
        }
        spectrum
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::random::{Purpose, stream};

    fn noise(len: usize) -> Vec<f32> {
        let mut random = stream(5, Purpose::Control, 0);
        (0..len).map(|_| random.gen_range(-1.0..1.0)).collect()
    }

    /// |sum of f(a, b) e^(-i (j a + k b) tau/n)|^2, by definition.
    fn squared(values: &[f32], n: usize, [j, k]: [usize; 2]) -> f64 {
        let term = |(at, x): (usize, &f32)| {
            let angle = TAU * (j * (at / n) + k * (at % n)) as f64 / n as f64;
            [f64::from(*x) * angle.cos(), f64::from(*x) * angle.sin()]
        };
        let sums =
            values.iter().enumerate().map(term).fold([0.0; 2], |sum, x| [sum[0] + x[0], sum[1] + x[1]]);
        sums[0] * sums[0] + sums[1] * sums[1]
    }

    #[test]
    fn powers_are_those_of_the_complex_transform() {
        for n in [5, 8, 13] {
            let (fourier, values) = (Fourier::new(n), noise(n * n));
            let of_pairs = fourier.of_pairs(&values, PairTerms::All);
            for k in 1..=n / 2 {
                // Frequencies k and -k are one, which n/2 is with itself.
                let both = if 2 * k == n { vec![k] } else { vec![k, n - k] };
                let with_zero = both.iter().flat_map(|j| [[*j, 0], [0, *j]]);
                let products = both.iter().flat_map(|j| both.iter().map(|k| [*j, *k]));
                let expected: f64 = with_zero.chain(products).map(|at| squared(&values, n, at)).sum();
                let close = |ours: f64, theirs: f64| {
                    assert!((ours - theirs).abs() < 1e-9, "{n} {k}: {ours}, {theirs}");
                };
                close(of_pairs.power[k - 1], expected / (n * n) as f64);
                // Columns as functions of the row's point.
                let columns: f64 = both
                    .iter()
                    .flat_map(|j| {
                        (0..n)
                            .map(|b| {
                                let column: Vec<f32> = (0..n)
                                    .flat_map(|a| (0..n).map(move |at| (a, at)))
                                    .map(|(a, at)| if at == 0 { values[a * n + b] } else { 0.0 })
                                    .collect();
                                squared(&column, n, [*j, 0])
                            })
                            .collect::<Vec<_>>()
                    })
                    .sum();
                close(fourier.of_points(&values, n).power[k - 1], columns / n as f64);
            }
            let all: f64 = (0..n * n).skip(1).map(|at| squared(&values, n, [at / n, at % n])).sum();
            assert!((of_pairs.total - all / (n * n) as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn a_wave_of_the_sum_has_one_frequency_and_noise_has_its_share_of_terms() {
        let n = 31;
        let fourier = Fourier::new(n);
        let wave: Vec<f32> = (0..n * n)
            .map(|at| 2.0 + (TAU * (4 * (at / n + at % n)) as f64 / n as f64).cos() as f32)
            .collect();
        let spectrum = fourier.of_pairs(&wave, PairTerms::All);
        assert_eq!(spectrum.best(), Some(4));
        assert!((spectrum.share(4) - 1.0).abs() < 1e-6 && spectrum.is_key(4) && !spectrum.is_key(5));
        let noise = fourier.of_pairs(&noise(n * n), PairTerms::All);
        let mean = (1..=15).map(|k| noise.share(k)).sum::<f64>() / 15.0;
        assert!((mean / (8.0 / 960.0) - 1.0).abs() < 0.3 && noise.chance == [8.0 / 960.0; 15], "{mean}");
        // Of a and b alone, and of products.
        let along = |at: usize| (TAU * (4 * at) as f64 / n as f64).cos() as f32;
        let apart: Vec<f32> = (0..n * n).map(|at| along(at / n) + along(at % n)).collect();
        let [all, products] =
            [PairTerms::All, PairTerms::Products].map(|which| fourier.of_pairs(&apart, which).share(4));
        assert!((all - 1.0).abs() < 1e-6 && products < 1e-9, "{all} {products}");
        let constant = fourier.of_pairs(&vec![0.3; n * n], PairTerms::All);
        assert_eq!((constant.best(), constant.share(1)), (None, 0.0));
        // Half of an even number has a cosine alone.
        let chance = Fourier::new(10).of_points(&[0.0; 10], 1).chance;
        assert!((chance[4] - 1.0 / 9.0).abs() < 1e-12 && (chance[3] - 2.0 / 9.0).abs() < 1e-12);
    }
}
