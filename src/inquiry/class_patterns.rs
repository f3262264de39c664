//! What does a head attend to where each class is the target, with the edits?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::class_patterns::ClassPatterns;
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::HeadId;
use crate::task::{Class, Split, Task};

/// Patterns by class.
pub static CLASS_PATTERN: Spec = Spec {
    name: "class_pattern",
    definition: "the pattern of one head, averaged over the validation sequences with the class as target at the query; none \
                 without such a sequence",
    source: "TransformerLens blocks.L.attn.hook_pattern",
    baseline: "mean_pattern, over all classes",
    axes: &[Dim::Class, Dim::Query, Dim::Key],
    ..Spec::BARE
};

/// Queries by class.
pub static CLASS_QUERIES: Spec = Spec {
    name: "class_queries",
    definition: "number of validation sequences with the class as target at the query",
    axes: &[Dim::Class, Dim::Query],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        move |of, bench| {
            ClassPatterns::new(of.snapshot.config(), id, bench.data().longest(Split::Validation))
        },
        |sums| Findings::ClassPatterns(Arc::new(sums.averaged())),
    )
}

/// [`CLASS_PATTERN`] and [`CLASS_QUERIES`].
pub fn figures(answer: &Answer, found: &Arc<ClassPatterns>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let (len, direction) = (found.len, answer.config().attention_dir);
    let axes = || vec![Axis::classes(task), Axis::counted(Dim::Query, len)];
    let (patterns, queries) = (Arc::clone(found), Arc::clone(found));
    let pattern = answer.figure(
        &CLASS_PATTERN,
        axes().into_iter().chain([Axis::counted(Dim::Key, len)]).collect(),
        move |at| {
            let class = at[0] as Class;
            let is_seen = patterns.queries(class, at[1]) > 0 && at[2] < direction.end(at[1], len);
            is_seen.then(|| patterns.pattern(class)[at[1] * len + at[2]])
        },
    );
    let queries = answer.figure(&CLASS_QUERIES, axes(), move |at| queries.queries(at[0] as Class, at[1]));
    [pattern, queries]
        .map(|figure| figure.asked_with("head", &format!("{}.{}", found.id.layer, found.id.head)))
}
