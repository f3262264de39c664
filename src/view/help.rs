//! The list of keys, over the whole view.

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width};
use super::theme::Role;
use crate::app::App;
use crate::app::keymap::Context;
use crate::term::Glyphs;

/// Columns for the keys.
const KEYS: u16 = 18;

/// Draws the list, from line `first` on: the keys of the view in front come first.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect, first: usize) {
    let unicode = ink.theme.glyphs != Glyphs::Ascii;
    let mut all: Vec<(String, &str, Role)> = Vec::new();
    let here = Context::View(app.view);
    for context in [here].into_iter().chain(Context::all().filter(|context| *context != here)) {
        if !all.is_empty() {
            all.push((String::new(), "", Role::Plain));
        }
        all.push((context.title().into(), "", Role::Title));
        all.extend(context.bindings().map(|binding| (binding.key_names(unicode), binding.help, Role::Key)));
    }
    let shown = usize::from(area.height.saturating_sub(1));
    let last = (first + shown).min(all.len());
    ink.rule(area, 0, "every key", &format!("{} to {last} of {}", (first + 1).min(last), all.len()));
    let body = lines(area, 1, area.height);
    for (y, (keys, help, role)) in all.iter().skip(first).take(shown).enumerate() {
        let x = ink.text(body, 1, y as u16, keys, *role);
        ink.text(body, x.max(KEYS.max(width(keys) + 2)), y as u16, help, Role::Plain);
    }
}
