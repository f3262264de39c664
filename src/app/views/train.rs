//! View 1: loss, learning rate, accuracy.

use std::sync::Arc;

use crossterm::event::KeyCode;

use super::{Room, position, view};
use crate::app::births::{self, LEARNT_AT, TRACKED_SINCE};
use crate::app::cursor::{PAGE, moved};
use crate::app::curves;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::app::studies::Asked;
use crate::app::tracked::{tracker_costs, tracker_scores};
use crate::app::{App, Breakdown, Bucket, Notice, RunPanel, Series, TrackerNumber};
use crate::figure::{At, Axis, Column, Dim, Figure, Panel, Spec, Taken};
use crate::inquiry::accuracy::{
    self, ACCURACY, ANSWER_KINDS, CLASS_ACCURACY, CONFUSION, POSITION_ACCURACY, POSITION_LOSS, SET_LOSS,
    SITUATION_ACCURACY, SITUATION_ERRORS, SITUATION_LOSS, SITUATION_TARGETS,
};
use crate::inquiry::predictions::{self, SET_PREDICTION, SET_TARGET, SET_TOKEN};
use crate::inquiry::progress::{self, EMBEDDING_GINI, EXCLUDED_LOSS, RESTRICTED_LOSS};
use crate::inquiry::tracker_sets::{TRACKER_CHANCE, TRACKER_DAMAGE, TRACKER_SCORE};
use crate::inquiry::{Over, Question, Subject, WeightForm};

pub(crate) static ROOM: Room = Room {
    title: "Train",
    short: "Train",
    open: bind(
        &[Key::ch('1')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "training: loss, learning rate, accuracy",
    ),
    keys: KEYS,
    has_key: false,
    has_target: false,
    toggle: |_| Offer::nothing("no head or neuron under the cursor: choose one in 2 to 5"),
    asks,
    prepare: |_| {},
    panels: PANELS,
    focus: |app| match app.settings.run_panel {
        RunPanel::Accuracies => "losses",
        RunPanel::Curves => "curves",
        RunPanel::Births => "births",
    },
    is_of_run: true,
    lacks: |app| {
        if app.is_exploring() && app.history.train_loss.last.is_none() {
            "metrics of training are those of a run: give --run"
        } else {
            "there is no validation set"
        }
    },
};

/// Loss over the steps.
static TRAIN_LOSS: Spec = Spec {
    name: "train_loss",
    unit: "nats",
    definition: "mean cross-entropy over the targets of a step's batch, before the step; in a long run neighbouring steps are pooled: mean, least, largest",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Step, Dim::Part],
    ..Spec::BARE
};

/// Loss of the validations.
static VALIDATION_LOSS: Spec = Spec {
    name: "validation_loss",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Step, Dim::Part],
    ..Spec::BARE
};

/// Accuracy of the validations.
static VALIDATION_ACCURACY: Spec = Spec {
    name: "validation_accuracy",
    definition: "share of all targets of the validation set that are predicted",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Step, Dim::Part],
    ..Spec::BARE
};

/// Learning rate over the steps.
static LEARNING_RATE: Spec = Spec {
    name: "learning_rate",
    definition: "the optimiser's learning rate",
    axes: &[Dim::Step, Dim::Part],
    ..Spec::BARE
};

const PANELS: &[PanelEntry] = &[
    panel!("losses", "training loss and learning rate by step", [TRAIN_LOSS, LEARNING_RATE], losses),
    panel!(
        "validations",
        "validation loss and accuracy by step",
        [VALIDATION_LOSS, VALIDATION_ACCURACY],
        validations
    ),
    panel!("accuracies", "loss and accuracy over the validation set", [SET_LOSS, ACCURACY], accuracies),
    panel!("classes", "accuracy by class over the validation set", [CLASS_ACCURACY], classes),
    panel!(
        "position_accuracies",
        "accuracy and loss by position over the validation set",
        [POSITION_ACCURACY, POSITION_LOSS],
        by_position
    ),
    panel!(
        "situations",
        "accuracy, targets, errors and loss by the task's situations over the validation set",
        [SITUATION_ACCURACY, SITUATION_TARGETS, SITUATION_ERRORS, SITUATION_LOSS],
        situations
    ),
    panel!(
        "prediction_kinds",
        "predictions by kind over the validation set: at ties of majority",
        [ANSWER_KINDS],
        kinds
    ),
    panel!(
        "wrong_predictions",
        "wrong predictions over the validation set by target and predicted class, the most frequent first",
        [CONFUSION],
        confusion
    ),
    panel!(
        "progress",
        "progress measures of a task of pairs on a circle, by the key frequencies of the newest snapshot",
        [RESTRICTED_LOSS, EXCLUDED_LOSS, EMBEDDING_GINI],
        progress
    ),
    panel!("curves", "the pinned or standing curves by step", [], curves::panel),
    panel!(
        "births",
        "when each class was learnt, and since when neurons track it, over the kept snapshots: the first learnt first",
        [LEARNT_AT, TRACKED_SINCE],
        births::panel
    ),
    panel!(
        "tracker_scores",
        "how well the newest snapshot's trackers of each class track it here",
        [TRACKER_SCORE, TRACKER_CHANCE],
        tracker_scores, opened_by: |app| app.settings.tracker_sets = Some(TrackerNumber::Score)),
    panel!(
        "tracker_costs",
        "what the newest snapshot's trackers of each class cost it here",
        [TRACKER_DAMAGE],
        tracker_costs, opened_by: |app| app.settings.tracker_sets = Some(TrackerNumber::Damage)),
    panel!(
        "answers",
        "token, target and prediction at every position of the validation set",
        [SET_TOKEN, SET_TARGET, SET_PREDICTION],
        answers, opened_by: |app| app.settings.answers = true),
];

/// The subject of a number of the run: the newest weights, and the step of the number.
fn of_run(app: &App, over: Over, step: Option<usize>) -> Option<Arc<Subject>> {
    let subject = app.subject(app.timeline.newest()?, WeightForm::Trained).over(over);
    let taken = Taken::At(step.unwrap_or(app.trainer.step));
    Some(Arc::new(Subject { taken, ..subject }))
}

/// A series of the run by step: mean, minimum and maximum of neighbouring steps.
fn series(app: &App, spec: &'static Spec, over: Over, series: &Series) -> Option<Arc<Figure>> {
    let points: Vec<(usize, Bucket)> = series.points().collect();
    let of = of_run(app, over, None).filter(|_| !points.is_empty())?;
    let axes = vec![
        Axis::steps(points.iter().map(|(step, _)| *step)),
        Axis::named(Dim::Part, ["mean", "min", "max"]),
    ];
    Some(Figure::new(spec, axes, &of, move |at| {
        let bucket = points[at[0]].1;
        // Losses are computed in f32: more digits would be noise.
        [bucket.mean(), Some(bucket.min), Some(bucket.max)][at[1]].map(|x| x as f32).into()
    }))
}

fn losses(app: &App) -> Option<Panel> {
    let loss = series(app, &TRAIN_LOSS, Over::Training, &app.history.train_loss)?;
    let rate = series(app, &LEARNING_RATE, Over::Training, &app.history.lr)?;
    let column = |name, figure, part| Column::new(name, figure, [At::Lead(0), At::Fixed(part)]);
    let panel = Panel::new("losses", [loss.axes[0].clone()])
        .with(column("loss", &loss, 0))
        .with(column("min", &loss, 1))
        .with(column("max", &loss, 2))
        .with(column("learning_rate", &rate, 0));
    Some(panel)
}

fn validations(app: &App) -> Option<Panel> {
    let loss = series(app, &VALIDATION_LOSS, Over::Validation, &app.history.validation_loss)?;
    let accuracy = series(app, &VALIDATION_ACCURACY, Over::Validation, &app.history.validation_accuracy)?;
    let column = |name, figure| Column::new(name, figure, [At::Lead(0), At::Fixed(0)]);
    let panel = Panel::new("validations", [loss.axes[0].clone()]);
    Some(panel.with(column("loss", &loss)).with(column("accuracy", &accuracy)))
}

/// The validation on screen.
pub(crate) fn validated(app: &App) -> Option<accuracy::Figures> {
    let (evaluation, study) = app.validation()?;
    let of = match study {
        Some(answer) => Arc::new(answer.inquiry.subject.clone()),
        None => of_run(app, Over::Validation, app.history.validation.as_ref().map(|last| last.step))?,
    };
    Some(accuracy::figures(&of, &Arc::new(evaluation.clone()), app.options.dataset.task()))
}

fn accuracies(app: &App) -> Option<Panel> {
    let found = validated(app)?;
    let panel = Panel::new("accuracies", found.loss.axes.clone())
        .with(Column::new("loss", &found.loss, [At::Lead(0)]))
        .with(Column::new("accuracy", &found.accuracy, [At::Lead(0)]));
    Some(panel)
}

fn classes(app: &App) -> Option<Panel> {
    let figure = validated(app)?.by_class;
    let column = Column::new("accuracy", &figure, [At::Fixed(0), At::Lead(0)]);
    Some(Panel::new("classes", [figure.axes[1].clone()]).with(column))
}

fn by_position(app: &App) -> Option<Panel> {
    let [accuracy, loss] = validated(app)?.by_position;
    let column = |name, figure| Column::new(name, figure, [At::Fixed(0), At::Lead(0)]);
    let panel = Panel::new("position_accuracies", [accuracy.axes[1].clone()]);
    Some(panel.with(column("accuracy", &accuracy)).with(column("loss", &loss)))
}

pub(crate) fn situations(app: &App) -> Option<Panel> {
    let [accuracy, targets, errors, loss] = validated(app)?.by_situation?;
    let at = [At::Fixed(0), At::Lead(0)];
    let panel = Panel::new("situations", [accuracy.axes[1].clone()])
        .with(Column::new("accuracy", &accuracy, at.clone()))
        .with(Column::new("targets", &targets, at.clone()))
        .with(Column::new("errors", &errors, at.clone()))
        .with(Column::new("loss", &loss, at));
    Some(panel)
}

pub(crate) fn kinds(app: &App) -> Option<Panel> {
    let figure = validated(app)?.answers?;
    let column = Column::new("count", &figure, [At::Fixed(0), At::Lead(0)]);
    Some(Panel::new("prediction_kinds", [figure.axes[1].clone()]).with(column))
}

/// The entries of a confusion matrix, `[target, predicted]`, off the diagonal and above 0, the largest first.
pub(super) fn wrong_pairs(figure: &Arc<Figure>, edits: usize) -> Vec<usize> {
    let outputs = figure.axes[1].len();
    let count = |at: usize| figure.at(&[edits, at / outputs, at % outputs]).number().unwrap_or(0.0);
    let pairs = (0..outputs * outputs).filter(|at| at / outputs != at % outputs);
    let mut pairs: Vec<(usize, f64)> = pairs.map(|at| (at, count(at))).filter(|(_, n)| *n > 0.0).collect();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
    pairs.into_iter().map(|(at, _)| at).collect()
}

pub(crate) fn confusion(app: &App) -> Option<Panel> {
    let figure = validated(app)?.confusion?;
    let column = Column::new("count", &figure, [At::Fixed(0), At::Lead(0), At::Lead(1)]);
    let panel = Panel::new("wrong_predictions", figure.axes[1..].to_vec()).ordered(wrong_pairs(&figure, 0));
    Some(panel.with(column))
}

/// Groups accuracies by class or situation, or predictions by error or kind.
pub(super) fn breakdown(app: &App) -> Offer {
    let next = app.settings.breakdown.next();
    let is_skipped = next == Breakdown::Answers && app.task().facts().answers.is_none();
    let next = if is_skipped { next.next() } else { next };
    Offer::set(move |app| app.settings.breakdown = next)
}

impl App {
    /// Adds the answers to the exported numbers, or leaves them out.
    fn toggle_answers(&mut self) {
        let answers = !self.settings.answers;
        self.settings.answers = answers;
        let text = if answers { "e writes every prediction too" } else { "e writes no single predictions" };
        self.say(Notice::info(text));
    }
}

fn progress(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.progress()?;
    let figures = progress::figures(answer, found);
    let column = |figure: &Arc<Figure>| Column::new(figure.spec.name, figure, []);
    Some(Panel::new("progress", []).and(figures.iter().map(column)))
}

fn answers(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.predictions().filter(|_| app.settings.answers)?;
    let of = Arc::new(answer.inquiry.subject.clone());
    let found = predictions::figures(&of, found, &app.options.dataset);
    let at = [At::Lead(0), At::Lead(1)];
    let panel = Panel::new("answers", found.tokens.axes.clone())
        .with(Column::new("token", &found.tokens, at.clone()))
        .with(Column::new("target", &found.targets, at.clone()))
        .with(Column::new("prediction", &found.predictions, at));
    Some(panel)
}

/// Scrolls the classes.
pub(super) fn scroll(by: isize) -> Offer {
    Offer::set(move |app| app.move_classes(by))
}

/// Moves in the list in view.
fn move_in_list(by: isize) -> Offer {
    Offer::set(move |app| {
        let lines = match app.settings.run_panel {
            RunPanel::Accuracies => return app.move_classes(by),
            RunPanel::Curves => app.curves.all().count(),
            RunPanel::Births => app.task().outputs().len(),
        };
        app.curves.selected = moved(app.curves.selected, by, lines);
    })
}

/// Shows the curves, the births, or the accuracies again.
fn toggle(app: &App) -> Offer {
    if app.is_without_step() && app.settings.run_panel == RunPanel::Accuracies {
        return Offer::nothing("these weights have no steps: curves are those of a run");
    }
    Offer::set(App::next_run_panel)
}

/// Removes the selected curve.
fn forget(app: &App) -> Offer {
    if app.shows_curves() && !app.curves.is_empty() {
        Offer::set(|app| app.curves.remove())
    } else {
        Offer::nothing("no curve is selected: g shows the curves")
    }
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |_| move_in_list(-1), "classes", "the class, of too many to show, or the curve before"),
    bind(DOWN, |_| move_in_list(1), JOIN, "the next class or curve"),
    bind(PAGE_UP, |_| move_in_list(-PAGE), "", "ten classes or curves back"),
    bind(PAGE_DOWN, |_| move_in_list(PAGE), "", "ten classes or curves on"),
    bind(&[Key::ch('g')], toggle, "curves", "accuracies; curves over all steps; when classes were learnt"),
    bind(&[Key::code(KeyCode::Backspace)], forget, "", "remove the selected curve"),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.settings.loss = app.settings.loss.next()),
        "log/linear",
        "loss on a logarithmic or a linear scale",
    ),
    bind(&[Key::ch('v')], breakdown, "by", "by class, by situation, the most frequent errors, at ties"),
    bind(
        &[Key::ch('a')],
        |app| {
            if app.has_data() {
                Offer::set(App::toggle_answers).hinted_if(false)
            } else {
                Offer::nothing("there is no validation set")
            }
        },
        "",
        "export every prediction over the validation set too, or not",
    ),
    bind(
        &[Key::ch('E')],
        App::longer_offer,
        "longer",
        "train on beyond the last step, by half of the recipe",
    ),
];

fn asks(app: &App) -> Vec<Asked> {
    let Some(subject) = app.of_validation() else { return Vec::new() };
    let answers = app.settings.answers.then(|| {
        let subject = subject.clone().edited(&app.ablation.off);
        (subject, Question::Predictions)
    });
    let accuracy = app.validates_here().then_some((subject, Question::Accuracy));
    let progress = app.of_progress().filter(|_| app.validates_here());
    let numbers: &[TrackerNumber] = match (&app.settings.tracker_sets, app.settings.run_panel) {
        (Some(number), _) => std::slice::from_ref(number),
        (None, RunPanel::Births) => &[TrackerNumber::Score, TrackerNumber::Damage],
        (None, _) => &[],
    };
    let tracked = numbers.iter().filter_map(|number| app.of_tracker_sets(*number));
    accuracy.into_iter().chain(answers).chain(progress).chain(tracked).collect()
}
