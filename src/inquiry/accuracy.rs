//! How accurate are the weights without edits?

use std::sync::Arc;

use super::Findings;
use super::job::{Job, OverValidation};
use crate::analysis::{Evaluation, Tally};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::task::Task;

/// Loss over a set.
pub static SET_LOSS: Spec = Spec {
    name: "set_loss",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set, without edits",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Edits],
    ..Spec::BARE
};

/// Accuracy over a set.
pub static ACCURACY: Spec = Spec {
    name: "accuracy",
    definition: "share of all targets of the validation set that are predicted, without edits",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits],
    ..Spec::BARE
};

/// Accuracy by class.
pub static CLASS_ACCURACY: Spec = Spec {
    name: "accuracy_by_class",
    definition: "share of the targets of a class that are predicted; none where the class is never a target",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Class],
    ..Spec::BARE
};

/// Accuracy by position.
pub static POSITION_ACCURACY: Spec = Spec {
    name: "accuracy_by_position",
    definition: "share of the targets at a position that are predicted; none where no sequence has one there",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Position],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, _| Tally::new(of.snapshot.config()),
        |tally| Findings::Accuracy(Arc::new(tally.evaluation())),
    )
}

/// An evaluation as figures.
pub struct Figures {
    /// [`SET_LOSS`].
    pub loss: Arc<Figure>,
    /// [`ACCURACY`].
    pub accuracy: Arc<Figure>,
    /// [`CLASS_ACCURACY`].
    pub by_class: Arc<Figure>,
    /// [`POSITION_ACCURACY`].
    pub by_position: Arc<Figure>,
}

/// The figures of an evaluation without edits.
pub fn figures(of: &Arc<Subject>, found: &Arc<Evaluation>, task: &Arc<dyn Task>) -> Figures {
    let figure = |spec, more: Option<Axis>, cell: fn(&Evaluation, &[usize]) -> Datum| {
        let found = Arc::clone(found);
        let axes = [Axis::named(Dim::Edits, ["clean"])].into_iter().chain(more).collect();
        Figure::new(spec, axes, of, move |at| cell(&found, &at[1..]))
    };
    let positions = Axis::counted(Dim::Position, found.accuracy_by_position.len());
    Figures {
        loss: figure(&SET_LOSS, None, |one, _| one.known_loss().into()),
        accuracy: figure(&ACCURACY, None, |one, _| one.known_accuracy().into()),
        by_class: figure(&CLASS_ACCURACY, Some(Axis::classes(task)), |one, at| {
            one.accuracy_by_class.get(at[0]).copied().flatten().into()
        }),
        by_position: figure(&POSITION_ACCURACY, Some(positions), |one, at| {
            one.accuracy_by_position[at[0]].into()
        }),
    }
}
