//! What does each neuron of a layer cost alone?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::single_neurons::{LossAndAccuracy, SingleNeurons, SingleSums};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::Patch;

/// Loss that a neuron costs at zero, and at its mean.
pub static NEURON_DAMAGE: Spec = Spec {
    name: "neuron_damage",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set with one neuron's hook_post ablated, to zero and to \
                 its mean over sequences and positions, minus that without",
    baseline: "that of the layer's other neurons",
    axes: &[Dim::Neuron, Dim::Part],
    ..Spec::BARE
};

/// Accuracy that a neuron costs at zero, and at its mean.
pub static NEURON_ACCURACY_DAMAGE: Spec = Spec {
    name: "neuron_accuracy_damage",
    definition: "share of all targets of the validation set that are predicted with one neuron ablated as in neuron_damage, \
                 minus that without",
    baseline: "that of the layer's other neurons",
    axes: &[Dim::Neuron, Dim::Part],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject, layer: usize) -> Box<dyn Job> {
    Box::new(Single { subject: subject.clone(), layer, means: MeansOf::default(), sweep: None })
}

struct Single {
    subject: Subject,
    layer: usize,
    means: MeansOf,
    sweep: Option<Sweep<SingleSums>>,
}

impl Job for Single {
    fn step(&mut self, bench: &Bench) -> Progress {
        if self.sweep.is_none() {
            let Some(averages) = self.means.step(&self.subject, bench) else { return Progress::More };
            let (weights, readout) = (bench.weights(&self.subject), bench.readout(&self.subject));
            let sums = SingleSums::new(&weights, self.layer, &readout, &averages.means);
            self.sweep = sums.map(|sums| Sweep::new(weights, Patch::default(), sums));
        }
        // The question is asked of models with neurons only.
        let found = self.sweep.as_mut().and_then(|sweep| sweep.step(bench));
        found.map_or(Progress::More, |sums| Progress::Done(Findings::SingleNeurons(Arc::new(sums.found()))))
    }
}

/// [`NEURON_DAMAGE`] and [`NEURON_ACCURACY_DAMAGE`].
pub fn figures(answer: &Answer, found: &Arc<SingleNeurons>) -> [Arc<Figure>; 2] {
    let figure = |spec, of: fn(&LossAndAccuracy) -> f64| {
        let axes =
            vec![Axis::counted(Dim::Neuron, found.ablated.len()), Axis::named(Dim::Part, ["zero", "mean"])];
        let one = Arc::clone(found);
        let figure = answer.figure(spec, axes, move |at| {
            let damage = of(&one.ablated[at[0]][at[1]]) - of(&one.clean);
            // Without targets there is no accuracy; the loss of broken weights is NaN.
            (!one.clean.accuracy.is_nan()).then_some(damage)
        });
        figure.asked_with("layer", &found.layer.to_string())
    };
    [figure(&NEURON_DAMAGE, |one| one.loss), figure(&NEURON_ACCURACY_DAMAGE, |one| one.accuracy)]
}
