//! Which neurons track which token?

use super::Findings;
use super::job::{Job, OverValidation};
use super::subject::Subject;
use crate::analysis::hypotheses::TrackerSums;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| {
            TrackerSums::new(of.snapshot.config(), bench.directions(of), bench.data().task().features())
        },
        |sums| Findings::Trackers(sums.trackers()),
    )
}
