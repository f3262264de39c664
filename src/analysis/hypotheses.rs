//! Hypotheses about neurons: features of the sequence, and how well each explains activations.

use std::sync::Arc;

use serde::Serialize;

use super::neurons::NeuronDirections;
use super::readout::product;
use super::total::{Total, over};
use crate::model::{Activations, Mat, ModelConfig, NeuronId, Patch, Weights};
use crate::task::{Class, Example, Feature, Token};

/// Sums for the correlations between columns of activations and series.
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

    fn merge(&mut self, next: &Self) {
        let pairs = [(&mut self.x, &next.x), (&mut self.xx, &next.xx), (&mut self.y, &next.y)];
        let pairs = pairs.into_iter().chain([(&mut self.yy, &next.yy), (&mut self.xy, &next.xy)]);
        pairs.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        self.n += next.n;
    }

    /// Squared correlation of a column with a series: the share of variance that a line explains. 0 if either is
    /// constant, NaN if either has a NaN.
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
    features: &'static [Feature],
) -> Vec<f64> {
    over(Fit::new(neurons, class, features), weights, &Patch::default(), examples).r_squared()
}

/// The correlations of summed neurons with the features of a class.
pub struct Fit {
    moments: Moments,
    neurons: Vec<NeuronId>,
    class: Class,
    features: &'static [Feature],
}

impl Fit {
    /// Empty sums.
    pub fn new(neurons: &[NeuronId], class: Class, features: &'static [Feature]) -> Self {
        Self { moments: Moments::new(1, features.len()), neurons: neurons.into(), class, features }
    }

    /// By feature.
    pub fn r_squared(&self) -> Vec<f64> {
        (0..self.features.len()).map(|which| self.moments.r_squared(0, which)).collect()
    }
}

impl Total for Fit {
    fn empty(&self) -> Self {
        Self::new(&self.neurons, self.class, self.features)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let sum = |position: usize| {
            self.neurons.iter().map(|id| from.neuron(id.layer, id.neuron, position)).sum::<f32>()
        };
        let sums: Vec<f32> = (0..example.tokens().len()).map(sum).collect();
        self.moments.add(&sums, &all_series(self.features, example.tokens(), self.class));
    }

    fn merge(&mut self, next: Self) {
        self.moments.merge(&next.moments);
    }
}

/// A neuron that tracks a class: its direction raises the class's logit, and it is more active where the class is the
/// label than elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tracker {
    /// Its block.
    pub layer: usize,
    /// Its index there.
    pub neuron: usize,
    /// Its mean contribution to the class's logit where the class is the label, minus that elsewhere; above 0.
    pub effect: f64,
    /// R² of its activation with each feature of the class, in the task's order.
    pub r_squared: Vec<f64>,
}

/// Sums over sequences for [`trackers`].
pub struct TrackerSums {
    directions: Arc<NeuronDirections>,
    features: &'static [Feature],
    layer: usize,
    moments: Moments,
    /// Activation over the final norm's scale, `[label][neuron]`.
    by_label: Vec<Vec<f64>>,
    /// Positions with each label.
    seen: Vec<usize>,
}

impl TrackerSums {
    /// Bytes of the tables of class by neuron, one set per thread, and of the resulting lists; as a type that cannot
    /// overflow.
    pub fn approximate_bytes(c: &ModelConfig, features: usize, threads: usize) -> u128 {
        let [cells, features, threads, n_ctx, outputs] =
            [c.outputs() * c.d_mlp, features, threads, c.n_ctx, c.outputs()].map(|n| n as u128);
        let sums = (features + 1) * cells * size_of::<f64>() as u128;
        let products = features * (cells + outputs * n_ctx) * size_of::<f32>() as u128;
        let listed = cells * (size_of::<Tracker>() as u128 + features * size_of::<f64>() as u128);
        (threads + 1) * sums + threads * products + listed
    }

    /// Empty sums; `directions` must be of the same weights.
    pub fn new(
        config: &ModelConfig,
        directions: Arc<NeuronDirections>,
        features: &'static [Feature],
    ) -> Self {
        Self {
            directions,
            features,
            layer: config.n_layers - 1,
            moments: Moments::new(config.d_mlp, config.outputs() * features.len()),
            by_label: vec![vec![0.0; config.d_mlp]; config.outputs()],
            seen: vec![0; config.outputs()],
        }
    }

    /// The neurons that track each class, strongest first.
    pub fn trackers(&self) -> Vec<Vec<Tracker>> {
        (0..self.seen.len()).map(|class| self.ranked(class)).collect()
    }

    /// The neurons that track one class, strongest first.
    fn ranked(&self, class: usize) -> Vec<Tracker> {
        let (directions, layer, features) = (&self.directions, self.layer, self.features.len());
        let here = self.seen[class];
        let elsewhere = self.seen.iter().sum::<usize>() - here;
        let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
        let tracker = |neuron: usize| {
            let direction = f64::from(directions.of(layer, neuron)[class]);
            let (sum, total) =
                (self.by_label[class][neuron], self.by_label.iter().map(|sums| sums[neuron]).sum::<f64>());
            let difference = mean(sum, here) - mean(total - sum, elsewhere);
            // A neuron that lowers the logit and is least active here also has an effect above 0, but opposes the
            // class.
            (direction > 0.0 && difference > 0.0).then(|| Tracker {
                layer,
                neuron,
                effect: difference * direction,
                r_squared: (0..features)
                    .map(|which| self.moments.r_squared(neuron, class * features + which))
                    .collect(),
            })
        };
        let mut ranked: Vec<Tracker> = (0..self.by_label[class].len()).filter_map(tracker).collect();
        ranked.sort_by(|a, b| b.effect.total_cmp(&a.effect));
        ranked
    }
}

impl Total for TrackerSums {
    fn empty(&self) -> Self {
        let zeros = |sums: &Vec<f64>| vec![0.0; sums.len()];
        Self {
            directions: Arc::clone(&self.directions),
            moments: Moments::new(self.moments.x.len(), self.moments.y.len()),
            by_label: self.by_label.iter().map(zeros).collect(),
            seen: vec![0; self.seen.len()],
            ..*self
        }
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let Some(mlp) = from.blocks.get(self.layer).and_then(|block| block.mlp.as_ref()) else { return };
        let d_mlp = self.moments.x.len();
        for (position, (post, label)) in mlp.post.chunks_exact(d_mlp).zip(example.targets()).enumerate() {
            let Some(label) = *label else { continue };
            let scale = self.directions.scale(from, position);
            self.seen[usize::from(label)] += 1;
            let into = &mut self.by_label[usize::from(label)];
            into.iter_mut().zip(post).for_each(|(into, x)| *into += f64::from(x / scale));
        }
        let of_class = |class: usize| all_series(self.features, example.tokens(), class as Class);
        self.moments.add(&mlp.post, &(0..self.seen.len()).flat_map(of_class).collect::<Vec<_>>());
    }

    fn merge(&mut self, next: Self) {
        self.moments.merge(&next.moments);
        let rows = self.by_label.iter_mut().zip(&next.by_label);
        rows.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        self.seen.iter_mut().zip(&next.seen).for_each(|(a, b)| *a += b);
    }
}

/// The neurons of the last layer that track each class, largest effect on its logit first, over all positions of
/// `examples`; a class may have none. Earlier layers are left out: their neurons also act through later blocks.
pub fn trackers(
    weights: &Weights,
    examples: &[Example<'_>],
    features: &'static [Feature],
) -> Vec<Vec<Tracker>> {
    let directions = Arc::new(NeuronDirections::new(weights));
    let sums = TrackerSums::new(weights.config(), directions, features);
    over(sums, weights, &Patch::default(), examples).trackers()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_with_nan_has_no_r_squared_and_a_constant_one_explains_nothing() {
        let mut moments = Moments::new(2, 1);
        moments.add(&[f32::NAN, 1.0, 2.0, 1.0, 3.0, 1.0], &[1.0, 2.0, 3.0]);
        assert!(moments.r_squared(0, 0).is_nan());
        assert!(moments.r_squared(1, 0).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_line_has_an_r_squared_of_one_and_noise_nearly_zero() {
        let y: Vec<f32> = (0..400).map(|i| ((i * 7919) % 101) as f32).collect();
        let columns: Vec<f32> =
            y.iter().flat_map(|y| [3.0 - 2.0 * y, ((y * 37.7) as i32 % 13) as f32]).collect();
        let mut moments = Moments::new(2, 1);
        moments.add(&columns, &y);
        let (line, noise) = (moments.r_squared(0, 0), moments.r_squared(1, 0));
        assert!((line - 1.0).abs() < 1e-6 && noise < 0.05, "{line} {noise}");
    }
}
