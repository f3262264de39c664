//! How accurate is the lens at each place in the residual stream: over the validation set, and at each position of a
//! sequence?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, OverValidation, Progress};
use super::passes::Probe;
use super::{Answer, Findings};
use crate::analysis::Target;
use crate::analysis::lens::{LensFigures, LensRow, LensSums, lens};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};

/// The lens at the target.
pub static LENS_LOGIT: Spec = Spec {
    name: "lens_logit",
    unit: "logit",
    definition: "the residual stream at a place, through the final norm with the scale of that place, and W_U, \
                 minus the mean over classes; for the target at each position, with the current edits",
    source: "nostalgebraist 2020",
    axes: &[Dim::Place, Dim::Position],
    ..Spec::BARE
};

/// The lens' prediction.
pub static LENS_PREDICTION: Spec = Spec {
    name: "lens_prediction",
    definition: "the class with the largest logit of the logit lens, with the current edits",
    source: "nostalgebraist 2020",
    axes: &[Dim::Place, Dim::Position],
    ..Spec::BARE
};

/// Loss of the lens.
pub static LENS_LOSS: Spec = Spec {
    name: "lens_loss",
    unit: "nats",
    definition: "mean cross-entropy of the logit lens over the targets of the validation set, without edits",
    source: "nostalgebraist 2020",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Place],
};

/// Accuracy of the lens.
pub static LENS_ACCURACY: Spec = Spec {
    name: "lens_accuracy",
    definition: "share of the targets of the validation set that the logit lens predicts, without edits",
    source: "nostalgebraist 2020",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Place],
    ..Spec::BARE
};

/// [`LENS_LOGIT`] to a target, and [`LENS_PREDICTION`]; the target is resolved by the probe of the same sequence.
pub fn of_sequence(
    answer: &Answer,
    found: &Arc<Vec<LensRow>>,
    probe: &Arc<Probe>,
    target: Target,
) -> [Arc<Figure>; 2] {
    let axes = || {
        let places = found.iter().map(|row| row.name.clone());
        vec![Axis::named(Dim::Place, places), Axis::counted(Dim::Position, probe.len())]
    };
    let (rows, meant, readout) = (Arc::clone(found), probe.resolver(target), Arc::clone(&probe.readout));
    let to = answer.figure(&LENS_LOGIT, axes(), move |at| rows[at[0]].value(&readout, at[1], meant(at[1])));
    let (rows, task) = (Arc::clone(found), Arc::clone(&probe.task));
    let says = answer.figure(&LENS_PREDICTION, axes(), move |at| {
        rows[at[0]].predictions[at[1]].map(|class| Datum::class(&*task, class))
    });
    [to.asked_with("target", &target.words(&*probe.task)), says]
}

/// [`LENS_LOSS`] and [`LENS_ACCURACY`].
pub fn over_set(answer: &Answer, found: &Arc<Vec<LensFigures>>) -> [Arc<Figure>; 2] {
    let figure = |spec, of: fn(&LensFigures) -> f64| {
        let axes = vec![Axis::named(Dim::Place, found.iter().map(|place| place.name.clone()))];
        let found = Arc::clone(found);
        answer.figure(spec, axes, move |at| of(&found[at[0]]))
    };
    [figure(&LENS_LOSS, |place| place.loss), figure(&LENS_ACCURACY, |place| place.accuracy)]
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| LensSums::new(Arc::new(bench.weights(of).weights.clone())),
        |sums| Findings::Lens(Arc::new(sums.figures())),
    )
}

pub(super) fn ask_of_sequence(subject: &Subject) -> Box<dyn Job> {
    Box::new(OfSequence { subject: subject.clone(), means: MeansOf::default() })
}

struct OfSequence {
    subject: Subject,
    means: MeansOf,
}

impl Job for OfSequence {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(patch) = self.means.patch(&self.subject, bench) else { return Progress::More };
        let pass = bench.edited(&self.subject, &patch);
        let weights = bench.weights(&self.subject);
        Progress::Done(Findings::SequenceLens(Arc::new(lens(&weights.weights, &pass.activations))))
    }
}
