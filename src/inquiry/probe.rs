//! What does the model do on one sequence, with and without the edits?

use std::sync::Arc;

use super::Findings;
use super::bench::Bench;
use super::job::{Job, MeansOf, Progress};
use super::passes::Probe;
use crate::figure::Subject;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), means: MeansOf::default() })
}

struct Asked {
    subject: Subject,
    means: MeansOf,
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(patch) = self.means.patch(&self.subject, bench) else { return Progress::More };
        Progress::Done(Findings::Probe(Arc::new(Probe::of(&self.subject, &patch, bench))))
    }
}
