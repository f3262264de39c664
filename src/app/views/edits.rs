//! View 6: the edits and their effect.

use std::sync::Arc;

use super::logits::{LOGITS_PANEL, POSITIONS_PANEL};
use super::train::{breakdown, scroll, wrong_pairs};
use super::{Room, position, view};
use crate::analysis::dose::Doses;
use crate::app::cursor::{PAGE, moved};
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::app::{App, Notice, PickerKind, has_doses};
use crate::figure::{At, Column, Figure, Panel};
use crate::inquiry::Probe;
use crate::inquiry::ablation::{
    self, EDITED_ACCURACY, EDITED_ANSWER_KINDS, EDITED_CLASS_ACCURACY, EDITED_CONFUSION, EDITED_LOSS,
    EDITED_SITUATION_ACCURACY, EDITED_SITUATION_ERRORS,
};
use crate::inquiry::damage::{self, ACCURACY_DAMAGE, DAMAGE};
use crate::inquiry::dose::{self, DOSE_ACCURACY, DOSE_LOSS};
use crate::inquiry::logits::{CORRECT, LOSS};

pub(crate) static ROOM: Room = Room {
    title: "Ablate",
    short: "Abl",
    open: bind(
        &[Key::ch('6')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "ablation: what switching off does",
    ),
    keys: KEYS,
    has_key: false,
    has_target: false,
    toggle: |app| in_list(app, || Offer::act(App::undo_line)),
    asks: |app| app.of_edits().or_else(|| app.of_damage()).into_iter().chain(app.of_doses()).collect(),
    prepare: |_| {},
    panels: PANELS,
    focus: |_| "effect_here",
    is_of_run: false,
    lacks: |app| {
        if app.ablation.off.is_empty() {
            "nothing is edited: give --heads, --neurons, --pattern or --edits"
        } else {
            "there is no validation set"
        }
    },
};

const PANELS: &[PanelEntry] = &[
    panel!(
        "effect_here",
        "loss and accuracy on this sequence, clean and edited",
        [LOSS, CORRECT],
        effect_here
    ),
    panel!(
        "effect",
        "loss and accuracy over the validation set: clean, edited, and with matched random sets of neurons",
        [EDITED_LOSS, EDITED_ACCURACY],
        effect,
    ),
    PanelEntry { build: positions, ..POSITIONS_PANEL },
    panel!(
        "edited_classes",
        "accuracy by class over the validation set, clean and edited",
        [EDITED_CLASS_ACCURACY],
        classes
    ),
    panel!(
        "edited_situations",
        "accuracy and errors by the task's situations over the validation set, clean and edited",
        [EDITED_SITUATION_ACCURACY, EDITED_SITUATION_ERRORS],
        situations
    ),
    panel!(
        "edited_prediction_kinds",
        "predictions by kind over the validation set, clean and edited: at ties of majority",
        [EDITED_ANSWER_KINDS],
        kinds
    ),
    panel!(
        "edited_wrong_predictions",
        "wrong predictions over the validation set by target and predicted class, clean and edited, the most frequent \
         edited first",
        [EDITED_CONFUSION],
        confusion
    ),
    panel!(
        "dose_response",
        "loss and accuracy over the validation set with the edited heads and neurons at each dose, beside random sets",
        [DOSE_LOSS, DOSE_ACCURACY],
        dose_response,
        opened_by: |app| app.settings.doses = app.settings.doses.or(Some(Doses::Scales))
    ),
    panel!(
        "damage_matrix",
        "what each head and each class's trackers cost each class, while nothing is edited",
        [DAMAGE, ACCURACY_DAMAGE],
        damage, opened_by: |app| app.settings.damage = true),
    PanelEntry { build: edited_logits, ..LOGITS_PANEL },
];

fn edited(app: &App) -> Option<&Arc<Probe>> {
    app.answered().filter(|probe| probe.ablated.is_some())
}

fn edited_logits(app: &App) -> Option<Panel> {
    edited(app)?;
    (LOGITS_PANEL.build)(app)
}

pub(crate) fn effect_here(app: &App) -> Option<Panel> {
    let probe = edited(app)?;
    let (loss, correct) = (probe.loss(), probe.correct());
    let at = [At::Lead(0), At::Mean];
    let panel = Panel::new("effect_here", [loss.axes[0].clone()])
        .with(Column::new("loss", &loss, at.clone()))
        .with(Column::new("accuracy", &correct, at));
    Some(panel)
}

fn report(app: &App) -> Option<[Arc<Figure>; 3]> {
    edited(app)?;
    let (answer, report) = app.ablation_figures()?;
    Some(ablation::figures(answer, report, app.options.dataset.task()))
}

pub(crate) fn effect(app: &App) -> Option<Panel> {
    let [loss, accuracy, _] = report(app)?;
    let panel = Panel::new("effect", loss.axes.clone())
        .with(Column::new("loss", &loss, [At::Lead(0)]))
        .with(Column::new("accuracy", &accuracy, [At::Lead(0)]));
    Some(panel)
}

/// The sequence by position, if there are edits.
pub(crate) fn positions(app: &App) -> Option<Panel> {
    edited(app)?;
    (POSITIONS_PANEL.build)(app)
}

pub(crate) fn classes(app: &App) -> Option<Panel> {
    let [_, _, figure] = report(app)?;
    let column = |(at, name): (usize, &'static str)| Column::new(name, &figure, [At::Fixed(at), At::Lead(0)]);
    let columns = ["accuracy_clean", "accuracy_edited"].into_iter().enumerate().map(column);
    Some(Panel::new("edited_classes", [figure.axes[1].clone()]).and(columns))
}

pub(crate) fn dose_response(app: &App) -> Option<Panel> {
    let (answer, report) = app.dose_figures()?;
    let [loss, accuracy] = dose::figures(answer, report);
    let sets = &loss.axes[1];
    let names: Vec<String> =
        (0..sets.len()).map(|set| sets.name(set).to_string().replace(' ', "_")).collect();
    let columns = |part: &str, figure: &Arc<Figure>| -> Vec<Column> {
        let column = |(at, set): (usize, &String)| {
            Column::new(format!("{part}_{set}"), figure, [At::Lead(0), At::Fixed(at)])
        };
        names.iter().enumerate().map(column).collect()
    };
    let panel = Panel::new("dose_response", [loss.axes[0].clone()]);
    Some(panel.and(columns("loss", &loss)).and(columns("accuracy", &accuracy)))
}

pub(crate) fn damage(app: &App) -> Option<Panel> {
    app.answered().filter(|_| app.ablation.off.is_empty())?;
    let (answer, report) = app.studies.damage()?;
    let [loss, accuracy] = damage::figures(answer, report, app.options.dataset.task());
    let column = |name, figure| Column::new(name, figure, [At::Lead(0), At::Lead(1)]);
    let panel = Panel::new("damage_matrix", loss.axes.clone()).with(column("loss", &loss));
    Some(panel.with(column("accuracy", &accuracy)))
}

pub(crate) fn situations(app: &App) -> Option<Panel> {
    edited(app)?;
    let (answer, report) = app.ablation_figures()?;
    let [accuracy, errors] = ablation::by_situation(answer, report, app.options.dataset.task())?;
    let columns = |name: &'static str, figure: &Arc<Figure>| {
        let column =
            |(at, edits)| Column::new(format!("{name}_{edits}"), figure, [At::Fixed(at), At::Lead(0)]);
        ["clean", "edited"].into_iter().enumerate().map(column).collect::<Vec<_>>()
    };
    let panel = Panel::new("edited_situations", [accuracy.axes[1].clone()]);
    Some(panel.and(columns("accuracy", &accuracy)).and(columns("errors", &errors)))
}

pub(crate) fn kinds(app: &App) -> Option<Panel> {
    edited(app)?;
    let (answer, report) = app.ablation_figures()?;
    let figure = ablation::answers(answer, report, app.task())?;
    let column = |(at, name)| Column::new(name, &figure, [At::Fixed(at), At::Lead(0)]);
    let columns = ["count_clean", "count_edited"].into_iter().enumerate().map(column);
    Some(Panel::new("edited_prediction_kinds", [figure.axes[1].clone()]).and(columns))
}

pub(crate) fn confusion(app: &App) -> Option<Panel> {
    edited(app)?;
    let (answer, report) = app.ablation_figures()?;
    let figure = ablation::confusion(answer, report, app.options.dataset.task())?;
    let known = usize::from(report.after.is_some());
    let panel = Panel::new("edited_wrong_predictions", figure.axes[1..].to_vec())
        .ordered(wrong_pairs(&figure, known));
    let column = |(at, name)| Column::new(name, &figure, [At::Fixed(at), At::Lead(0), At::Lead(1)]);
    Some(panel.and(["count_clean", "count_edited"].into_iter().enumerate().map(column)))
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |app| line(app, -1), "list", "the line above in the list of what is off, or of sets"),
    bind(DOWN, |app| line(app, 1), JOIN, "the line below"),
    bind(PAGE_UP, |app| line(app, -PAGE), "", "ten lines up"),
    bind(PAGE_DOWN, |app| line(app, PAGE), "", "ten lines down"),
    bind(
        &[Key::ch('a')],
        |_| Offer::set(|app| app.pick_from(PickerKind::Edit)),
        "add",
        "type an edit of any activation, as a file has it",
    ),
    bind(
        &[Key::ch('s')],
        |app| in_list(app, || Offer::set(|app| app.pick_from(PickerKind::Save))),
        "save",
        "save all edits under a name, for o and for --edits",
    ),
    bind(
        &[Key::ch('o')],
        |_| Offer::set(|app| app.pick_from(PickerKind::Load)),
        "open",
        "load edits that were saved",
    ),
    bind(&[Key::ch('v')], breakdown, "by", "by class, by situation, the most frequent errors, at ties"),
    bind(
        &[Key::ch('x')],
        |app| {
            if !has_doses(&app.ablation.off) {
                return Offer::nothing("heads and neurons have doses: none is off");
            }
            Offer::set(|app| {
                app.settings.doses = match app.settings.doses {
                    None => Some(Doses::Scales),
                    Some(Doses::Scales) => Some(Doses::Values),
                    Some(Doses::Values) => None,
                }
            })
        },
        "doses",
        "dose-response: heads and neurons times 0 to 2, set to 0 to 8",
    ),
    bind(
        &[Key::ch('D')],
        |app| {
            if !app.ablation.off.is_empty() {
                Offer::nothing("the damage of every set is shown while nothing is off: u")
            } else if app.of_damage().is_some() {
                Offer::nothing("it is already asked for")
            } else {
                Offer::set(|app| app.settings.damage = true).hinted_if(false)
            }
        },
        "",
        "what each head and each class's trackers cost each class",
    ),
    bind(
        &[Key::ch('p')],
        |app| {
            if app.ablation.off.neurons.is_empty() {
                return Offer::nothing("random sets are of neurons: none is off");
            }
            Offer::set(|app| {
                app.settings.pool = app.settings.pool.next();
                app.say(Notice::info(format!("random sets of {}", app.settings.pool.words())));
            })
        },
        "",
        "random sets of neurons that track no class, or of any",
    ),
    bind(&[Key::ch('(')], |_| scroll(-PAGE), "classes", "ten classes back, of too many to show"),
    bind(&[Key::ch(')')], |_| scroll(PAGE), JOIN, "ten classes on"),
    bind(
        &[Key::ch('A')],
        |_| Offer::act(|app| app.replace_patterns(true)),
        "",
        "every head attends by itself, uniformly, to itself, to before",
    ),
];

fn in_list(app: &App, offer: impl FnOnce() -> Offer) -> Offer {
    if app.ablation.off.is_empty() {
        return Offer::nothing("nothing is off: choose a head or neuron in 2 to 5");
    }
    offer()
}

/// Moves in the list of what is off, or in the matrix of damage while nothing is off.
fn line(app: &App, by: isize) -> Offer {
    let sets = app.studies.damage().map_or(0, |(_, report)| report.sets.len());
    let len = if app.ablation.off.is_empty() { sets } else { app.ablation.off.len() };
    let offer = || {
        Offer::set(move |app| {
            app.cursor.off_line = moved(app.cursor.off_line, by, len);
        })
    };
    if len > 0 { offer().hinted_if(!app.ablation.off.is_empty()) } else { in_list(app, offer) }
}
