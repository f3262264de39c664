//! View 1: loss, learning rate, accuracy.

use super::{Of, Room, position, view};
use crate::analysis::Topic;
use crate::app::App;
use crate::app::keymap::{Binding, JOIN, Key, LEFT, Offer, RIGHT, bind};

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
    topics,
    evaluates: |_| false,
    prepare: |_| {},
    tables: App::train_tables,
    of: Of::Training,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.settings.loss = app.settings.loss.next()),
        "log/linear",
        "loss on a logarithmic or a linear scale",
    ),
];

/// The metrics of a run's files keep the accuracy in part only.
fn topics(app: &App) -> Vec<Topic> {
    if app.has_data() && app.is_exploring() { vec![Topic::Accuracy] } else { Vec::new() }
}
