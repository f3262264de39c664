//! The cost of each neuron of a layer alone: its `hook_post` at zero, and at its mean, one neuron at a time.
//!
//! In the last layer nothing after the neuron but the final norm and `W_U` has to be computed again: a change of the
//! activation moves the stream along the neuron's row of `W_out`. In an earlier layer the layers above run again.

use std::sync::Arc;

use super::evaluation::Count;
use super::logits::prediction;
use super::readout::{MOST_CLASSES, Readout, product};
use super::total::Total;
use crate::model::{
    AblationKind, Activations, Interventions, Mat, Means, ModelConfig, NeuronId, Patch, Snapshot, centre,
    change_each, cross_entropy, forward_again, transpose,
};
use crate::task::{Class, Example};

/// The two replacements of a neuron, in the order of the results.
pub const KINDS: [AblationKind; 2] = [AblationKind::Zero, AblationKind::Mean];

/// Loss and accuracy over all targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossAndAccuracy {
    /// Mean cross-entropy, in nats; NaN without targets.
    pub loss: f64,
    /// Share of targets predicted; NaN without targets.
    pub accuracy: f64,
}

/// The clean numbers, and those with each neuron of a layer ablated alone.
#[derive(Clone, Debug, PartialEq)]
pub struct SingleNeurons {
    /// The layer.
    pub layer: usize,
    /// Without ablation.
    pub clean: LossAndAccuracy,
    /// By neuron: to zero, and to its mean.
    pub ablated: Vec<[LossAndAccuracy; 2]>,
}

/// What does not depend on the sequence.
struct Layer {
    weights: Arc<Snapshot>,
    index: usize,
    /// Mean `hook_post` over sequences and positions, `[d_mlp]`.
    means: Vec<f32>,
    way: Way,
}

/// How the numbers with a neuron ablated are computed.
enum Way {
    Last(Last),
    /// By neuron, then kind.
    Earlier(Vec<[Patch; 2]>),
}

/// The rest of the model after the last layer's neurons; neurons are padded to a multiple of 16.
struct Last {
    /// What each neuron adds to each logit before the final norm's scale, `[d_vocab_out, neurons]`.
    directions: Vec<f32>,
    /// `W_out`, with rows centred if the final norm centres, `[d_mlp, d_model]`.
    w_out: Vec<f32>,
    /// Mean square of each of its rows.
    squares: Vec<f32>,
    /// `ln_final.b W_U + b_U`.
    bias: Vec<f32>,
}

/// Sums over sequences.
pub struct SingleSums {
    layer: Arc<Layer>,
    clean: Count,
    /// Summed loss and number of right predictions by kind, then neuron.
    sums: [[Vec<f64>; 2]; 2],
}

const PADDING: usize = 16;

impl Last {
    fn new(weights: &Snapshot, layer: usize, readout: &Readout) -> Option<Self> {
        let (weights, c) = (&weights.weights, weights.config());
        let at = weights.layout.blocks[layer].mlp.as_ref()?;
        let mut w_out = weights.part(&at.w_out).to_vec();
        let padded = c.d_mlp.next_multiple_of(PADDING);
        let mut by_neuron = readout.to_all(&w_out);
        by_neuron.resize(padded * c.outputs(), 0.0);
        let mut directions = vec![0.0; by_neuron.len()];
        transpose(&by_neuron, c.outputs(), &mut directions);
        if c.normalization_type.is_centred() {
            centre(&mut w_out, c.d_model);
        }
        let square = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>() / c.d_model as f32;
        let squares = w_out.chunks_exact(c.d_model).map(square).collect();
        Some(Self { directions, w_out, squares, bias: readout.bias.clone() })
    }
}

impl SingleSums {
    /// Whether the table of neurons by classes is small enough, and the model has neurons.
    pub fn fits(c: &ModelConfig) -> bool {
        c.has_mlp() && c.outputs() <= MOST_CLASSES
    }

    /// Empty sums for a layer with neurons; `readout` must be of the same weights. `None` in an attention-only model.
    pub fn new(weights: &Arc<Snapshot>, layer: usize, readout: &Readout, means: &Means) -> Option<Self> {
        let c = weights.config();
        let way = if layer + 1 == c.n_layers {
            Way::Last(Last::new(weights, layer, readout)?)
        } else {
            let patch = |neuron, kind| {
                let neurons = [NeuronId { layer, neuron }].into();
                Interventions { neurons, kind, ..Interventions::default() }.patch(c, Some(means))
            };
            Way::Earlier((0..c.d_mlp).map(|neuron| KINDS.map(|kind| patch(neuron, kind))).collect())
        };
        let layer =
            Layer { weights: Arc::clone(weights), index: layer, means: means.post[layer].clone(), way };
        Some(Self::of(Arc::new(layer)))
    }

    fn of(layer: Arc<Layer>) -> Self {
        let zeros = vec![0.0; layer.means.len()];
        Self { layer, clean: Count::default(), sums: [0, 1].map(|_| [zeros.clone(), zeros.clone()]) }
    }

    /// Means over all targets.
    pub fn found(&self) -> SingleNeurons {
        let targets = self.clean.targets() as f64;
        let of = |kind: usize, neuron: usize| LossAndAccuracy {
            loss: self.sums[kind][0][neuron] / targets,
            accuracy: self.sums[kind][1][neuron] / targets,
        };
        SingleNeurons {
            layer: self.layer.index,
            clean: LossAndAccuracy {
                loss: self.clean.mean_loss().unwrap_or(f64::NAN),
                accuracy: self.clean.share().unwrap_or(f64::NAN),
            },
            ablated: (0..self.layer.means.len()).map(|neuron| [of(0, neuron), of(1, neuron)]).collect(),
        }
    }

    fn add_last(&mut self, last: &Last, from: &Activations, example: Example<'_>) {
        let layer = Arc::clone(&self.layer);
        let (c, Some(mlp)) = (layer.weights.config(), &from.blocks[layer.index].mlp) else { return };
        let scored: Vec<(usize, usize)> = scored(example).map(|(row, class)| (row, class.into())).collect();
        let along = layer.along(last, from, &scored);
        let padded = c.d_mlp.next_multiple_of(PADDING);
        let mut neurons = [vec![0.0; padded], vec![1.0; padded]];
        let mut out = neurons.clone();
        for ((row, target), along) in scored.into_iter().zip(along.chunks_exact(c.d_mlp)) {
            let scale = if c.has_norms() { from.ln_final.scale[row] } else { 1.0 };
            let logits = &from.logits[row * c.outputs()..(row + 1) * c.outputs()];
            let base: Vec<f32> = logits.iter().zip(&last.bias).map(|(x, b)| (x - b) * scale).collect();
            let post = &mlp.post[row * c.d_mlp..(row + 1) * c.d_mlp];
            for (kind, sums) in KINDS.into_iter().zip(&mut self.sums) {
                let [fall, inverse] = &mut neurons;
                for (neuron, x) in post.iter().enumerate() {
                    let mean = if kind == AblationKind::Zero { 0.0 } else { layer.means[neuron] };
                    fall[neuron] = x - mean;
                    let change = fall[neuron] * last.squares[neuron] - 2.0 * scale * along[neuron];
                    let square = (scale * scale + fall[neuron] * change).max(c.eps as f32);
                    inverse[neuron] = if c.has_norms() { 1.0 / square.sqrt() } else { 1.0 };
                }
                let [losses, rights] = &mut out;
                let row = [&base[..], &last.bias[..]];
                change_each(row, &last.directions, [&*fall, &*inverse], target, [losses, rights]);
                for (sums, found) in sums.iter_mut().zip(&out) {
                    sums.iter_mut().zip(found).for_each(|(sum, x)| *sum += f64::from(*x));
                }
            }
        }
    }

    fn add_earlier(
        &mut self,
        patches: &[[Patch; 2]],
        from: &Activations,
        example: Example<'_>,
        between: &dyn Fn(),
    ) {
        let weights = Arc::clone(&self.layer.weights);
        let mut edited = Activations::default();
        for (neuron, patches) in patches.iter().enumerate() {
            between();
            for (patch, [losses, rights]) in patches.iter().zip(&mut self.sums) {
                forward_again(&weights.weights, patch, from, &mut edited);
                let count = counted(&edited, example, weights.config().outputs());
                losses[neuron] += count.mean_loss().unwrap_or(0.0) * count.targets() as f64;
                rights[neuron] += (count.targets() - count.wrong()) as f64;
            }
        }
    }
}

impl Layer {
    /// Mean over the stream of the normalised stream times each neuron's row of `W_out`, `[scored, d_mlp]`; of any value
    /// without norms.
    fn along(&self, last: &Last, from: &Activations, scored: &[(usize, usize)]) -> Vec<f32> {
        let c = self.weights.config();
        if !c.has_norms() {
            return vec![0.0; scored.len() * c.d_mlp];
        }
        let row =
            |(row, _): &(usize, usize)| &from.ln_final.normalized[row * c.d_model..(row + 1) * c.d_model];
        let rows: Vec<f32> = scored.iter().flat_map(row).map(|x| x / c.d_model as f32).collect();
        let (rows, w_out) =
            (Mat::new(&rows, scored.len(), c.d_model), Mat::new(&last.w_out, c.d_mlp, c.d_model));
        product(rows, w_out.t(), scored.len(), c.d_mlp)
    }
}

fn scored(example: Example<'_>) -> impl Iterator<Item = (usize, Class)> {
    example.targets().iter().enumerate().filter_map(|(row, target)| target.map(|target| (row, target)))
}

fn counted(from: &Activations, example: Example<'_>, outputs: usize) -> Count {
    let mut all = Count::default();
    for (row, target) in scored(example) {
        let logits = &from.logits[row * outputs..(row + 1) * outputs];
        let loss = cross_entropy(logits, &[Some(target)], outputs);
        all.add(Count::one(prediction(logits) == Some(target), loss));
    }
    all
}

impl Total for SingleSums {
    fn empty(&self) -> Self {
        Self::of(Arc::clone(&self.layer))
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        self.clean.add(counted(from, example, self.layer.weights.config().outputs()));
        let layer = Arc::clone(&self.layer);
        match &layer.way {
            Way::Last(last) => self.add_last(last, from, example),
            Way::Earlier(patches) => self.add_earlier(patches, from, example, between),
        }
    }

    fn merge(&mut self, next: Self) {
        self.clean.add(next.clean);
        let pairs = self.sums.iter_mut().flatten().zip(next.sums.iter().flatten());
        pairs.for_each(|(ours, theirs)| ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b));
    }
}
