//! How well do the weights answer, with nothing switched off?

use super::Findings;
use super::job::{Job, OverValidation};
use super::subject::Subject;
use crate::analysis::Tally;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, _| Tally::new(of.snapshot.config()),
        |tally| Findings::Accuracy(tally.evaluation()),
    )
}
