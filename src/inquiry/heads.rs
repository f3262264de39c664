//! What does each head attend to on average, with the edits?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::attention::{HeadAverages, HeadScores, HeadSums};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::task::Split;

/// Mean patterns.
pub static MEAN_PATTERN: Spec = Spec {
    name: "mean_pattern",
    definition: "the pattern of a head, averaged over the sequences that have the query",
    source: "TransformerLens blocks.L.attn.hook_pattern",
    baseline: "1/(query+1)",
    axes: &[Dim::Layer, Dim::Head, Dim::Query, Dim::Key],
    ..Spec::BARE
};

/// Heads that attend to the previous position.
pub static PREVIOUS_SCORE: Spec = Spec {
    name: "previous_score",
    definition: "mean attention to the position before, over queries that have one; averaged over sequences",
    source: "as TransformerLens' detection pattern, of such queries alone",
    baseline: "uniform attention gives the mean of 1/(query+1) over queries from 1 on",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that attend to the same token.
pub static DUPLICATE_SCORE: Spec = Spec {
    name: "duplicate_score",
    definition: "mean attention to earlier positions with the query's own token, over queries that have one; averaged \
                 over the sequences that have such a query",
    source: "as TransformerLens' detection pattern, of such queries alone",
    baseline: "uniform attention gives the share of such keys",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that attend to the token after an earlier occurrence.
pub static INDUCTION_SCORE: Spec = Spec {
    name: "induction_score",
    definition: "mean attention to positions after an earlier occurrence of the query's token, over queries that have \
                 one; averaged over the sequences that have such a query",
    source: "Olsson et al. 2022; as TransformerLens' detection pattern, of such queries alone",
    baseline: "uniform attention gives the share of such keys",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that average.
pub static UNIFORM_SCORE: Spec = Spec {
    name: "uniform_score",
    definition: "1 - the mean total variation distance from uniform attention over the keys that the query sees",
    baseline: "1, of uniform attention",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| HeadSums::new(of.snapshot.config(), bench.data().longest(Split::Validation)),
        |sums| Findings::Heads(Arc::new(sums.averages())),
    )
}

/// The four scores of every head.
pub fn scores(answer: &Answer, found: &Arc<Vec<HeadAverages>>) -> [Arc<Figure>; 4] {
    let score = |spec, of: fn(&HeadScores) -> f32| {
        let (found, n_heads) = (Arc::clone(found), answer.config().n_heads);
        answer.figure(spec, answer.by_head([]), move |at| of(&found[at[0] * n_heads + at[1]].scores))
    };
    [
        score(&PREVIOUS_SCORE, |scores| scores.previous),
        score(&DUPLICATE_SCORE, |scores| scores.duplicate),
        score(&INDUCTION_SCORE, |scores| scores.induction),
        score(&UNIFORM_SCORE, |scores| scores.uniform),
    ]
}

/// [`MEAN_PATTERN`]; empty where the query does not see the key.
pub fn mean_pattern(answer: &Answer, found: &Arc<Vec<HeadAverages>>) -> Arc<Figure> {
    let len = found.first().map_or(0, |head| head.pattern.len().isqrt());
    let (found, n_heads) = (Arc::clone(found), answer.config().n_heads);
    let direction = answer.config().attention_dir;
    let axes = answer.by_head([Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, len)));
    answer.figure(&MEAN_PATTERN, axes, move |at| {
        (at[3] < direction.end(at[2], len))
            .then(|| found[at[0] * n_heads + at[1]].pattern[at[2] * len + at[3]])
    })
}
