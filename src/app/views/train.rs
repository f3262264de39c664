//! View 1: loss, learning rate, accuracy.

use super::{Room, position, view};
use crate::app::App;
use crate::app::keymap::{Binding, JOIN, Key, LEFT, Offer, RIGHT, bind};
use crate::app::provenance::Of;
use crate::app::studies::Asked;
use crate::inquiry::Question;

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
    bind(
        &[Key::ch('E')],
        App::longer_offer,
        "longer",
        "train on beyond the last step, by half of the recipe",
    ),
];

fn asks(app: &App) -> Vec<Asked> {
    let subject = app.of_validation().filter(|_| app.validates_here());
    subject.map(|subject| (subject, Question::Accuracy)).into_iter().collect()
}
