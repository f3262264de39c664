//! View 2: what a head attends to.

use super::{Room, position, tables, view};
use crate::app::App;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::provenance::Of;
use crate::app::studies::Asked;
use crate::inquiry::Question;

pub(crate) static ROOM: Room = Room {
    title: "Attention",
    short: "Attn",
    open: bind(&[Key::ch('2')], |_| Offer::act(|app| app.show(view(&ROOM))), "", "attention of a head"),
    keys: KEYS,
    has_key: true,
    has_target: false,
    toggle: |_| Offer::act(App::toggle_head),
    asks,
    prepare: |_| {},
    tables: |app| tables(app, App::attention_tables),
    of: Of::Sequence,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| key(-1), "key", "the previous key"),
    bind(RIGHT, |_| key(1), JOIN, "the next key"),
    bind(UP, |_| position(-1), "query", "the previous query (position)"),
    bind(DOWN, |_| position(1), JOIN, "the next query (position)"),
    bind(PAGE_UP, |_| position(-PAGE), "", "ten queries up"),
    bind(PAGE_DOWN, |_| position(PAGE), "", "ten queries down"),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.settings.attention = app.settings.attention.next()),
        "scale",
        "scale: attention, relative to uniform, times |v W_O|",
    ),
    bind(&[Key::ch('z'), Key::ch('+')], |_| zoom(1), "zoom", "zoom in"),
    bind(&[Key::ch('Z'), Key::ch('-')], |_| zoom(-1), JOIN, "zoom out"),
    bind(
        &[Key::ch('a')],
        |_| Offer::act(|app| app.replace_patterns(false)),
        "attend",
        "the head attends by itself, uniformly, to itself, to before",
    ),
    bind(&[Key::ch('A')], |_| Offer::act(|app| app.replace_patterns(true)), JOIN, "the same for every head"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.patterns = app.settings.patterns.next()),
        "mean",
        "this sequence's pattern, or the validation set's mean",
    ),
];

fn asks(app: &App) -> Vec<Asked> {
    let off = &app.ablation.off;
    let heads = app.of_validation().map(|subject| (subject.edited(off), Question::Heads));
    // What replacing patterns does stands where it is done.
    let edits = app.of_edits().filter(|_| !off.patterns.is_empty());
    heads.into_iter().chain(edits).collect()
}

fn key(by: isize) -> Offer {
    Offer::set(move |app| app.cursor.move_key(by))
}

fn zoom(by: isize) -> Offer {
    Offer::set(move |app| app.settings.zoom = app.settings.zoom.by(by))
}
