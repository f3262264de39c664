//! The keys while the list of keys is shown.

use crossterm::event::KeyCode;

use super::{Binding, DOWN, JOIN, Key, Offer, PAGE_UP, UP, bind};
use crate::app::{App, Focus};

fn scroll(by: isize) -> Offer {
    Offer::set(move |app| app.scroll_help(by))
}

/// The key table.
pub(super) const KEYS: &[Binding] = &[
    bind(UP, |_| scroll(-1), "scroll", "a line up"),
    bind(DOWN, |_| scroll(1), JOIN, "a line down"),
    bind(PAGE_UP, |_| scroll(-10), "", "ten lines up"),
    bind(&[Key::code(KeyCode::PageDown), Key::ch(' ')], |_| scroll(10), "", "ten lines down"),
    bind(
        &[Key::code(KeyCode::Esc), Key::ch('?'), Key::ch('q'), Key::ctrl('c')],
        |_| Offer::set(|app: &mut App| app.focus = Focus::View),
        "close",
        "back to the view",
    ),
];
