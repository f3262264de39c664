//! Hypotheses about neurons: features of the sequence, and how well each explains activations.

use std::sync::Arc;

use serde::Serialize;

use super::correlation::Correlations;
use super::neurons::NeuronHook;
use super::readout::Readout;
use super::total::{Total, over};
use super::tuning::{Tuning, TuningPoint};
use crate::model::{Activations, ModelConfig, NeuronId, Patch, Weights};
use crate::task::{Class, Example, Task, Token};

/// Every feature of a class in a sequence, `[feature][pos]`.
fn all_series<'a>(
    task: &'a dyn Task,
    tokens: &'a [Token],
    class: Class,
) -> impl Iterator<Item = Vec<f32>> + 'a {
    task.features().iter().map(move |feature| feature.series(task, tokens, class))
}

/// The positions that hypotheses are about: the scored ones, or all of a sequence without targets.
fn compared(example: Example<'_>) -> Vec<usize> {
    let scored = example.targets().iter().enumerate().filter(|(_, target)| target.is_some());
    let scored: Vec<usize> = scored.map(|(position, _)| position).collect();
    if scored.is_empty() { (0..example.tokens().len()).collect() } else { scored }
}

/// How a feature of a class fits the summed activation of some neurons.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Pearson's correlation; its square is R². 0 if either is constant.
    pub correlation: f64,
    /// The mean activation by the feature's value, in rising order.
    pub tuning: Vec<TuningPoint>,
}

impl Fitted {
    /// The share of the variance that a straight line explains.
    pub fn r_squared(&self) -> f64 {
        self.correlation * self.correlation
    }
}

/// The fit of each feature of `class` to the summed activation of `neurons`, over the scored positions of `examples`.
pub fn fit(
    weights: &Weights,
    examples: &[Example<'_>],
    (neurons, hook): (&[NeuronId], NeuronHook),
    class: Class,
    task: &Arc<dyn Task>,
) -> Vec<Fitted> {
    over(Fit::new(neurons, hook, class, task), weights, &Patch::default(), examples).fitted()
}

/// Sums for the fit of the features of a class to summed neurons.
pub struct Fit {
    correlations: Correlations,
    tuning: Vec<Tuning>,
    neurons: Vec<NeuronId>,
    hook: NeuronHook,
    class: Class,
    task: Arc<dyn Task>,
}

impl Fit {
    /// Empty sums.
    pub fn new(neurons: &[NeuronId], hook: NeuronHook, class: Class, task: &Arc<dyn Task>) -> Self {
        let features = task.features().len();
        let (correlations, tuning) = (Correlations::new(1, features), vec![Tuning::default(); features]);
        Self { correlations, tuning, neurons: neurons.into(), hook, class, task: Arc::clone(task) }
    }

    /// By feature.
    pub fn fitted(&self) -> Vec<Fitted> {
        let of = |(which, tuning): (usize, &Tuning)| Fitted {
            correlation: self.correlations.of(0, which),
            tuning: tuning.points(),
        };
        self.tuning.iter().enumerate().map(of).collect()
    }
}

impl Total for Fit {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(&self.neurons, self.hook, self.class, &self.task)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let at = compared(example);
        let sum =
            |position: &usize| self.neurons.iter().map(|id| self.hook.of(from, *id, *position)).sum::<f32>();
        let sums: Vec<f32> = at.iter().map(sum).collect();
        let mut all = Vec::with_capacity(at.len() * self.tuning.len());
        let series = all_series(&*self.task, example.tokens(), self.class);
        for (series, tuning) in series.zip(&mut self.tuning) {
            for (position, sum) in at.iter().zip(&sums) {
                tuning.add(series[*position], *sum);
                all.push(series[*position]);
            }
        }
        self.correlations.add(&sums, all);
    }

    fn merge(&mut self, next: Self) {
        self.correlations.merge(&next.correlations);
        self.tuning.iter_mut().zip(next.tuning).for_each(|(ours, theirs)| ours.merge(theirs));
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
    /// Its mean activation where the class is the label, minus that elsewhere, times its direction's logit of the class, over
    /// the mean scale of the final norm; above 0.
    pub effect: f64,
    /// R² of its activation with each feature of the class, in the task's order.
    pub r_squared: Vec<f64>,
    /// The same of its value before the activation function.
    pub r_squared_pre: Vec<f64>,
}

/// Sums over sequences for [`trackers`].
pub struct TrackerSums {
    readout: Arc<Readout>,
    task: Arc<dyn Task>,
    layer: usize,
    post: Correlations,
    pre: Correlations,
    /// Activation, `[label][neuron]`.
    by_label: Vec<Vec<f64>>,
    /// Scale of the final norm.
    scale: f64,
    /// Positions with each label.
    seen: Vec<usize>,
}

impl TrackerSums {
    /// Bytes of the tables of class by neuron, one set per thread, and of the resulting lists; as a type that cannot
    /// overflow.
    pub fn approximate_bytes(c: &ModelConfig, features: usize, threads: usize) -> u128 {
        let [cells, features, threads, n_ctx, outputs] =
            [c.outputs() * c.d_mlp, features, threads, c.n_ctx, c.outputs()].map(|n| n as u128);
        // Of the activations before and after the activation function; each part is merged into another.
        let sums = (2 * features + 1) * cells * size_of::<f64>() as u128;
        let products =
            features * (cells * (size_of::<f32>() + size_of::<f64>()) as u128 + outputs * n_ctx * 4);
        let listed = cells * (size_of::<Tracker>() as u128 + 2 * features * size_of::<f64>() as u128);
        (threads + 1) * sums + threads * products + listed
    }

    /// Empty sums; `readout` must be of the same weights.
    pub fn new(config: &ModelConfig, readout: Arc<Readout>, task: &Arc<dyn Task>) -> Self {
        let correlations = Correlations::new(config.d_mlp, config.outputs() * task.features().len());
        Self {
            readout,
            task: Arc::clone(task),
            layer: config.n_layers - 1,
            pre: correlations.clone(),
            post: correlations,
            by_label: vec![vec![0.0; config.d_mlp]; config.outputs()],
            scale: 0.0,
            seen: vec![0; config.outputs()],
        }
    }

    /// The neurons that track each class, strongest first.
    pub fn trackers(&self) -> Vec<Vec<Tracker>> {
        (0..self.seen.len()).map(|class| self.ranked(class)).collect()
    }

    /// The neurons that track one class, strongest first.
    fn ranked(&self, class: usize) -> Vec<Tracker> {
        let (readout, layer, features) = (&self.readout, self.layer, self.task.features().len());
        let (here, all) = (self.seen[class], self.seen.iter().sum::<usize>());
        let mean = |sum: f64, n: usize| if n == 0 { 0.0 } else { sum / n as f64 };
        let scale = mean(self.scale, all);
        let tracker = |neuron: usize| {
            let direction = f64::from(readout.neuron(layer, neuron, (class as Class).into()));
            let (sum, total) =
                (self.by_label[class][neuron], self.by_label.iter().map(|sums| sums[neuron]).sum::<f64>());
            let difference = mean(sum, here) - mean(total - sum, all - here);
            let r_squared = |of: &Correlations| {
                let of_feature = |which| of.of(neuron, class * features + which).powi(2);
                (0..features).map(of_feature).collect()
            };
            // A neuron that lowers the logit and is least active here also has an effect above 0, but opposes the
            // class. The mean of a constant neuron differs by rounding alone.
            let tracks = direction > 0.0 && difference > 0.0 && !self.post.is_constant(neuron);
            tracks.then(|| Tracker {
                layer,
                neuron,
                effect: difference * direction / scale,
                r_squared: r_squared(&self.post),
                r_squared_pre: r_squared(&self.pre),
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
            readout: Arc::clone(&self.readout),
            task: Arc::clone(&self.task),
            layer: self.layer,
            post: self.post.empty(),
            pre: self.pre.empty(),
            by_label: self.by_label.iter().map(zeros).collect(),
            scale: 0.0,
            seen: vec![0; self.seen.len()],
        }
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let Some(mlp) = from.blocks.get(self.layer).and_then(|block| block.mlp.as_ref()) else { return };
        let d_mlp = self.post.columns();
        for (position, (post, label)) in mlp.post.chunks_exact(d_mlp).zip(example.targets()).enumerate() {
            let Some(label) = *label else { continue };
            self.scale += f64::from(self.readout.scale(from, position));
            self.seen[usize::from(label)] += 1;
            let into = &mut self.by_label[usize::from(label)];
            into.iter_mut().zip(post).for_each(|(into, x)| *into += f64::from(*x));
        }
        let at = compared(example);
        let rows = |of: &[f32]| -> Vec<f32> {
            at.iter().flat_map(|position| &of[position * d_mlp..(position + 1) * d_mlp]).copied().collect()
        };
        let classes = 0..self.seen.len();
        let series = classes
            .flat_map(|class| all_series(&*self.task, example.tokens(), class as Class).collect::<Vec<_>>());
        let series: Vec<f32> =
            series.flat_map(|series| at.iter().map(move |at| series[*at]).collect::<Vec<_>>()).collect();
        self.post.add(&rows(&mlp.post), series.clone());
        self.pre.add(&rows(&mlp.pre), series);
    }

    fn merge(&mut self, next: Self) {
        self.post.merge(&next.post);
        self.pre.merge(&next.pre);
        let rows = self.by_label.iter_mut().zip(&next.by_label);
        rows.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
        self.scale += next.scale;
        self.seen.iter_mut().zip(&next.seen).for_each(|(a, b)| *a += b);
    }
}

/// The neurons of the last layer that track each class, largest effect on its logit first, over the scored positions of
/// `examples`; a class may have none. Earlier layers are left out: their neurons also act through later blocks.
pub fn trackers(weights: &Weights, examples: &[Example<'_>], task: &Arc<dyn Task>) -> Vec<Vec<Tracker>> {
    let sums = TrackerSums::new(weights.config(), Arc::new(Readout::new(weights)), task);
    over(sums, weights, &Patch::default(), examples).trackers()
}
