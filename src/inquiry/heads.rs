//! What does each head attend to on average, with the edits in force?

use super::Findings;
use super::job::{Job, OverValidation};
use super::subject::Subject;
use crate::analysis::attention::HeadSums;
use crate::task::Split;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| HeadSums::new(of.snapshot.config(), bench.data().longest(Split::Validation)),
        |sums| Findings::Heads(sums.averages()),
    )
}
