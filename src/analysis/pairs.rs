//! Neurons and logits over all pairs of operands, and their spectra.

use std::sync::Arc;

use super::spectra::{Fourier, PairTerms, Spectrum};
use super::total::Total;
use crate::model::{Activations, ModelConfig, NeuronId, centre};
use crate::task::{Dataset, Example, Task};

/// The data set of every pair of operands of a task.
pub fn every_pair(task: &Arc<dyn Task>, len: usize) -> Dataset {
    let sequences: Vec<_> = (0..len * len).map(|index| task.input(index)).collect();
    Dataset::from_sequences(Arc::clone(task), &sequences)
}

/// Share of a neuron's variance from which on it is said to have one frequency (Nanda et al. 2023).
pub const ONE_FREQUENCY: f64 = 0.85;

/// Values at the last position of each pair of operands, by pair.
#[derive(Clone, Debug)]
pub struct PairValues {
    n_layers: usize,
    d_mlp: usize,
    outputs: usize,
    /// `[pair][layer][neuron]`.
    post: Vec<f32>,
    /// `[pair][class]`, centred over classes.
    logits: Vec<f32>,
}

impl PairValues {
    /// Of no pair yet.
    pub fn new(config: &ModelConfig) -> Self {
        let (n_layers, d_mlp, outputs) =
            (config.n_layers, config.d_mlp * usize::from(config.has_mlp()), config.outputs());
        Self { n_layers, d_mlp, outputs, post: Vec::new(), logits: Vec::new() }
    }

    /// The same without neurons.
    pub fn of_logits(config: &ModelConfig) -> Self {
        Self { d_mlp: 0, ..Self::new(config) }
    }

    /// Of these logits, `[pair][class]`.
    #[cfg(test)]
    pub(super) fn of(outputs: usize, logits: Vec<f32>) -> Self {
        Self { n_layers: 0, d_mlp: 0, outputs, post: Vec::new(), logits }
    }

    /// Number of classes.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `[pair][class]`, centred over classes.
    pub(super) fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Bytes for this many pairs.
    pub fn bytes(config: &ModelConfig, pairs: usize) -> u128 {
        let new = Self::new(config);
        let [pairs, width] = [pairs, new.n_layers * new.d_mlp + new.outputs].map(|n| n as u128);
        4 * pairs * width
    }

    /// A neuron's activation at a pair.
    pub fn neuron_at(&self, id: NeuronId, pair: usize) -> f32 {
        self.post[pair * self.n_layers * self.d_mlp + id.layer * self.d_mlp + id.neuron]
    }

    /// A neuron's activations, `[pair]`.
    pub fn neuron(&self, id: NeuronId) -> Vec<f32> {
        (0..self.logits.len() / self.outputs).map(|pair| self.neuron_at(id, pair)).collect()
    }

    /// A centred logit, `[pair]`.
    pub(super) fn logit(&self, class: usize) -> Vec<f32> {
        self.logits.iter().skip(class).step_by(self.outputs).copied().collect()
    }

    /// The spectrum of all centred logits together, of products: an answer depends on both operands.
    pub fn spectrum_of_logits(&self, fourier: &Fourier) -> Spectrum {
        let mut of_classes =
            (0..self.outputs).map(|class| fourier.of_pairs(&self.logit(class), PairTerms::Products));
        let mut sum = of_classes.next().unwrap_or_default();
        of_classes.for_each(|spectrum| sum.add(&spectrum));
        sum
    }

    /// All neurons, by layer.
    pub fn neurons(&self) -> impl Iterator<Item = NeuronId> + use<> {
        let d_mlp = self.d_mlp;
        (0..self.n_layers).flat_map(move |layer| (0..d_mlp).map(move |neuron| NeuronId { layer, neuron }))
    }
}

impl Total for PairValues {
    fn empty(&self) -> Self {
        Self { post: Vec::new(), logits: Vec::new(), ..*self }
    }

    fn add(&mut self, from: &Activations, _example: Example<'_>, _between: &dyn Fn()) {
        let last = from.len - 1;
        for mlp in from.blocks.iter().filter_map(|block| block.mlp.as_ref()) {
            self.post.extend_from_slice(&mlp.post[last * self.d_mlp..][..self.d_mlp]);
        }
        let first = self.logits.len();
        self.logits.extend_from_slice(&from.logits[last * self.outputs..][..self.outputs]);
        centre(&mut self.logits[first..], self.outputs);
    }

    fn merge(&mut self, next: Self) {
        self.post.extend(next.post);
        self.logits.extend(next.logits);
    }
}

/// A neuron's spectrum over pairs.
#[derive(Clone, Debug)]
pub struct NeuronSpectrum {
    /// Of its activations.
    pub spectrum: Spectrum,
    /// The largest share of a frequency if the same activations are assigned to the pairs at random.
    pub shuffled: f64,
}

impl NeuronSpectrum {
    /// Of activations `[pair]`; `order` is a permutation of the pairs.
    pub fn new(fourier: &Fourier, values: &[f32], order: &[usize]) -> Self {
        let shuffled: Vec<f32> = order.iter().map(|pair| values[*pair]).collect();
        let shuffled = fourier.of_pairs(&shuffled, PairTerms::All);
        let largest = shuffled.best().map_or(0.0, |frequency| shuffled.share(frequency));
        Self { spectrum: fourier.of_pairs(values, PairTerms::All), shuffled: largest }
    }

    /// Its frequency of most power and the share of its variance; `None` if it never varies.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.spectrum.best().map(|frequency| (frequency, self.spectrum.share(frequency)))
    }
}

/// Spectra over a task's circle of tokens.
#[derive(Clone, Debug)]
pub struct Spectra {
    /// Of `W_E`, over its columns.
    pub embed: Spectrum,
    /// Of `W_U`, over its rows, if the classes form the circle too.
    pub unembed: Option<Spectrum>,
    /// Over pairs of operands, if these are the task's inputs.
    pub pairs: Option<PairSpectra>,
}

/// Spectra over pairs of operands.
#[derive(Clone, Debug)]
pub struct PairSpectra {
    /// Number of operands.
    pub len: usize,
    /// Neurons and logits.
    pub values: PairValues,
    /// Of the logits together.
    pub logits: Spectrum,
    /// By layer, then neuron.
    pub neurons: Vec<NeuronSpectrum>,
}
