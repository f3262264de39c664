//! View 3: what each component adds to the target.

use super::{Room, position, tables, view};
use crate::analysis::Writer;
use crate::app::App;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::moves::writers;
use crate::app::provenance::Of;
use crate::app::studies::Asked;
use crate::inquiry::Question;

pub(crate) static ROOM: Room = Room {
    title: "Logits",
    short: "Logit",
    open: bind(
        &[Key::ch('3')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "logits: what each part adds to the target",
    ),
    keys: KEYS,
    has_key: false,
    has_target: true,
    toggle,
    asks,
    prepare: |_| {},
    tables: |app| tables(app, App::logit_tables),
    of: Of::Sequence,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |_| line(-1), "writer", "the writer above"),
    bind(DOWN, |_| line(1), JOIN, "the writer below"),
    bind(PAGE_UP, |_| line(-PAGE), "", "ten writers up"),
    bind(PAGE_DOWN, |_| line(PAGE), "", "ten writers down"),
    bind(
        &[Key::ch('o')],
        |app| app.if_neurons(|app| app.settings.mlp = app.settings.mlp.next()),
        "neuron",
        "the cursor's neuron in a row of its own, below its MLP",
    ),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.logits = app.settings.logits.next()),
        "lens",
        "below: a writer over positions, or the logit lens",
    ),
];

fn asks(app: &App) -> Vec<Asked> {
    let over_set = app.of_validation().map(|subject| (subject, Question::Lens));
    let probe = app.probe.as_deref().filter(|probe| !probe.is_empty());
    let of_sequence = probe.map(|probe| (probe.subject.clone(), Question::SequenceLens));
    over_set.into_iter().chain(of_sequence).collect()
}

fn line(by: isize) -> Offer {
    Offer::set(move |app| app.move_writer(by))
}

fn toggle(app: &App) -> Offer {
    match writers(&app.options.model).get(app.cursor.writer) {
        Some(Writer::Head(_)) => Offer::act(App::toggle_head),
        other => {
            let name = other.map(ToString::to_string).unwrap_or_default();
            let can = "space switches off heads (head.L.H) here, neurons in 4";
            Offer::nothing(format!("{name} stays on: {can}"))
        }
    }
}
