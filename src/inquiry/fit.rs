//! Which feature of a class explains the summed activation of some neurons?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::hypotheses::{Fit, Fitted};
use crate::analysis::{NeuronHook, TuningPoint};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::NeuronId;
use crate::task::{Class, Task};

/// How well a feature explains neurons.
pub static R_SQUARED: Spec = Spec {
    name: "r_squared",
    definition: "1 - residual variance / variance of the neurons' summed activation over the scored positions of the \
                 validation set, for a straight line in a feature",
    source: "least squares with an intercept",
    baseline: "0, of an unrelated feature",
    axes: &[Dim::Hypothesis],
    ..Spec::BARE
};

/// Sign and strength of the fit.
pub static CORRELATION: Spec = Spec {
    name: "correlation",
    definition: "Pearson's correlation of the neurons' summed activation with a feature, over the scored positions of the \
                 validation set; 0 if either is constant",
    baseline: "0, of an unrelated feature",
    axes: &[Dim::Hypothesis],
    ..Spec::BARE
};

/// Tuning curve.
pub static TUNING: Spec = Spec {
    name: "tuning",
    definition: "mean of the neurons' summed activation over the positions where a feature has a value; more than 32 \
                 values are pooled in equal intervals",
    axes: &[Dim::Bin],
    ..Spec::BARE
};

/// Spread around a tuning curve.
pub static TUNING_DEVIATION: Spec = Spec {
    name: "tuning_deviation",
    definition: "standard deviation of the neurons' summed activation over the positions of a point of tuning, over n - 1",
    axes: &[Dim::Bin],
    ..Spec::BARE
};

/// Positions of a tuning curve.
pub static TUNING_POSITIONS: Spec = Spec {
    name: "tuning_positions",
    definition: "positions where the feature has the value of a point of tuning",
    axes: &[Dim::Bin],
    ..Spec::BARE
};

pub(super) fn ask(
    subject: &Subject,
    (neurons, hook): (&[NeuronId], NeuronHook),
    class: Class,
) -> Box<dyn Job> {
    let neurons = neurons.to_vec();
    OverValidation::ask(
        subject,
        move |_, bench| Fit::new(&neurons, hook, class, bench.data().task()),
        |fit| Findings::Fit(Arc::new(fit.fitted())),
    )
}

/// What the answer was asked with.
pub struct Asked<'a> {
    /// The neurons.
    pub neurons: &'a [NeuronId],
    /// Where their values are read.
    pub hook: NeuronHook,
    /// The class of the features.
    pub class: Class,
}

impl Asked<'_> {
    fn noted(&self, figure: &Arc<Figure>, task: &dyn Task) -> Arc<Figure> {
        let names: Vec<String> =
            self.neurons.iter().map(|id| format!("{}.{}", id.layer, id.neuron)).collect();
        let figure = figure.asked_with("neurons", &names.join(" ")).asked_with("hook", self.hook.name());
        figure.asked_with("class", &task.outputs().name(self.class))
    }
}

/// [`CORRELATION`] and [`R_SQUARED`] of the requested neurons and class.
pub fn fits(
    answer: &Answer,
    found: &Arc<Vec<Fitted>>,
    asked: &Asked<'_>,
    task: &dyn Task,
) -> [Arc<Figure>; 2] {
    let figure = |spec, of: fn(&Fitted) -> f64| {
        let axes = vec![Axis::named(Dim::Hypothesis, task.features().iter().map(|feature| feature.name))];
        let found = Arc::clone(found);
        asked.noted(&answer.figure(spec, axes, move |at| of(&found[at[0]])), task)
    };
    [figure(&CORRELATION, |fitted| fitted.correlation), figure(&R_SQUARED, Fitted::r_squared)]
}

/// [`TUNING`], [`TUNING_DEVIATION`] and [`TUNING_POSITIONS`] for one of the task's features.
pub fn tuning(
    answer: &Answer,
    (found, feature): (&Arc<Vec<Fitted>>, usize),
    asked: &Asked<'_>,
    task: &dyn Task,
) -> [Arc<Figure>; 3] {
    let figure = |spec, of: fn(&TuningPoint) -> Datum| {
        let values = found[feature].tuning.iter().map(|point| crate::number::short(point.value));
        let axes = vec![Axis::named(Dim::Bin, values)];
        let found = Arc::clone(found);
        let figure = answer.figure(spec, axes, move |at| of(&found[feature].tuning[at[0]]));
        asked.noted(&figure, task).asked_with("feature", task.features()[feature].name)
    };
    [
        figure(&TUNING, |point| point.mean.into()),
        figure(&TUNING_DEVIATION, |point| point.deviation.into()),
        figure(&TUNING_POSITIONS, |point| point.positions.into()),
    ]
}
