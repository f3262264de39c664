//! At which frequencies do weights, logits and neurons vary over a circle of tokens?

use std::sync::Arc;

use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::bench::Bench;
use super::job::{Job, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::pairs::{NeuronSpectrum, PairSpectra, PairValues, Spectra, every_pair};
use crate::analysis::spectra::{Fourier, Spectrum};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::{ModelConfig, Patch, Weights};
use crate::random::{Purpose, stream};
use crate::task::{Cycle, Task};

/// Norms by frequency.
pub static SPECTRUM: Spec = Spec {
    name: "spectrum",
    definition: "norm of the coefficients of W_E over its tokens, of W_U over its classes, and of the centred logits over all \
                 pairs of operands, in the orthonormal cosine and sine of a frequency on the task's circle; of pairs in the \
                 products of cosine or sine of a and those of b, since sums of functions of a and of b are no answer",
    source: "Nanda et al. 2023, Progress measures for grokking",
    axes: &[Dim::Part, Dim::Frequency],
    ..Spec::BARE
};

/// Shares by frequency.
pub static SPECTRUM_SHARE: Spec = Spec {
    name: "spectrum_share",
    definition: "squared spectrum over that of all terms but the constant",
    source: "Nanda et al. 2023, Progress measures for grokking",
    baseline: "spectrum_chance",
    axes: &[Dim::Part, Dim::Frequency],
    ..Spec::BARE
};

/// Chance of [`SPECTRUM_SHARE`].
pub static SPECTRUM_CHANCE: Spec = Spec {
    name: "spectrum_chance",
    definition: "expected spectrum_share of independent noise: the frequency's share of the terms",
    axes: &[Dim::Part, Dim::Frequency],
    ..Spec::BARE
};

/// Key frequencies.
pub static KEY_FREQUENCY: Spec = Spec {
    name: "key_frequency",
    definition: "whether spectrum_share is more than twice spectrum_chance",
    axes: &[Dim::Part, Dim::Frequency],
    ..Spec::BARE
};

/// The parts, in the order of their axis.
pub const PARTS: [&str; 3] = ["W_E", "W_U", "logits"];

/// The spectrum of a part, if the task has one.
pub fn of_part(found: &Spectra, part: usize) -> Option<&Spectrum> {
    match part {
        0 => Some(&found.embed),
        1 => found.unembed.as_ref(),
        _ => found.pairs.as_ref().map(|pairs| &pairs.logits),
    }
}

/// [`SPECTRUM`], [`SPECTRUM_SHARE`], [`SPECTRUM_CHANCE`] and [`KEY_FREQUENCY`].
pub fn figures(answer: &Answer, found: &Arc<Spectra>) -> [Arc<Figure>; 4] {
    let figure = |spec, of: fn(&Spectrum, usize) -> Datum| {
        let axes = vec![Axis::named(Dim::Part, PARTS), Axis::frequencies(found.embed.power.len())];
        let found = Arc::clone(found);
        answer.figure(spec, axes, move |at| of_part(&found, at[0]).map(|spectrum| of(spectrum, at[1] + 1)))
    };
    [
        figure(&SPECTRUM, |spectrum, frequency| spectrum.power[frequency - 1].sqrt().into()),
        figure(&SPECTRUM_SHARE, |spectrum, frequency| spectrum.share(frequency).into()),
        figure(&SPECTRUM_CHANCE, |spectrum, frequency| spectrum.chance[frequency - 1].into()),
        figure(&KEY_FREQUENCY, |spectrum, frequency| spectrum.is_key(frequency).into()),
    ]
}

/// Most pairs that a model is run on.
const MOST_PAIRS: usize = 1 << 16;

/// Most bytes of neurons and logits over pairs.
const MOST_BYTES: u128 = 256 << 20;

/// Neurons whose spectra are taken in a step.
const NEURONS: usize = 32;

/// Whether the model reads a task's pairs of operands, and neurons and logits over all of them can be kept.
pub fn has_pairs(task: &dyn Task, config: &ModelConfig) -> bool {
    let Some(cycle) = task.facts().cycle.filter(|cycle| cycle.has_pairs) else { return false };
    let pairs = cycle.len.saturating_mul(cycle.len);
    let is_kept = pairs <= MOST_PAIRS && PairValues::bytes(config, pairs) <= MOST_BYTES;
    is_kept && task.n_ctx() <= config.n_ctx
}

struct Asked {
    subject: Subject,
    sweep: Option<Sweep<PairValues>>,
    found: Option<Found>,
}

/// The values over pairs, and the neurons' spectra so far.
struct Found {
    values: PairValues,
    order: Vec<usize>,
    neurons: Vec<NeuronSpectrum>,
}

/// Asked only about a task with a circle.
pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), sweep: None, found: None })
}

/// Spectra of `W_E` and, if classes form a circle, `W_U`.
fn of_weights(weights: &Weights, cycle: Cycle, fourier: &Fourier) -> (Spectrum, Option<Spectrum>) {
    let c = weights.config();
    let w_e = &weights.part(&weights.layout.w_e)[..cycle.len * c.d_model];
    let w_u = weights.part(&weights.layout.w_u);
    let columns = || (0..cycle.len).flat_map(|class| w_u.iter().skip(class).step_by(c.outputs()).copied());
    let unembed = cycle.has_classes.then(|| fourier.of_points(&columns().collect::<Vec<_>>(), c.d_model));
    (fourier.of_points(w_e, c.d_model), unembed)
}

impl Asked {
    /// Runs the model on the next pairs, then takes the spectra of the next neurons; true once all are known.
    fn pairs_known(&mut self, cycle: Cycle, fourier: &Fourier, bench: &Bench) -> bool {
        let Some(found) = &mut self.found else {
            let sweep = self.sweep.get_or_insert_with(|| {
                let weights = bench.weights(&self.subject);
                let values = PairValues::new(weights.config());
                Sweep::new(weights, Patch::default(), values).over(every_pair(bench.data().task(), cycle.len))
            });
            if let Some(values) = sweep.step(bench) {
                let mut order: Vec<usize> = (0..cycle.len * cycle.len).collect();
                order.shuffle(&mut stream(bench.seed(), Purpose::Shuffle, 0));
                self.found = Some(Found { values, order, neurons: Vec::new() });
            }
            return false;
        };
        let next: Vec<_> = found.values.neurons().skip(found.neurons.len()).take(NEURONS).collect();
        let spectrum = |id| NeuronSpectrum::new(fourier, &found.values.neuron(id), &found.order);
        let spectra: Vec<_> = bench.long(|| next.par_iter().map(|id| spectrum(*id)).collect());
        found.neurons.extend(spectra);
        next.len() < NEURONS
    }
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(cycle) = bench.data().task().facts().cycle else {
            panic!("spectra are of a circle of tokens")
        };
        let (fourier, weights) = (Fourier::new(cycle.len), bench.weights(&self.subject));
        if has_pairs(&**bench.data().task(), weights.config()) && !self.pairs_known(cycle, &fourier, bench) {
            return Progress::More;
        }
        let (embed, unembed) = of_weights(&weights.weights, cycle, &fourier);
        let pairs = self.found.take().map(|Found { values, neurons, .. }| {
            let logits = values.spectrum_of_logits(&fourier);
            PairSpectra { len: cycle.len, values, logits, neurons }
        });
        Progress::Done(Findings::Spectra(Arc::new(Spectra { embed, unembed, pairs })))
    }
}
