//! What a neuron might be following: simple functions of the sequence, and how well each explains activations.

use rayon::prelude::*;
use serde::Serialize;

use super::attribution::product;
use super::evaluation::part_len;
use super::neurons::NeuronDirections;
use crate::model::{Activations, Mat, NeuronId, Patch, Weights, forward};
use crate::task::{Example, Token};

/// A function of a sequence and a token, at each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hypothesis {
    /// How often the token has occurred.
    Count,
    /// Its count less that of the most frequent other token.
    Lead,
    /// Its share of the positions so far.
    Share,
    /// 1 / (1 + positions since its last occurrence); 0 before the first.
    LastOccurrence,
}

impl Hypothesis {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Count, Self::Lead, Self::Share, Self::LastOccurrence];

    /// In two words at the most.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Lead => "lead",
            Self::Share => "share",
            Self::LastOccurrence => "last seen",
        }
    }

    /// Its value at each position, `[pos]`. Tokens must be below `d_vocab`.
    pub fn series(self, tokens: &[Token], token: Token, d_vocab: usize) -> Vec<f32> {
        let mut counts = vec![0_u32; d_vocab];
        let (wanted, mut since) = (usize::from(token), None);
        let step = |(position, &seen): (usize, &Token)| {
            counts[usize::from(seen)] += 1;
            since = if seen == token { Some(0) } else { since.map(|n: u32| n + 1) };
            let count = counts[wanted] as f32;
            match self {
                Self::Count => count,
                Self::Share => count / (position + 1) as f32,
                Self::LastOccurrence => since.map_or(0.0, |n| 1.0 / (1 + n) as f32),
                Self::Lead => {
                    let others = counts.iter().enumerate().filter(|(other, _)| *other != wanted);
                    count - others.map(|(_, count)| *count).max().unwrap_or(0) as f32
                }
            }
        };
        tokens.iter().enumerate().map(step).collect()
    }
}

/// Sums for correlations between columns of activations and series.
#[derive(Clone, Debug)]
struct Moments {
    n: f64,
    x: Vec<f64>,
    xx: Vec<f64>,
    y: Vec<f64>,
    yy: Vec<f64>,
    /// `[series, column]`.
    xy: Vec<f64>,
}

impl Moments {
    fn new(columns: usize, series: usize) -> Self {
        let zeros = |n: usize| vec![0.0; n];
        let (x, y) = (zeros(columns), zeros(series));
        Self { n: 0.0, xx: x.clone(), x, yy: y.clone(), y, xy: zeros(columns * series) }
    }

    /// `x` is `[pos, columns]`, `y` is `[series, pos]`.
    fn add(&mut self, x: &[f32], y: &[f32]) {
        let (columns, series) = (self.x.len(), self.y.len());
        let len = x.len() / columns;
        self.n += len as f64;
        for row in x.chunks_exact(columns) {
            for ((sum, squares), &value) in self.x.iter_mut().zip(&mut self.xx).zip(row) {
                *sum += f64::from(value);
                *squares += f64::from(value).powi(2);
            }
        }
        for ((sum, squares), row) in self.y.iter_mut().zip(&mut self.yy).zip(y.chunks_exact(len)) {
            *sum += row.iter().map(|y| f64::from(*y)).sum::<f64>();
            *squares += row.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>();
        }
        let products = product(Mat::new(y, series, len), Mat::new(x, len, columns), series, columns);
        self.xy.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(product));
    }

    fn merge(mut self, other: &Self) -> Self {
        let pairs = [(&mut self.x, &other.x), (&mut self.xx, &other.xx), (&mut self.y, &other.y)];
        let pairs = pairs.into_iter().chain([(&mut self.yy, &other.yy), (&mut self.xy, &other.xy)]);
        pairs.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        self.n += other.n;
        self
    }

    /// Squared correlation of a column with a series: the share of variance that a line explains. 0 where one of them
    /// does not vary, NaN where one has a NaN.
    fn r_squared(&self, column: usize, series: usize) -> f64 {
        let variance = |sum: f64, squares: f64| squares / self.n - (sum / self.n).powi(2);
        let (x, y) = (self.x[column], self.y[series]);
        let covariance = self.xy[series * self.x.len() + column] / self.n - x * y / self.n.powi(2);
        let product = variance(x, self.xx[column]) * variance(y, self.yy[series]);
        if product <= 0.0 { 0.0 } else { (covariance * covariance / product).clamp(0.0, 1.0) }
    }
}

/// Every hypothesis of a token in a sequence, `[hypothesis, pos]`.
fn all_series(tokens: &[Token], token: Token, d_vocab: usize) -> Vec<f32> {
    Hypothesis::ALL.iter().flat_map(|h| h.series(tokens, token, d_vocab)).collect()
}

/// R² of the summed activation of `neurons` against each hypothesis of `token`, in the order of [`Hypothesis::ALL`], over
/// all positions of `examples` (of one length).
pub fn fit(weights: &Weights, examples: &[Example<'_>], neurons: &[NeuronId], token: Token) -> [f64; 4] {
    let c = weights.config();
    let mut moments = Moments::new(1, Hypothesis::ALL.len());
    let mut activations = Activations::new(c, examples.first().map_or(0, |example| example.tokens.len()));
    for example in examples {
        forward(weights, example.tokens, &Patch::default(), &mut activations);
        let sum = |position: usize| {
            let value = |id: &NeuronId| {
                activations.blocks[id.layer]
                    .mlp
                    .as_ref()
                    .map_or(0.0, |mlp| mlp.post[position * c.d_mlp + id.neuron])
            };
            neurons.iter().map(value).sum::<f32>()
        };
        let sums: Vec<f32> = (0..example.tokens.len()).map(sum).collect();
        moments.add(&sums, &all_series(example.tokens, token, c.d_vocab));
    }
    std::array::from_fn(|which| moments.r_squared(0, which))
}

/// A neuron that tracks a token: its direction raises the token's logit, and it is more active where the token is the
/// label than elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tracker {
    /// Its block.
    pub layer: usize,
    /// Its place there.
    pub neuron: usize,
    /// What it adds to the token's logit, on average where the token is the label, less where it is not; above 0.
    pub effect: f64,
    /// R² of its activation with each hypothesis of the token, in the order of [`Hypothesis::ALL`].
    pub r_squared: [f64; 4],
}

/// What [`trackers`] sums over sequences.
struct Sums {
    moments: Moments,
    /// Activation over the final norm's scale, `[label][neuron]`.
    by_label: Vec<Vec<f64>>,
    /// Positions with each label.
    seen: Vec<usize>,
}

impl Sums {
    fn over(weights: &Weights, directions: &NeuronDirections, examples: &[Example<'_>]) -> Self {
        let c = weights.config();
        let mut activations = Activations::new(c, examples.first().map_or(0, |example| example.tokens.len()));
        let mut sums = Self {
            moments: Moments::new(c.d_mlp, c.d_vocab * Hypothesis::ALL.len()),
            by_label: vec![vec![0.0; c.d_mlp]; c.d_vocab],
            seen: vec![0; c.d_vocab],
        };
        for example in examples {
            forward(weights, example.tokens, &Patch::default(), &mut activations);
            let Some(mlp) = &activations.blocks[c.n_layers - 1].mlp else { continue };
            for (position, (post, &label)) in mlp.post.chunks_exact(c.d_mlp).zip(example.labels).enumerate() {
                let scale = directions.scale(&activations, position);
                sums.seen[usize::from(label)] += 1;
                let into = &mut sums.by_label[usize::from(label)];
                into.iter_mut().zip(post).for_each(|(into, x)| *into += f64::from(x / scale));
            }
            let series =
                (0..c.d_vocab).flat_map(|token| all_series(example.tokens, token as Token, c.d_vocab));
            sums.moments.add(&mlp.post, &series.collect::<Vec<_>>());
        }
        sums
    }

    fn merge(self, other: &Self) -> Self {
        let mut merged = Self { moments: self.moments.merge(&other.moments), ..self };
        let rows = merged.by_label.iter_mut().zip(&other.by_label);
        rows.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        merged.seen.iter_mut().zip(&other.seen).for_each(|(a, b)| *a += b);
        merged
    }

    /// The neurons that track one token, the strongest first.
    fn ranked(&self, token: usize, directions: &NeuronDirections, layer: usize) -> Vec<Tracker> {
        let here = self.seen[token];
        let elsewhere = self.seen.iter().sum::<usize>() - here;
        let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
        let tracker = |neuron: usize| {
            let direction = f64::from(directions.of(layer, neuron)[token]);
            let (sum, total) =
                (self.by_label[token][neuron], self.by_label.iter().map(|sums| sums[neuron]).sum::<f64>());
            let difference = mean(sum, here) - mean(total - sum, elsewhere);
            // One that lowers the logit and is least active here has an effect above 0 as well: it opposes the token.
            (direction > 0.0 && difference > 0.0).then(|| Tracker {
                layer,
                neuron,
                effect: difference * direction,
                r_squared: std::array::from_fn(|which| {
                    self.moments.r_squared(neuron, token * Hypothesis::ALL.len() + which)
                }),
            })
        };
        let mut ranked: Vec<Tracker> = (0..self.by_label[token].len()).filter_map(tracker).collect();
        ranked.sort_by(|a, b| b.effect.total_cmp(&a.effect));
        ranked
    }
}

/// For each token the neurons of the last layer that track it, the largest effect on its logit first, over all positions
/// of `examples` (of one length); there may be none. Earlier layers' neurons act through later blocks as well, and are
/// left out.
pub fn trackers(weights: &Weights, examples: &[Example<'_>]) -> Vec<Vec<Tracker>> {
    let c = weights.config();
    let directions = NeuronDirections::new(weights);
    let parts: Vec<Sums> =
        examples.par_chunks(part_len(examples)).map(|part| Sums::over(weights, &directions, part)).collect();
    let sums = parts.into_iter().reduce(|sums, part| sums.merge(&part));
    let Some(sums) = sums.filter(|_| c.has_mlp()) else { return vec![Vec::new(); c.d_vocab] };
    (0..c.d_vocab).map(|token| sums.ranked(token, &directions, c.n_layers - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hypothesis_says_what_its_name_says() {
        let tokens = [2, 1, 2, 0, 0, 0];
        let series = |h: Hypothesis| h.series(&tokens, 2, 3);
        assert_eq!(series(Hypothesis::Count), [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
        assert_eq!(series(Hypothesis::Lead), [1.0, 0.0, 1.0, 1.0, 0.0, -1.0]);
        assert_eq!(series(Hypothesis::Share)[3..4], [0.5]);
        assert_eq!(series(Hypothesis::LastOccurrence)[..4], [1.0, 0.5, 1.0, 0.5]);
    }

    #[test]
    fn a_column_that_is_nan_has_no_r_squared_and_a_constant_one_explains_nothing() {
        let mut moments = Moments::new(2, 1);
        moments.add(&[f32::NAN, 1.0, 2.0, 1.0, 3.0, 1.0], &[1.0, 2.0, 3.0]);
        assert!(moments.r_squared(0, 0).is_nan());
        assert!(moments.r_squared(1, 0).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_line_has_an_r_squared_of_one_and_noise_of_nearly_none() {
        let y: Vec<f32> = (0..400).map(|i| ((i * 7919) % 101) as f32).collect();
        let columns: Vec<f32> =
            y.iter().flat_map(|y| [3.0 - 2.0 * y, ((y * 37.7) as i32 % 13) as f32]).collect();
        let mut moments = Moments::new(2, 1);
        moments.add(&columns, &y);
        let (line, noise) = (moments.r_squared(0, 0), moments.r_squared(1, 0));
        assert!((line - 1.0).abs() < 1e-6 && noise < 0.05, "{line} {noise}");
    }
}
