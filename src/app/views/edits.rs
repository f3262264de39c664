//! View 6: what is switched off, and what that does.

use super::{Room, position, tables, view};
use crate::app::App;
use crate::app::cursor::{PAGE, moved};
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::provenance::Of;

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
    asks: |app| app.of_edits().into_iter().collect(),
    prepare: |_| {},
    tables: |app| tables(app, App::ablation_tables),
    of: Of::Sequence,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |app| line(app, -1), "list", "the line above in the list of what is off"),
    bind(DOWN, |app| line(app, 1), JOIN, "the line below"),
    bind(PAGE_UP, |app| line(app, -PAGE), "", "ten lines up"),
    bind(PAGE_DOWN, |app| line(app, PAGE), "", "ten lines down"),
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

fn line(app: &App, by: isize) -> Offer {
    in_list(app, || {
        Offer::set(move |app| {
            app.cursor.off_line = moved(app.cursor.off_line, by, app.ablation.off.len());
        })
    })
}
