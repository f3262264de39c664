//! How well can a linear probe read the target, or the features of a class, at each place in the residual stream, and each
//! position?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::probing::{ProbeFits, ProbeLabels, ProbeSums, ProbeTally, Reads, sets};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::{ModelConfig, Patch};
use crate::task::{Dataset, Split, Task};

/// Accuracy of probes of the target.
pub static PROBE_ACCURACY: Spec = Spec {
    name: "probe_accuracy",
    definition: "share of the targets at a position of the validation set that a linear probe of the residual stream there \
                 predicts: ridge regression of the one-hot target on the stream at this place and position over the \
                 training set, at most 4,096 sequences (without a training set, half of the validation set, tested on the \
                 other half), the class of the largest score; without edits",
    source: "Alain and Bengio 2016",
    baseline: "probe_random",
    axes: &[Dim::Place, Dim::Position],
    ..Spec::BARE
};

/// Chance of [`PROBE_ACCURACY`].
pub static PROBE_RANDOM: Spec = Spec {
    name: "probe_random",
    definition: "probe_accuracy of labels drawn at random with the frequencies of the targets at the position",
    source: "Hewitt and Liang 2019",
    axes: &[Dim::Place, Dim::Position],
    ..Spec::BARE
};

/// R² of probes of features.
pub static PROBE_R_SQUARED: Spec = Spec {
    name: "probe_r_squared",
    definition: "1 - squared errors / variation of a feature of a class at a position over the validation set, for a linear                  probe of the residual stream there: ridge regression on the stream at this place and position over the                  training set, as that of probe_accuracy, at the scored positions; none where the feature does not vary;                  without edits",
    source: "Alain and Bengio 2016",
    baseline: "probe_random_r_squared",
    axes: &[Dim::Place, Dim::Position, Dim::Hypothesis],
    ..Spec::BARE
};

/// Chance of [`PROBE_R_SQUARED`].
pub static PROBE_RANDOM_R_SQUARED: Spec = Spec {
    name: "probe_random_r_squared",
    definition: "probe_r_squared of the feature's values in another sequence of the training set, drawn at random: 0 or less",
    source: "Hewitt and Liang 2019",
    axes: &[Dim::Place, Dim::Position, Dim::Hypothesis],
    ..Spec::BARE
};

/// Larger sums are not taken, in bytes.
const MOST_BYTES: u128 = 256 << 20;

/// Whether the sums of a model and sequences of this length take too much memory.
pub fn are_too_large(c: &ModelConfig, longest: usize) -> bool {
    ProbeSums::approximate_bytes(c, longest) > MOST_BYTES
}

enum State {
    Fit(Sweep<ProbeSums>),
    Test(Sweep<ProbeTally>),
}

struct Probing {
    subject: Subject,
    reads: Reads,
    /// Where probes are tested.
    test: Option<Dataset>,
    state: Option<State>,
}

pub(super) fn ask(subject: &Subject, reads: Reads) -> Box<dyn Job> {
    Box::new(Probing { subject: subject.clone(), reads, test: None, state: None })
}

impl Job for Probing {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = bench.weights(&self.subject);
        match &mut self.state {
            None => {
                let [fit, test] = sets(bench.data());
                let labels = ProbeLabels::new(&fit, self.reads, bench.seed());
                let sums = ProbeSums::new(weights.config(), labels);
                let is_nothing = fit.len(Split::Validation) == 0;
                self.state = Some(State::Fit(Sweep::new(weights, Patch::default(), sums).over(fit)));
                self.test = Some(test).filter(|_| !is_nothing);
            }
            Some(State::Fit(sweep)) => {
                let Some(sums) = sweep.step(bench) else { return Progress::More };
                let tally = ProbeTally::new(&sums.probes());
                let sweep = Sweep::new(weights, Patch::default(), tally);
                let test = self.test.take();
                let sweep = if let Some(test) = test { sweep.over(test) } else { sweep };
                self.state = Some(State::Test(sweep));
            }
            Some(State::Test(sweep)) => {
                if let Some(tally) = sweep.step(bench) {
                    return Progress::Done(Findings::Probing(Arc::new(tally.fits())));
                }
            }
        }
        Progress::More
    }
}

/// [`PROBE_ACCURACY`] and [`PROBE_RANDOM`].
pub fn figures(answer: &Answer, found: &Arc<ProbeFits>) -> [Arc<Figure>; 2] {
    [(&PROBE_ACCURACY, false), (&PROBE_RANDOM, true)].map(|(spec, is_random)| {
        let places = Axis::named(Dim::Place, found.places.iter().cloned());
        let axes = vec![places, Axis::counted(Dim::Position, found.len())];
        let found = Arc::clone(found);
        answer.figure(spec, axes, move |at| found.share((at[0], at[1]), is_random))
    })
}

/// [`PROBE_R_SQUARED`] and [`PROBE_RANDOM_R_SQUARED`]; `None` of probes of the target.
pub fn of_features(answer: &Answer, found: &Arc<ProbeFits>, task: &dyn Task) -> Option<[Arc<Figure>; 2]> {
    let Reads::Features(class) = found.reads else { return None };
    let figures = [(&PROBE_R_SQUARED, false), (&PROBE_RANDOM_R_SQUARED, true)].map(|(spec, is_random)| {
        let places = Axis::named(Dim::Place, found.places.iter().cloned());
        let features = Axis::named(Dim::Hypothesis, task.features().iter().map(|feature| feature.key));
        let axes = vec![places, Axis::counted(Dim::Position, found.len()), features];
        let found = Arc::clone(found);
        let figure = answer.figure(spec, axes, move |at| found.r_squared((at[0], at[1]), at[2], is_random));
        figure.asked_with("class", &task.outputs().name(class))
    });
    Some(figures)
}
