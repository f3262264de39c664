//! How well can a linear probe read the target at each place in the residual stream, and each position?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::probing::{ProbeAccuracies, ProbeSums, ProbeTally, RandomLabels, sets};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::{ModelConfig, Patch};
use crate::task::{Dataset, Split};

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
    /// Where probes are tested.
    test: Option<Dataset>,
    state: Option<State>,
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    Box::new(Probing { subject: subject.clone(), test: None, state: None })
}

impl Job for Probing {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = bench.weights(&self.subject);
        match &mut self.state {
            None => {
                let [fit, test] = sets(bench.data());
                let sums = ProbeSums::new(weights.config(), RandomLabels::new(&fit, bench.seed()));
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
                    return Progress::Done(Findings::Probing(Arc::new(tally.accuracies())));
                }
            }
        }
        Progress::More
    }
}

/// [`PROBE_ACCURACY`] and [`PROBE_RANDOM`].
pub fn figures(answer: &Answer, found: &Arc<ProbeAccuracies>) -> [Arc<Figure>; 2] {
    [(&PROBE_ACCURACY, false), (&PROBE_RANDOM, true)].map(|(spec, is_random)| {
        let places = Axis::named(Dim::Place, found.places.iter().cloned());
        let axes = vec![places, Axis::counted(Dim::Position, found.len())];
        let found = Arc::clone(found);
        answer.figure(spec, axes, move |at| found.share(at[0], at[1], is_random))
    })
}
