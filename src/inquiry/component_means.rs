//! What does each component add to each logit on average?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::passes::Probe;
use super::{Answer, Findings};
use crate::analysis::Target;
use crate::analysis::component_means::{ComponentMeans, ContributionSums};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};

/// Mean contributions.
pub static MEAN_CONTRIBUTION: Spec = Spec {
    name: "mean_contribution",
    unit: "logit",
    definition: "contribution of a component to the class that is the target at a position, averaged over all positions of the \
                 validation set, whatever their targets; without edits",
    source: "TransformerLens ActivationCache.logit_attrs, over centred logits",
    axes: &[Dim::Component, Dim::Position],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| ContributionSums::new(&bench.weights(of), &bench.readout(of)),
        |sums| Findings::ComponentMeans(Arc::new(sums.means())),
    )
}

/// [`MEAN_CONTRIBUTION`] to the target at each position of a probe.
pub fn figure(
    answer: &Answer,
    found: &Arc<ComponentMeans>,
    probe: &Arc<Probe>,
    target: Target,
) -> Arc<Figure> {
    let names = probe.clean.attribution.components.iter().map(ToString::to_string);
    let axes = vec![Axis::named(Dim::Component, names), Axis::counted(Dim::Position, probe.len())];
    let (found, to) = (Arc::clone(found), probe.resolver(target));
    let figure = answer.figure(&MEAN_CONTRIBUTION, axes, move |at| found.value(at[0], to(at[1])));
    figure.asked_with("target", &target.words(&*probe.task))
}
