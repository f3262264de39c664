//! Which feature of a class explains the summed activation of some neurons?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::hypotheses::Fit;
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::NeuronId;
use crate::task::{Class, Task};

/// How well a feature explains neurons.
pub static R_SQUARED: Spec = Spec {
    name: "r_squared",
    definition: "1 - residual variance / variance of the neurons' summed activation, for a straight line in a \
                 feature",
    source: "least squares with an intercept",
    baseline: "0, of an unrelated feature",
    axes: &[Dim::Hypothesis],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject, neurons: &[NeuronId], class: Class) -> Box<dyn Job> {
    let neurons = neurons.to_vec();
    OverValidation::ask(
        subject,
        move |_, bench| Fit::new(&neurons, class, bench.data().task().features()),
        |fit| Findings::Fit(Arc::new(fit.r_squared())),
    )
}

/// [`R_SQUARED`] of the requested neurons and class.
pub fn r_squared(
    answer: &Answer,
    found: &Arc<Vec<f64>>,
    (neurons, class): (&[NeuronId], Class),
    task: &dyn Task,
) -> Arc<Figure> {
    let names: Vec<String> = neurons.iter().map(|id| format!("{}.{}", id.layer, id.neuron)).collect();
    let axes = vec![Axis::named(Dim::Hypothesis, task.features().iter().map(|feature| feature.name))];
    let found = Arc::clone(found);
    let figure = answer.figure(&R_SQUARED, axes, move |at| found[at[0]]);
    figure.asked_with("neurons", &names.join(" ")).asked_with("class", &task.outputs().name(class))
}
