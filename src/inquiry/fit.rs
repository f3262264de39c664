//! Which feature of a class explains the summed activation of some neurons?

use super::Findings;
use super::job::{Job, OverValidation};
use super::subject::Subject;
use crate::analysis::hypotheses::Fit;
use crate::model::NeuronId;
use crate::task::Class;

pub(super) fn ask(subject: &Subject, neurons: &[NeuronId], class: Class) -> Box<dyn Job> {
    let neurons = neurons.to_vec();
    OverValidation::ask(
        subject,
        move |_, bench| Fit::new(&neurons, class, bench.data().task().features()),
        |fit| Findings::Fit(fit.r_squared()),
    )
}
