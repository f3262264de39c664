//! What does each position add to the target through a head?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, Progress};
use super::passes::Probe;
use super::{Answer, Findings};
use crate::analysis::Target;
use crate::analysis::sources::source_contributions;
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::HeadId;
use crate::task::Task;

/// A head's contribution by source.
pub static SOURCE_CONTRIBUTION: Spec = Spec {
    name: "source_contribution",
    unit: "logit",
    definition: "contribution of one head to the target at the query, split by key: attention times v W_O of the key, with b_V in v, \
                 mapped to the target as in contribution; the sum over keys is the head's contribution; 0 through a head that is \
                 off",
    source: "Elhage et al. 2021, value-weighted attention to the logits",
    axes: &[Dim::Query, Dim::Key],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject, head: HeadId, target: Target) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), head, target, means: MeansOf::default() })
}

struct Asked {
    subject: Subject,
    head: HeadId,
    target: Target,
    means: MeansOf,
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(patch) = self.means.patch(&self.subject, bench) else { return Progress::More };
        let probe = Probe::of(&self.subject, &patch, bench);
        let targets: Vec<_> = (0..probe.len()).map(|query| probe.resolved(self.target, query)).collect();
        let is_off = self.subject.edits.heads.contains(&self.head);
        let from = &probe.current().activations;
        let found = if is_off {
            vec![0.0; probe.len() * probe.len()]
        } else {
            source_contributions(&probe.weights.weights, &probe.readout, from, self.head, &targets)
        };
        Progress::Done(Findings::Sources(Arc::new(found)))
    }
}

/// [`SOURCE_CONTRIBUTION`] of the requested head; empty where a key is not seen for being later.
pub fn figure(answer: &Answer, found: &Arc<Vec<f32>>, task: &dyn Task) -> Arc<Figure> {
    let (found, len) = (Arc::clone(found), answer.inquiry.subject.tokens().len());
    let keys = answer.config().visible_keys(answer.inquiry.subject.tokens());
    let axes = [Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, len));
    let figure = answer.figure(&SOURCE_CONTRIBUTION, axes.into(), move |at| {
        keys.sees(at[0], at[1]).then(|| found[at[0] * len + at[1]])
    });
    let Some((head, target)) = answer.inquiry.question.source() else { return figure };
    figure
        .asked_with("head", &format!("{}.{}", head.layer, head.head))
        .asked_with("target", &target.words(task))
}
