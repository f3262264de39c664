//! How accurate are the weights without edits?

use std::sync::Arc;

use super::Findings;
use super::job::{Job, OverValidation};
use crate::analysis::evaluation::Count;
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

/// Loss by position.
pub static POSITION_LOSS: Spec = Spec {
    name: "loss_by_position",
    unit: "nats",
    definition: "mean cross-entropy over the targets at a position; none where no sequence has one there",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Edits, Dim::Position],
    ..Spec::BARE
};

/// Loss by situation.
pub static SITUATION_LOSS: Spec = Spec {
    name: "loss_by_situation",
    unit: "nats",
    definition: "mean cross-entropy over the targets in a group of the task's situations; none where it never occurs",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Accuracy by situation.
pub static SITUATION_ACCURACY: Spec = Spec {
    name: "accuracy_by_situation",
    definition: "share of the targets in a group of the task's situations that are predicted; none where it never occurs",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Targets by situation.
pub static SITUATION_TARGETS: Spec = Spec {
    name: "targets_by_situation",
    definition: "targets of the validation set in a group of the task's situations",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Errors by situation.
pub static SITUATION_ERRORS: Spec = Spec {
    name: "errors_by_situation",
    definition: "wrong predictions in a group of the task's situations",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Confusion matrix.
pub static CONFUSION: Spec = Spec {
    name: "confusion",
    definition: "targets of a class that are predicted as another, or as itself; not for more than 128 classes",
    axes: &[Dim::Edits, Dim::Class, Dim::Predicted],
    ..Spec::BARE
};

/// Predictions by kind.
pub static ANSWER_KINDS: Spec = Spec {
    name: "predictions_by_kind",
    definition: "predictions of each kind at some positions of the validation set; at ties of majority: the smallest of the tied \
                 tokens, which is right, a larger one of them, or another token",
    axes: &[Dim::Edits, Dim::Answer],
    ..Spec::BARE
};

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    OverValidation::ask(
        subject,
        |of, bench| Tally::new(of.snapshot.config()).with_groups_of(&**bench.data().task()),
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
    /// [`POSITION_ACCURACY`] and [`POSITION_LOSS`].
    pub by_position: [Arc<Figure>; 2],
    /// [`SITUATION_ACCURACY`], [`SITUATION_TARGETS`], [`SITUATION_ERRORS`] and [`SITUATION_LOSS`], if counted.
    pub by_situation: Option<[Arc<Figure>; 4]>,
    /// [`ANSWER_KINDS`], if counted.
    pub answers: Option<Arc<Figure>>,
    /// [`CONFUSION`], if counted.
    pub confusion: Option<Arc<Figure>>,
}

/// A spec of situations, and its cell.
type OfGroup = (&'static Spec, fn(Count) -> Datum);

/// The specs of the situations.
const SITUATIONS: [OfGroup; 4] = [
    (&SITUATION_ACCURACY, |count| count.share().into()),
    (&SITUATION_TARGETS, |count| count.targets().into()),
    (&SITUATION_ERRORS, |count| count.wrong().into()),
    (&SITUATION_LOSS, |count| count.mean_loss().into()),
];

/// The figures of an evaluation without edits.
pub fn figures(of: &Arc<Subject>, found: &Arc<Evaluation>, task: &Arc<dyn Task>) -> Figures {
    let clean = || Axis::named(Dim::Edits, ["clean"]);
    let by_situation = (!found.by_situation.is_empty()).then(|| {
        SITUATIONS.map(|(spec, cell)| {
            let found = Arc::clone(found);
            Figure::new(spec, vec![clean(), Axis::situations(&**task)], of, move |at| {
                found.group(at[1]).map_or(Datum::Nothing, cell)
            })
        })
    });
    let answers = task.facts().answers.filter(|_| !found.answers.is_empty()).map(|answers| {
        let found = Arc::clone(found);
        Figure::new(&ANSWER_KINDS, vec![clean(), Axis::answers(answers)], of, move |at| {
            found.answers.get(at[1]).copied().into()
        })
    });
    let confusion = (!found.confusion.is_empty()).then(|| {
        let (found, outputs) = (Arc::clone(found), task.outputs().len());
        Figure::new(&CONFUSION, vec![clean(), Axis::classes(task), Axis::predicted(task)], of, move |at| {
            found.confusion.get(at[1] * outputs + at[2]).copied().into()
        })
    });
    let figure = |spec, more: Option<Axis>, cell: fn(&Evaluation, &[usize]) -> Datum| {
        let found = Arc::clone(found);
        let axes = [Axis::named(Dim::Edits, ["clean"])].into_iter().chain(more).collect();
        Figure::new(spec, axes, of, move |at| cell(&found, &at[1..]))
    };
    let positions = || Some(Axis::counted(Dim::Position, found.accuracy_by_position.len()));
    Figures {
        loss: figure(&SET_LOSS, None, |one, _| one.known_loss().into()),
        accuracy: figure(&ACCURACY, None, |one, _| one.known_accuracy().into()),
        by_class: figure(&CLASS_ACCURACY, Some(Axis::classes(task)), |one, at| {
            one.accuracy_by_class.get(at[0]).copied().flatten().into()
        }),
        by_position: [
            figure(&POSITION_ACCURACY, positions(), |one, at| one.accuracy_by_position[at[0]].into()),
            figure(&POSITION_LOSS, positions(), |one, at| {
                one.loss_by_position.get(at[0]).copied().flatten().into()
            }),
        ],
        by_situation,
        answers,
        confusion,
    }
}
