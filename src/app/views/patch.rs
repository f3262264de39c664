//! View 7: what activations of one sequence do in the pass of another.

use super::{Room, position, view};
use crate::app::App;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::figure::{At, Column, Panel};
use crate::inquiry::flip::{self, FLIP_POINT, PARTS};
use crate::inquiry::patching::{self, PATCHED, PATCHED_RUNS, PATCHED_SHARE};

pub(crate) static ROOM: Room = Room {
    title: "Patch",
    short: "Patch",
    open: bind(
        &[Key::ch('7')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "patch: activations of one sequence in the pass of another",
    ),
    keys: KEYS,
    has_key: true,
    has_target: false,
    toggle,
    asks: App::of_patching,
    prepare: |_| {},
    panels: PANELS,
    focus: |_| "patching",
    is_of_run: false,
    lacks: |_| "no change of one or two tokens changes the answer: s takes a corrupted sequence",
};

const PANELS: &[PanelEntry] = &[
    panel!(
        "patching",
        "what each activation of the clean sequence does in the run of the corrupted one",
        [PATCHED, PATCHED_SHARE],
        grid
    ),
    panel!("patching_runs", "the metric of the two runs", [PATCHED_RUNS], runs),
    panel!("flip", "the smallest change of tokens that changes the answer", [FLIP_POINT], flip),
];

pub(crate) fn grid(app: &App) -> Option<Panel> {
    let (answer, found, asked) = app.patched()?;
    let [values, shares, _] = patching::figures(answer, found, asked);
    let column = |name, figure| Column::new(name, figure, [At::Lead(0), At::Lead(1), At::Lead(2)]);
    let panel = Panel::new("patching", values.axes.clone());
    Some(panel.with(column("value", &values)).with(column("share", &shares)))
}

fn runs(app: &App) -> Option<Panel> {
    let (answer, found, asked) = app.patched()?;
    let [.., figure] = patching::figures(answer, found, asked);
    Some(Panel::new("patching_runs", figure.axes.clone()).with(Column::new("value", &figure, [At::Lead(0)])))
}

fn flip(app: &App) -> Option<Panel> {
    let (answer, found) = app.flip_point()?;
    let figure = flip::figure(answer, found, app.options.dataset.task());
    let part = |(at, name): (usize, &'static str)| Column::new(name, &figure, [At::Lead(0), At::Fixed(at)]);
    Some(Panel::new("flip", [figure.axes[0].clone()]).and(PARTS.into_iter().enumerate().map(part)))
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| column(-1), "column", "the previous position or head"),
    bind(RIGHT, |_| column(1), JOIN, "the next position or head"),
    bind(UP, |_| row(-1), "row", "the layer or head above"),
    bind(DOWN, |_| row(1), JOIN, "the layer or head below"),
    bind(PAGE_UP, |_| column(-PAGE), "", "ten columns to the left"),
    bind(PAGE_DOWN, |_| column(PAGE), "", "ten columns to the right"),
    bind(&[Key::ch('o')], |_| position(-1), "answer", "read the answer at the previous position"),
    bind(&[Key::ch('p')], |_| position(1), JOIN, "read the answer at the next position"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.patching.next_site(&app.options.model)),
        "site",
        "site: stream, q, k, v, pattern, heads, outputs, neurons",
    ),
    bind(&[Key::ch('b')], cut, "by", "a cell is a head, a position, or a head at a position"),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.settings.patching.next_metric()),
        "metric",
        "logit difference, loss, or probability of the answer",
    ),
    bind(
        &[Key::ch('z')],
        |_| Offer::set(|app| app.settings.patching.is_raw = !app.settings.patching.is_raw),
        "scale",
        "from the corrupted run, 0, to the clean one, 1; or raw",
    ),
    bind(
        &[Key::ch('D')],
        |_| Offer::set(|app| app.settings.patching.turn()),
        "way",
        "clean into corrupted, or corrupted into clean",
    ),
    bind(
        &[Key::ch('s')],
        |_| Offer::act(App::corrupt_with_this),
        "corrupt",
        "take this sequence as the corrupted one",
    ),
    bind(
        &[Key::ch('X')],
        |_| Offer::act(App::exchange_sequences),
        "swap",
        "exchange the clean and the corrupted sequence",
    ),
    bind(
        &[Key::ch('a')],
        |app| {
            if app.has_data() && app.is_labelled() {
                Offer::set(|app| app.settings.patching.is_mean = !app.settings.patching.is_mean)
            } else {
                Offer::nothing("pairs are of a validation set with targets")
            }
        },
        "pairs",
        "the mean over pairs of validation sequences, or this pair",
    ),
    bind(
        &[Key::ch('g')],
        |app| {
            let flip = Offer::set(|app| app.settings.patching.corrupted = None);
            flip.hinted_if(app.is_corrupted_chosen())
        },
        "flip",
        "corrupt by the smallest change that turns the answer",
    ),
];

/// Of the cell: the activation of the corrupted sequence takes the place of the clean one's.
fn toggle(app: &App) -> Offer {
    match app.edit_of_cell() {
        Some(_) => Offer::act(App::toggle_cell),
        None => Offer::nothing("there is no corrupted sequence to take the cell from"),
    }
}

fn cut(app: &App) -> Offer {
    if app.settings.patching.has_cuts() {
        Offer::set(|app| app.settings.patching.next_cut())
    } else {
        Offer::nothing("this site has no heads or neurons: v for another")
    }
}

fn column(by: isize) -> Offer {
    Offer::set(move |app| app.move_patched_column(by))
}

fn row(by: isize) -> Offer {
    Offer::set(move |app| app.move_patched_row(by))
}
