//! The list of keys and of what the numbers mean, over the whole view.

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width};
use super::theme::Role;
use crate::app::App;
use crate::app::keymap::{self, Kind, NAMES};
use crate::term::Glyphs;

/// Draws the list, from line `first` on: the keys of the view in front come first.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect, first: usize) {
    let all = keymap::help(app, ink.theme.glyphs != Glyphs::Ascii);
    let shown = usize::from(area.height.saturating_sub(1));
    let last = (first + shown).min(all.len());
    ink.rule(
        area,
        0,
        "every key, and what the numbers are",
        &format!("{} to {last} of {}", (first + 1).min(last), all.len()),
    );
    let body = lines(area, 1, area.height);
    for (y, line) in (0..).zip(all.iter().skip(first).take(shown)) {
        let (name, text) = match line.kind {
            Kind::Title => (Role::Title, Role::Plain),
            Kind::Key => (Role::Key, Role::Plain),
            Kind::Moot => (Role::Faint, Role::Faint),
            Kind::Question => (Role::Strong, Role::Plain),
        };
        let x = ink.text(body, 1, y, &line.name, name);
        ink.text(body, x.max(NAMES.max(width(&line.name) + 2)), y, &line.text, text);
    }
}
