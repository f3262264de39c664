//! The list of keys and of what the numbers mean, over the whole view.

use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Padding, Paragraph, Scrollbar, ScrollbarOrientation, ScrollbarState};

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
    let text = all.iter().skip(first).take(shown).map(|line| {
        let (name, text) = match line.kind {
            Kind::Title => (Role::Title, Role::Plain),
            Kind::Key => (Role::Key, Role::Plain),
            Kind::Moot => (Role::Faint, Role::Faint),
            Kind::Question => (Role::Strong, Role::Plain),
        };
        let gap = usize::from(NAMES.saturating_sub(1 + width(&line.name)).max(1));
        Line::from(vec![ink.span(&line.name, name), " ".repeat(gap).into(), ink.span(&line.text, text)])
    });
    let help = Paragraph::new(text.collect::<Text>()).block(Block::new().padding(Padding::horizontal(1)));
    ink.draw(help, body);
    let mut place = ScrollbarState::new(all.len().saturating_sub(shown)).position(first);
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some("│"))
        .thumb_symbol("█")
        .style(ink.theme.style(Role::Faint));
    ink.draw_stateful(bar, body, &mut place);
}
