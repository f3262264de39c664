//! How well does each place in the residual stream answer: over the validation set, and at each position of a sequence?

use std::sync::Arc;

use super::Findings;
use super::bench::Bench;
use super::job::{Job, MeansOf, OverValidation, Progress};
use super::subject::Subject;
use crate::analysis::lens::{LensSums, lens};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| LensSums::new(Arc::new(bench.weights(of).weights.clone())),
        |sums| Findings::Lens(sums.figures()),
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
        Progress::Done(Findings::SequenceLens(lens(&weights.weights, &pass.activations)))
    }
}
