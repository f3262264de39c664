//! The keys while tokens are typed.

use crossterm::event::KeyCode;

use super::{Binding, JOIN, Key, Offer, bind};
use crate::app::App;
use crate::app::sequence::Edit;

/// A change of the typed tokens.
fn edit(change: fn(&mut Edit) -> Result<(), String>) -> Offer {
    Offer::act(move |app| app.edit(change))
}

/// A change of the typed tokens that cannot fail.
fn change(change: fn(&mut Edit)) -> Offer {
    Offer::act(move |app| {
        app.edit(|edit| {
            change(edit);
            Ok(())
        })
    })
}

/// The key table.
pub(super) const KEYS: &[Binding] = &[
    bind(
        &[Key::code(KeyCode::Left)],
        |_| edit(|edit| edit.go(edit.at.saturating_sub(1))),
        "move",
        "a token to the left",
    ),
    bind(&[Key::code(KeyCode::Right)], |_| edit(|edit| edit.go(edit.at + 1)), JOIN, "a token to the right"),
    bind(&[Key::code(KeyCode::Home)], |_| edit(|edit| edit.go(0)), "", "the first token"),
    bind(&[Key::code(KeyCode::End)], |_| edit(|edit| edit.go(usize::MAX)), "", "after the last token"),
    bind(&[Key::code(KeyCode::Enter)], |_| Offer::act(App::keep_typed), "keep", "keep the sequence"),
    bind(
        &[Key::code(KeyCode::Esc), Key::ctrl('c')],
        |_| Offer::act(App::cancel_typing),
        "cancel",
        "return to the sequence as it was",
    ),
    bind(
        &[Key::ch(' '), Key::ch(',')],
        |_| edit(Edit::end),
        "",
        "end of a token that could have more digits",
    ),
    bind(
        &[Key::code(KeyCode::Tab)],
        |app| match app.edit_state() {
            Some(typed) if !typed.entry.is_empty() => edit(Edit::complete),
            _ => Offer::nothing("type the beginning of a token first"),
        },
        "",
        "complete the token to the first one that begins like this",
    ),
    bind(
        &[Key::ch('i'), Key::code(KeyCode::Insert)],
        |_| change(|edit| edit.insert = !edit.insert),
        "insert",
        "type between tokens, or over them",
    ),
    bind(
        &[Key::code(KeyCode::Backspace)],
        |_| {
            edit(|edit| {
                edit.backspace();
                edit.check()
            })
        },
        "delete",
        "remove the token to the left",
    ),
    bind(
        &[Key::code(KeyCode::Delete), Key::ch('x')],
        |_| change(Edit::delete),
        "",
        "remove the token under the cursor",
    ),
    bind(&[Key::ctrl('k')], |_| change(Edit::cut), "cut", "remove everything from the cursor on"),
];
