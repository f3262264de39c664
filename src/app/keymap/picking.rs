//! The keys while a choice is typed.

use crossterm::event::KeyCode;

use super::{Binding, JOIN, Key, Offer, bind};
use crate::app::{App, Focus};

fn mark(app: &App, by: isize) -> Offer {
    match &app.focus {
        Focus::Pick(picker) if !picker.kind.is_of_list() => Offer::nothing("type it: there is no list"),
        _ => Offer::set(move |app| app.mark_choice(by)),
    }
}

/// The key table. Characters are typed.
pub(super) const KEYS: &[Binding] = &[
    bind(
        &[Key::code(KeyCode::Left), Key::code(KeyCode::Up), Key::code(KeyCode::BackTab)],
        |app| mark(app, -1),
        "choose",
        "the choice before",
    ),
    bind(
        &[Key::code(KeyCode::Right), Key::code(KeyCode::Down), Key::code(KeyCode::Tab)],
        |app| mark(app, 1),
        JOIN,
        "the next choice",
    ),
    bind(&[Key::code(KeyCode::Enter)], |_| Offer::act(App::take_choice), "take", "take the marked choice"),
    bind(
        &[Key::code(KeyCode::Esc), Key::ctrl('c')],
        |_| Offer::set(|app: &mut App| app.focus = Focus::View),
        "cancel",
        "leave everything as it was",
    ),
    bind(
        &[Key::code(KeyCode::Backspace)],
        |_| {
            Offer::set(|app: &mut App| {
                app.retype(|entry| {
                    entry.pop();
                });
            })
        },
        "",
        "remove a character",
    ),
];
