//! View 5: what the weights alone say.

use super::{Room, position, view};
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::provenance::Of;
use crate::app::{App, CircuitMap};

pub(crate) static ROOM: Room = Room {
    title: "Circuits",
    short: "Circ",
    open: bind(
        &[Key::ch('5')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "circuits: what the weights alone say",
    ),
    keys: KEYS,
    has_key: false,
    has_target: true,
    toggle,
    asks: App::of_circuits,
    prepare: |_| {},
    tables: App::circuit_tables,
    of: Of::Weights,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| column(-1), "column", "the previous key, logit or neuron"),
    bind(RIGHT, |_| column(1), JOIN, "the next key, logit or neuron"),
    bind(UP, |_| row(-1), "row", "the query or token above"),
    bind(DOWN, |_| row(1), JOIN, "the query or token below"),
    bind(PAGE_UP, |_| page(-PAGE), "", "ten rows up, or paths"),
    bind(PAGE_DOWN, |_| page(PAGE), "", "ten rows down, or paths"),
    bind(&[Key::ch('o')], |_| position(-1), "position", "paths at the previous position"),
    bind(&[Key::ch('p')], |_| position(1), JOIN, "paths at the next position"),
    bind(
        &[Key::ch('J')],
        |app| path(app, 1),
        "path",
        "the next path, its head and neuron; space is the neuron's",
    ),
    bind(&[Key::ch('K')], |app| path(app, -1), JOIN, "the previous path"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(App::next_circuit_map),
        "map",
        "QK of tokens, QK of positions, OV to logits, OV to neurons",
    ),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.circuits.scale = app.circuits.scale.next()),
        "scale",
        "QK as it is, over sqrt(d_head), and over the layer norm scale",
    ),
];

fn column(by: isize) -> Offer {
    Offer::set(move |app| app.move_circuit_column(by))
}

fn row(by: isize) -> Offer {
    Offer::set(move |app| app.move_circuit_row(by))
}

fn page(by: isize) -> Offer {
    Offer::set(
        move |app| {
            if app.chosen_path().is_some() { app.move_path(by) } else { app.move_circuit_row(by) }
        },
    )
}

fn path(app: &App, by: isize) -> Offer {
    app.if_has_neurons(|| Offer::set(move |app| app.move_path(by)))
}

fn toggle(app: &App) -> Offer {
    let is_on_neuron = app.chosen_path().is_some() || app.circuits.map == CircuitMap::OvNeurons;
    Offer::act(if is_on_neuron { App::toggle_neuron } else { App::toggle_head })
}
