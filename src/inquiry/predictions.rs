//! What does the model predict at every position of the validation set?

use std::sync::Arc;

use super::Findings;
use super::job::{Job, OverValidation};
use crate::analysis::{Predicted, Scores};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::task::{Dataset, Split};

/// Predictions over a set.
pub static SET_PREDICTION: Spec = Spec {
    name: "set_prediction",
    definition: "class with the largest logit at a position of a validation sequence, under the edits in force; \
                 none where a logit is NaN",
    axes: &[Dim::Sequence, Dim::Position],
    ..Spec::BARE
};

/// Targets over a set.
pub static SET_TARGET: Spec = Spec {
    name: "set_target",
    definition: "correct class at a position of a validation sequence; none where the position is not scored",
    axes: &[Dim::Sequence, Dim::Position],
    ..Spec::BARE
};

/// Tokens over a set.
pub static SET_TOKEN: Spec = Spec {
    name: "set_token",
    definition: "token at a position of a validation sequence; none after the end of a shorter sequence",
    axes: &[Dim::Sequence, Dim::Position],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, _| Predicted::new(of.snapshot.config()),
        |found| Findings::Predictions(Arc::new(found.scores())),
    )
}

/// The answers to a set as figures.
pub struct Figures {
    /// [`SET_TOKEN`].
    pub tokens: Arc<Figure>,
    /// [`SET_TARGET`].
    pub targets: Arc<Figure>,
    /// [`SET_PREDICTION`].
    pub predictions: Arc<Figure>,
}

/// The figures of predictions over the validation set of `data`.
pub fn figures(of: &Arc<Subject>, found: &Arc<Scores>, data: &Arc<Dataset>) -> Figures {
    let longest = found.predictions.iter().map(Vec::len).max().unwrap_or(0);
    let axes = || {
        let sequences = Axis::counted(Dim::Sequence, found.predictions.len());
        vec![sequences, Axis::counted(Dim::Position, longest)]
    };
    let (tokens, targets) = (Arc::clone(data), Arc::clone(data));
    let (predicted, task) = (Arc::clone(found), Arc::clone(data.task()));
    Figures {
        tokens: Figure::new(&SET_TOKEN, axes(), of, move |at| {
            let token = tokens.example(Split::Validation, at[0]).tokens().get(at[1]).copied();
            token.map_or(Datum::Nothing, |token| Datum::token(&**tokens.task(), token))
        }),
        targets: Figure::new(&SET_TARGET, axes(), of, move |at| {
            let target = targets.example(Split::Validation, at[0]).targets().get(at[1]).copied().flatten();
            target.map_or(Datum::Nothing, |class| Datum::class(&**targets.task(), class))
        }),
        predictions: Figure::new(&SET_PREDICTION, axes(), of, move |at| {
            let class = predicted.predictions[at[0]].get(at[1]).copied().flatten();
            class.map_or(Datum::Nothing, |class| Datum::class(&*task, class))
        }),
    }
}
