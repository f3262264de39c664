//! What does each neuron do at every pair of operands?

use std::sync::Arc;

use super::Answer;
use crate::analysis::pairs::{NeuronSpectrum, ONE_FREQUENCY, PairSpectra, Spectra};
use crate::figure::{Axis, Datum, Dim, Figure, Spec};
use crate::model::NeuronId;
use crate::task::Token;

/// Neurons over pairs.
pub static PAIR_ACTIVATION: Spec = Spec {
    name: "pair_activation",
    definition: "a neuron's value after the activation function at the last position, for every pair of operands a and b",
    source: "Nanda et al. 2023, Progress measures for grokking",
    axes: &[Dim::Layer, Dim::Neuron, Dim::First, Dim::Second],
    ..Spec::BARE
};

/// Spectra of neurons.
pub static NEURON_SPECTRUM: Spec = Spec {
    name: "neuron_spectrum",
    definition: "share of the variance of pair_activation in a frequency: in the cosine and sine of a, those of b, and their \
                 products; none of a neuron that never varies",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "8 / (n^2 - 1), of noise over n^2 pairs",
    axes: &[Dim::Layer, Dim::Neuron, Dim::Frequency],
    ..Spec::BARE
};

/// Frequencies of neurons.
pub static BEST_FREQUENCY: Spec = Spec {
    name: "best_frequency",
    definition: "the frequency of most neuron_spectrum",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

/// How much of a neuron its frequency explains.
pub static BEST_SHARE: Spec = Spec {
    name: "best_frequency_share",
    definition: "neuron_spectrum at best_frequency",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "shuffled_frequency_share",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

/// Chance of [`BEST_SHARE`].
pub static SHUFFLED_SHARE: Spec = Spec {
    name: "shuffled_frequency_share",
    definition: "best_frequency_share with the same activations assigned to the pairs at random",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

/// Live neurons.
pub static LIVE_NEURONS: Spec = Spec {
    name: "live_neurons",
    definition: "neurons of a layer whose pair_activation varies",
    axes: &[Dim::Layer],
    ..Spec::BARE
};

/// Neurons of one frequency.
pub static ONE_FREQUENCY_SHARE: Spec = Spec {
    name: "one_frequency_share",
    definition: "share of the live neurons of a layer whose best_frequency_share is 0.85 or more",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "0, of noise over many pairs",
    axes: &[Dim::Layer],
    ..Spec::BARE
};

/// Figures about all neurons.
pub struct Figures {
    /// [`PAIR_ACTIVATION`].
    pub activation: Arc<Figure>,
    /// [`NEURON_SPECTRUM`].
    pub spectrum: Arc<Figure>,
    /// [`BEST_FREQUENCY`], [`BEST_SHARE`] and [`SHUFFLED_SHARE`].
    pub best: [Arc<Figure>; 3],
    /// [`LIVE_NEURONS`] and [`ONE_FREQUENCY_SHARE`].
    pub layers: [Arc<Figure>; 2],
}

/// Number of live neurons of a layer, and of those with one frequency.
fn counted(pairs: &PairSpectra, layer: usize, d_mlp: usize) -> [usize; 2] {
    let best: Vec<f64> = pairs.neurons[layer * d_mlp..(layer + 1) * d_mlp]
        .iter()
        .filter_map(|neuron| Some(neuron.best()?.1))
        .collect();
    [best.len(), best.iter().filter(|share| **share >= ONE_FREQUENCY).count()]
}

/// All figures of a task whose inputs are pairs, for a model with neurons.
pub fn figures(answer: &Answer, found: &Arc<Spectra>, name: impl Fn(Token) -> String) -> Option<Figures> {
    let pairs = found.pairs.as_ref().filter(|pairs| !pairs.neurons.is_empty())?;
    let (c, len) = (answer.config(), pairs.len);
    let d_mlp = c.d_mlp;
    let layers = || Axis::counted(Dim::Layer, c.n_layers);
    let neurons = || vec![layers(), Axis::counted(Dim::Neuron, d_mlp)];
    let operands =
        [Dim::First, Dim::Second].map(|dim| Axis::named(dim, (0..len).map(|at| name(at as Token))));
    let known = || {
        let found = Arc::clone(found);
        // Checked above.
        move |of: &dyn Fn(&PairSpectra) -> Datum| found.pairs.as_ref().map_or(Datum::Nothing, of)
    };
    let of_neuron = |spec, more: Vec<Axis>, of: fn(&NeuronSpectrum, &[usize]) -> Datum| {
        let known = known();
        answer.figure(spec, neurons().into_iter().chain(more).collect(), move |at| {
            known(&|pairs| of(&pairs.neurons[at[0] * d_mlp + at[1]], &at[2..]))
        })
    };
    let of_layer = |spec, of: fn([usize; 2]) -> Datum| {
        let known = known();
        answer.figure(spec, vec![layers()], move |at| known(&|pairs| of(counted(pairs, at[0], d_mlp))))
    };
    let values = known();
    let activation =
        answer.figure(&PAIR_ACTIVATION, neurons().into_iter().chain(operands).collect(), move |at| {
            let id = NeuronId { layer: at[0], neuron: at[1] };
            values(&|pairs| pairs.values.neuron_at(id, at[2] * len + at[3]).into())
        });
    Some(Figures {
        activation,
        spectrum: of_neuron(&NEURON_SPECTRUM, vec![Axis::frequencies(len / 2)], |neuron, at| {
            neuron.best().map(|_| neuron.spectrum.share(at[0] + 1)).into()
        }),
        best: [
            of_neuron(&BEST_FREQUENCY, vec![], |neuron, _| neuron.best().map(|best| best.0).into()),
            of_neuron(&BEST_SHARE, vec![], |neuron, _| neuron.best().map(|best| best.1).into()),
            of_neuron(&SHUFFLED_SHARE, vec![], |neuron, _| neuron.best().map(|_| neuron.shuffled).into()),
        ],
        layers: [
            of_layer(&LIVE_NEURONS, |[live, _]| live.into()),
            of_layer(&ONE_FREQUENCY_SHARE, |[live, one]| (live > 0).then(|| one as f64 / live as f64).into()),
        ],
    })
}
