//! Progress measures of a task of pairs on a circle (Nanda et al. 2023, "Progress measures for grokking via mechanistic
//! interpretability").

use super::pairs::PairValues;
use super::spectra::Fourier;
use crate::model::cross_entropy;
use crate::task::Class;

/// What the logits of the key frequencies, and the others, can do alone.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressMeasures {
    /// The key frequencies.
    pub keys: Vec<usize>,
    /// Mean loss over all pairs of the constant and the key frequencies' terms.
    pub restricted: f64,
    /// Mean loss over the training pairs without the key frequencies' terms.
    pub excluded: f64,
    /// Gini coefficient of the norms of `W_E` by frequency.
    pub gini: f64,
}

/// The frequencies whose products make more of the logits than twice their share by chance.
pub fn key_frequencies(values: &PairValues, fourier: &Fourier) -> Vec<usize> {
    let spectrum = values.spectrum_of_logits(fourier);
    (1..=fourier.frequencies()).filter(|frequency| spectrum.is_key(*frequency)).collect()
}

/// Restricted loss over all pairs, and excluded loss over `training` pairs; `targets` by pair.
pub fn losses(
    values: &PairValues,
    (fourier, keys): (&Fourier, &[usize]),
    targets: &[Option<usize>],
    training: &[usize],
) -> [f64; 2] {
    let (mut restricted, mut excluded) = (values.logits().to_vec(), values.logits().to_vec());
    for class in 0..values.outputs() {
        let logits = values.logit(class);
        let of_keys = fourier.products_of(&logits, keys);
        let mean = logits.iter().map(|x| f64::from(*x)).sum::<f64>() / logits.len() as f64;
        for (pair, of_keys) in of_keys.into_iter().enumerate() {
            let at = pair * values.outputs() + class;
            restricted[at] = (mean + of_keys) as f32;
            excluded[at] -= of_keys as f32;
        }
    }
    let all: Vec<usize> = (0..targets.len()).collect();
    [mean_loss(&restricted, targets, &all), mean_loss(&excluded, targets, training)]
}

/// Mean cross-entropy over the pairs that have a target; NaN without any.
fn mean_loss(logits: &[f32], targets: &[Option<usize>], pairs: &[usize]) -> f64 {
    let outputs = logits.len() / targets.len().max(1);
    let loss = |pair: &usize| {
        let row = &logits[pair * outputs..][..outputs];
        Some(cross_entropy(row, &[Some(targets[*pair]? as Class)], outputs))
    };
    let losses: Vec<f64> = pairs.iter().filter_map(loss).collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

/// Gini coefficient: 0 where all are equal, near 1 where one has everything.
pub fn gini(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (n, sum) = (values.len() as f64, values.iter().sum::<f64>());
    let weighted: f64 = values.iter().zip(1..).map(|(value, rank)| value * f64::from(rank)).sum();
    2.0 * weighted / (n * sum) - (n + 1.0) / n
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const P: usize = 7;

    fn wave(frequency: usize, x: usize) -> f64 {
        (TAU * (frequency * x % P) as f64 / P as f64).cos()
    }

    /// Logits that are right by a wave of one frequency, and wrong by a function of the operands alone.
    fn values(right: f64) -> PairValues {
        let logit = |pair: usize, class: usize| {
            let (a, b) = (pair / P, pair % P);
            right * wave(2, a + b + P - class) + 3.0 * wave(3, a + 2 * class) + 0.1 * class as f64
        };
        let logits = (0..P * P).flat_map(|pair| (0..P).map(move |class| logit(pair, class) as f32));
        PairValues::of(P, logits.collect())
    }

    /// The two-dimensional transform by definition: the mean, and the terms e^(i tau (j a + k b)/n), j and k = +-key.
    fn restricted_by_definition(logits: &[f64], key: usize) -> Vec<f64> {
        let (n, signed) = (P as f64, [key, P - key]);
        let mut kept = vec![logits.iter().sum::<f64>() / (n * n); P * P];
        for (j, k) in signed.iter().flat_map(|j| signed.iter().map(move |k| (*j, *k))) {
            let angle = |pair: usize| TAU * ((j * (pair / P) + k * (pair % P)) % P) as f64 / n;
            let [re, im] = [f64::cos, f64::sin]
                .map(|of| (0..P * P).map(|pair| logits[pair] * of(angle(pair))).sum::<f64>() / (n * n));
            for (pair, sum) in kept.iter_mut().enumerate() {
                *sum += re * angle(pair).cos() + im * angle(pair).sin();
            }
        }
        kept
    }

    #[test]
    fn a_loss_near_0_keeps_its_digits() {
        let loss = mean_loss(&[30.0, 0.0], &[Some(0)], &[0]);
        assert!((loss / (-30_f64).exp() - 1.0).abs() < 1e-6, "{loss}");
    }

    #[test]
    fn losses_are_those_of_a_transform_by_definition() {
        let (values, fourier) = (values(2.0), Fourier::new(P));
        let targets: Vec<Option<usize>> = (0..P * P).map(|pair| Some((pair / P + pair % P) % P)).collect();
        let training: Vec<usize> = (0..P * P).step_by(3).collect();
        let found = losses(&values, (&fourier, &[2]), &targets, &training);
        let columns: Vec<Vec<f64>> = (0..P)
            .map(|class| values.logit(class).iter().map(|x| f64::from(*x)).collect::<Vec<_>>())
            .collect();
        let kept: Vec<Vec<f64>> = columns.iter().map(|column| restricted_by_definition(column, 2)).collect();
        let loss = |pair: usize, logit: &dyn Fn(usize) -> f64| {
            (0..P).map(|class| logit(class).exp()).sum::<f64>().ln() - logit(targets[pair].unwrap())
        };
        let restricted =
            (0..P * P).map(|pair| loss(pair, &|class| kept[class][pair])).sum::<f64>() / (P * P) as f64;
        let mean = |class: usize| columns[class].iter().sum::<f64>() / (P * P) as f64;
        let excluded =
            |pair: usize| loss(pair, &|class| columns[class][pair] - kept[class][pair] + mean(class));
        let excluded = training.iter().map(|pair| excluded(*pair)).sum::<f64>() / training.len() as f64;
        assert!((found[0] - restricted).abs() < 1e-5, "{} {restricted}", found[0]);
        assert!((found[1] - excluded).abs() < 1e-5, "{} {excluded}", found[1]);
        assert!(restricted < 1.0 && excluded > 1.9, "{restricted} {excluded}");
    }

    #[test]
    fn the_wave_of_the_sum_is_key() {
        assert_eq!(key_frequencies(&values(2.0), &Fourier::new(P)), [2]);
        assert!(key_frequencies(&values(0.0), &Fourier::new(P)).is_empty());
    }

    #[test]
    fn gini_is_nothing_for_equal_norms_and_most_for_a_single_one() {
        assert!(gini([2.0; 5]).abs() < 1e-12);
        assert!((gini([0.0, 0.0, 0.0, 3.0]) - 0.75).abs() < 1e-12);
    }
}
