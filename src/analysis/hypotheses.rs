//! What a neuron might be following: features of the sequence, and how well each explains activations.

use rayon::prelude::*;
use serde::Serialize;

use super::attribution::product;
use super::evaluation::part_len;
use super::neurons::NeuronDirections;
use crate::model::{Activations, Mat, NeuronId, Patch, Weights, forward};
use crate::task::{Class, Example, Feature, Token};

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

/// Every feature of a class in a sequence, `[feature, pos]`.
fn all_series(features: &[Feature], tokens: &[Token], class: Class) -> Vec<f32> {
    features.iter().flat_map(|feature| (feature.series)(tokens, class)).collect()
}

/// R² of the summed activation of `neurons` against each of `features` of `class`, over all positions of `examples`.
pub fn fit(
    weights: &Weights,
    examples: &[Example<'_>],
    neurons: &[NeuronId],
    class: Class,
    features: &[Feature],
) -> Vec<f64> {
    let c = weights.config();
    let mut moments = Moments::new(1, features.len());
    let mut activations = Activations::new(c, 0);
    for example in examples {
        forward(weights, example.tokens(), &Patch::default(), &mut activations);
        let sum = |position: usize| {
            let value = |id: &NeuronId| {
                activations.blocks[id.layer]
                    .mlp
                    .as_ref()
                    .map_or(0.0, |mlp| mlp.post[position * c.d_mlp + id.neuron])
            };
            neurons.iter().map(value).sum::<f32>()
        };
        let sums: Vec<f32> = (0..example.tokens().len()).map(sum).collect();
        moments.add(&sums, &all_series(features, example.tokens(), class));
    }
    (0..features.len()).map(|which| moments.r_squared(0, which)).collect()
}

/// A neuron that tracks a class: its direction raises the class's logit, and it is more active where the class is the
/// label than where another is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tracker {
    /// Its block.
    pub layer: usize,
    /// Its place there.
    pub neuron: usize,
    /// What it adds to the class's logit, on average where the class is the label, less where another is; above 0.
    pub effect: f64,
    /// R² of its activation with each feature of the class, in the task's order.
    pub r_squared: Vec<f64>,
}

/// What [`trackers`] sums over sequences.
struct Sums {
    features: usize,
    moments: Moments,
    /// Activation over the final norm's scale, `[label][neuron]`.
    by_label: Vec<Vec<f64>>,
    /// Positions with each label.
    seen: Vec<usize>,
}

impl Sums {
    fn over(
        weights: &Weights,
        directions: &NeuronDirections,
        examples: &[Example<'_>],
        features: &[Feature],
    ) -> Self {
        let c = weights.config();
        let mut activations = Activations::new(c, 0);
        let mut sums = Self {
            features: features.len(),
            moments: Moments::new(c.d_mlp, c.outputs() * features.len()),
            by_label: vec![vec![0.0; c.d_mlp]; c.outputs()],
            seen: vec![0; c.outputs()],
        };
        for example in examples {
            forward(weights, example.tokens(), &Patch::default(), &mut activations);
            let Some(mlp) = &activations.blocks[c.n_layers - 1].mlp else { continue };
            for (position, (post, label)) in mlp.post.chunks_exact(c.d_mlp).zip(example.targets()).enumerate()
            {
                let Some(label) = *label else { continue };
                let scale = directions.scale(&activations, position);
                sums.seen[usize::from(label)] += 1;
                let into = &mut sums.by_label[usize::from(label)];
                into.iter_mut().zip(post).for_each(|(into, x)| *into += f64::from(x / scale));
            }
            let of_class = |class: usize| all_series(features, example.tokens(), class as Class);
            sums.moments.add(&mlp.post, &(0..c.outputs()).flat_map(of_class).collect::<Vec<_>>());
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

    /// The neurons that track one class, the strongest first.
    fn ranked(&self, class: usize, directions: &NeuronDirections, layer: usize) -> Vec<Tracker> {
        let here = self.seen[class];
        let elsewhere = self.seen.iter().sum::<usize>() - here;
        let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
        let tracker = |neuron: usize| {
            let direction = f64::from(directions.of(layer, neuron)[class]);
            let (sum, total) =
                (self.by_label[class][neuron], self.by_label.iter().map(|sums| sums[neuron]).sum::<f64>());
            let difference = mean(sum, here) - mean(total - sum, elsewhere);
            // One that lowers the logit and is least active here has an effect above 0 as well: it opposes the class.
            (direction > 0.0 && difference > 0.0).then(|| Tracker {
                layer,
                neuron,
                effect: difference * direction,
                r_squared: (0..self.features)
                    .map(|which| self.moments.r_squared(neuron, class * self.features + which))
                    .collect(),
            })
        };
        let mut ranked: Vec<Tracker> = (0..self.by_label[class].len()).filter_map(tracker).collect();
        ranked.sort_by(|a, b| b.effect.total_cmp(&a.effect));
        ranked
    }
}

/// For each class the neurons of the last layer that track it, the largest effect on its logit first, over all targets of
/// `examples`, with R² of `features` over all positions; there may be none. Earlier layers' neurons act through later
/// blocks as well, and are left out.
pub fn trackers(weights: &Weights, examples: &[Example<'_>], features: &[Feature]) -> Vec<Vec<Tracker>> {
    let c = weights.config();
    let directions = NeuronDirections::new(weights);
    let parts: Vec<Sums> = examples
        .par_chunks(part_len(examples))
        .map(|part| Sums::over(weights, &directions, part, features))
        .collect();
    let sums = parts.into_iter().reduce(|sums, part| sums.merge(&part));
    let Some(sums) = sums.filter(|_| c.has_mlp()) else { return vec![Vec::new(); c.outputs()] };
    (0..c.outputs()).map(|class| sums.ranked(class, &directions, c.n_layers - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
