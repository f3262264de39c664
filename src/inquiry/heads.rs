//! What does each head attend to on average, with the edits?

use std::sync::Arc;

use super::job::{Job, OverValidation};
use super::{Answer, Findings};
use crate::analysis::head_scores::{HeadAverages, HeadSums};
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
    definition: "mean attention to the previous position, over queries that have one; averaged over sequences",
    source: "TransformerLens' detection pattern, over these queries only",
    baseline: "previous_chance",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that attend to the same token.
pub static DUPLICATE_SCORE: Spec = Spec {
    name: "duplicate_score",
    definition: "mean attention to earlier positions with the query's token, over queries with such a position; \
                 averaged over sequences with such a query",
    source: "TransformerLens' detection pattern, over these queries only",
    baseline: "duplicate_chance",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that attend to the token after an earlier occurrence.
pub static INDUCTION_SCORE: Spec = Spec {
    name: "induction_score",
    definition: "mean attention to positions after an earlier occurrence of the query's token, over queries with \
                 such a position; averaged over sequences with such a query",
    source: "Olsson et al. 2022; TransformerLens' detection pattern, over these queries only",
    baseline: "induction_chance",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Chance of [`PREVIOUS_SCORE`].
pub static PREVIOUS_CHANCE: Spec = Spec {
    name: "previous_chance",
    definition: "previous_score of uniform attention over the same sequences",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Chance of [`DUPLICATE_SCORE`].
pub static DUPLICATE_CHANCE: Spec = Spec {
    name: "duplicate_chance",
    definition: "duplicate_score of uniform attention over the same sequences",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Chance of [`INDUCTION_SCORE`].
pub static INDUCTION_CHANCE: Spec = Spec {
    name: "induction_chance",
    definition: "induction_score of uniform attention over the same sequences",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Heads that average.
pub static UNIFORM_SCORE: Spec = Spec {
    name: "uniform_score",
    definition: "1 - the total variation distance from uniform attention over the keys that the query sees, over the largest \
                 possible distance, 1 - 1/keys; mean over queries that see two keys or more",
    baseline: "1, of uniform attention; 0, of attention to a single key",
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

/// The four scores of every head, and their chance levels.
pub fn scores(answer: &Answer, found: &Arc<Vec<HeadAverages>>) -> [Arc<Figure>; 7] {
    let score = |spec, of: fn(&HeadAverages) -> f32| {
        let (found, n_heads) = (Arc::clone(found), answer.config().n_heads);
        answer.figure(spec, answer.by_head([]), move |at| of(&found[at[0] * n_heads + at[1]]))
    };
    [
        score(&PREVIOUS_SCORE, |head| head.scores.previous),
        score(&DUPLICATE_SCORE, |head| head.scores.duplicate),
        score(&INDUCTION_SCORE, |head| head.scores.induction),
        score(&UNIFORM_SCORE, |head| head.scores.uniform),
        score(&PREVIOUS_CHANCE, |head| head.chance.previous),
        score(&DUPLICATE_CHANCE, |head| head.chance.duplicate),
        score(&INDUCTION_CHANCE, |head| head.chance.induction),
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
