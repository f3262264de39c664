//! What else do queries and keys match by: tokens with positions, and biases; and what do tokens add to the logits directly?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Once};
use super::{Answer, Findings};
use crate::analysis::LowRank;
use crate::analysis::quadrants::{Quadrants, direct_path};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::HeadId;
use crate::task::Task;

/// QK circuit of tokens with positions.
pub static QK_TOKEN_POSITION: Spec = Spec {
    name: "qk_circuit_of_token_and_position",
    definition: "W_E W_Q W_K^T W_pos^T of one head: how well a query token matches a key position, of the folded weights, without \
                 attn_scale and norm scales. Shortformer's positions enter the queries and keys of every layer after the norm, \
                 and are not divided by its scale",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::QueryToken, Dim::Key],
    ..Spec::BARE
};

/// QK circuit of positions with tokens.
pub static QK_POSITION_TOKEN: Spec = Spec {
    name: "qk_circuit_of_position_and_token",
    definition: "W_pos W_Q W_K^T W_E^T of one head: how well a query position matches a key token, as \
                 qk_circuit_of_token_and_position",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::Query, Dim::Token],
    ..Spec::BARE
};

/// Bias terms of tokens.
pub static QK_TOKEN_BIAS: Spec = Spec {
    name: "qk_bias_of_tokens",
    definition: "terms of the attention score with a bias, of one head and the folded weights, without attn_scale and norm scales: \
                 b_Q W_K^T W_E^T of a key token, and W_E W_Q b_K of a query token, which all keys share: the softmax cancels it",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::Part, Dim::Token],
    ..Spec::BARE
};

/// Bias terms of positions.
pub static QK_POSITION_BIAS: Spec = Spec {
    name: "qk_bias_of_positions",
    definition: "the same as qk_bias_of_tokens with W_pos in place of W_E",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::Part, Dim::Position],
    ..Spec::BARE
};

/// The direct path.
pub static DIRECT_PATH: Spec = Spec {
    name: "direct_path",
    definition: "W_E W_U: what a token adds to each logit of its own position without any layer, of the folded weights, W_U centred \
                 over classes, without the final norm's scale",
    source: "Elhage et al. 2021, direct path",
    axes: &[Dim::Token, Dim::Class],
    ..Spec::BARE
};

/// The quadrants of a head.
pub(super) fn ask(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    let quadrants = move |bench: &Bench| Quadrants::new(&bench.weights(&subject).weights, id);
    Box::new(Once(move |bench: &Bench| Findings::Quadrants(Arc::new(quadrants(bench)))))
}

/// The direct path.
pub(super) fn ask_direct(subject: &Subject) -> Box<dyn Job> {
    let subject = subject.clone();
    let path = move |bench: &Bench| direct_path(&bench.weights(&subject).weights);
    Box::new(Once(move |bench: &Bench| Findings::DirectPath(Arc::new(path(bench)))))
}

/// [`QK_TOKEN_POSITION`] and [`QK_POSITION_TOKEN`] of the requested head.
pub fn maps(answer: &Answer, found: &Arc<Quadrants>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let n_ctx = answer.config().n_ctx;
    let (first, second) = (Arc::clone(found), Arc::clone(found));
    let axes = vec![Axis::query_tokens(task), Axis::counted(Dim::Key, n_ctx)];
    let of_positions = answer.figure(&QK_TOKEN_POSITION, axes, move |at| -> Datum {
        first.token_position.get(at[0], at[1]).into()
    });
    let axes = vec![Axis::counted(Dim::Query, n_ctx), Axis::tokens(task)];
    let of_tokens = answer.figure(&QK_POSITION_TOKEN, axes, move |at| -> Datum {
        second.position_token.get(at[0], at[1]).into()
    });
    [of_head(&of_positions, answer), of_head(&of_tokens, answer)]
}

/// [`QK_TOKEN_BIAS`] and [`QK_POSITION_BIAS`] of the requested head.
pub fn biases(answer: &Answer, found: &Arc<Quadrants>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let figure = |spec, axis: Axis, of: fn(&Quadrants) -> &[Vec<f32>; 2]| {
        let found = Arc::clone(found);
        let axes = vec![Axis::named(Dim::Part, ["b_Q.k", "q.b_K"]), axis];
        let figure =
            answer.figure(spec, axes, move |at| -> Datum { of(&found)[at[0]].get(at[1]).copied().into() });
        of_head(&figure, answer)
    };
    let positions = Axis::counted(Dim::Position, answer.config().n_ctx);
    [
        figure(&QK_TOKEN_BIAS, Axis::tokens(task), |found| &found.token_bias),
        figure(&QK_POSITION_BIAS, positions, |found| &found.position_bias),
    ]
}

/// [`DIRECT_PATH`].
pub fn direct(answer: &Answer, found: &Arc<LowRank>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let found = Arc::clone(found);
    answer.figure(&DIRECT_PATH, vec![Axis::tokens(task), Axis::classes(task)], move |at| {
        found.get(at[0], at[1])
    })
}

fn of_head(figure: &Figure, answer: &Answer) -> Arc<Figure> {
    let head = answer.inquiry.question.head();
    figure.asked_with("head", &head.map_or_else(String::new, |id| format!("{}.{}", id.layer, id.head)))
}
