//! What do the weights alone say of each head? A head a step.

use super::Findings;
use super::bench::Bench;
use super::job::{Job, Once, Progress};
use super::subject::Subject;
use crate::analysis::circuits::{HeadCircuits, qk_over_positions};
use crate::model::HeadId;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    let heads: Vec<HeadId> = subject.snapshot.config().heads().collect();
    Box::new(Circuits { subject: subject.clone(), heads, found: Vec::new() })
}

/// How well positions match as query and key, by a head.
pub(super) fn ask_positions(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    let positions = move |bench: &Bench| qk_over_positions(&bench.weights(&subject).weights, id);
    Box::new(Once(move |bench: &Bench| Findings::Positions(positions(bench))))
}

/// How a head drives the neurons of its layer.
pub(super) fn ask_drive(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    Box::new(Once(move |bench: &Bench| Findings::Drive(bench.drive(&subject, id))))
}

struct Circuits {
    subject: Subject,
    heads: Vec<HeadId>,
    found: Vec<HeadCircuits>,
}

impl Job for Circuits {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = bench.weights(&self.subject);
        let next = self.heads.get(self.found.len());
        self.found.extend(next.map(|id| HeadCircuits::new(&weights.weights, *id)));
        if self.found.len() < self.heads.len() {
            return Progress::More;
        }
        Progress::Done(Findings::Circuits(std::mem::take(&mut self.found)))
    }
}
