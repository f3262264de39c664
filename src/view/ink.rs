//! Drawing primitives: clipped to an area, styled by theme roles.

use std::borrow::Cow;

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, StatefulWidget, Widget};

use super::theme::{Role, Theme};
use crate::term::Glyphs;

/// The frame being drawn. Coordinates are relative to the given area; drawing outside the area is clipped.
pub(super) struct Ink<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Ink<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    pub(super) fn draw(&mut self, widget: impl Widget, area: Rect) {
        widget.render(area, self.buffer);
    }

    pub(super) fn draw_stateful<W: StatefulWidget>(&mut self, widget: W, area: Rect, state: &mut W::State) {
        widget.render(area, self.buffer, state);
    }

    pub(super) fn put(&mut self, area: Rect, x: u16, y: u16, glyph: char, style: Style) {
        if x >= area.width || y >= area.height {
            return;
        }
        if let Some(cell) = self.buffer.cell_mut((area.x + x, area.y + y)) {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Text cut at the right edge. Returns the column after the text.
    pub(super) fn text(&mut self, area: Rect, x: u16, y: u16, text: &str, role: Role) -> u16 {
        self.styled(area, x, y, text, self.theme.style(role))
    }

    /// [`text`](Self::text) in any style.
    pub(super) fn styled(&mut self, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let text = drawable(text);
        let room = area.intersection(self.buffer.area).width.saturating_sub(x);
        let end = x.saturating_add(width(&text));
        if room > 0 && y < area.height {
            let cut = (end > x.saturating_add(room)).then(|| beginning(&text, usize::from(room) - 1) + "…");
            self.buffer.set_string(area.x + x, area.y + y, cut.as_deref().unwrap_or(&text), style);
        }
        end
    }

    /// Right-aligned text that ends before column `end`.
    pub(super) fn text_right(&mut self, area: Rect, end: u16, y: u16, text: &str, role: Role) {
        let len = width(text);
        self.text(area, end.saturating_sub(len), y, text, role);
    }

    pub(super) fn span<'t>(&self, text: impl Into<Cow<'t, str>>, role: Role) -> Span<'t> {
        Span::styled(text, self.theme.style(role))
    }

    /// Separates before and after; in ASCII `->`, because `>` alone reads as a comparison.
    pub(super) fn arrow(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { " -> " } else { " → " }
    }

    /// Lower bound; `>=` in ASCII, because the bound is included.
    pub(super) fn at_least(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { ">=" } else { "≥" }
    }

    /// Upper bound.
    pub(super) fn at_most(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { "<=" } else { "≤" }
    }

    /// Marks to the left and right of the cursor's cell.
    pub(super) fn brackets(&self) -> (char, char) {
        if self.theme.glyphs == Glyphs::Ascii { ('(', ')') } else { ('▐', '▌') }
    }

    /// Dims an area whose numbers belong to an earlier question.
    pub(super) fn dim(&mut self, area: Rect) {
        self.buffer.set_style(area, Style::new().add_modifier(Modifier::DIM));
    }

    /// Dims an area and writes `computing` into its heading.
    pub(super) fn computing(&mut self, area: Rect) {
        self.dim(area);
        self.text_right(area, area.width, 0, " computing ", Role::Warning);
    }

    /// A panel without numbers: its heading, and why.
    pub(super) fn without_numbers(&mut self, area: Rect, title: &str, why: &str) {
        self.rule(area, 0, title, "");
        self.text(area, 2, 1, why, Role::Faint);
    }

    /// A heading across the area: `── left ─────── right ──`. If room is short, the right part is shortened first.
    pub(super) fn rule(&mut self, area: Rect, y: u16, left: &str, right: &str) {
        let faint = self.theme.style(Role::Faint);
        let title = Line::from(vec![Span::styled("──", faint), self.span(format!(" {left} "), Role::Title)]);
        let room = usize::from(area.width).saturating_sub(title.width());
        let mut rule = Block::new().borders(Borders::TOP).border_style(faint).title(title);
        // If room is short, keep the last part: `step 287` of `trained weights, step 287`.
        let short = right.rsplit(", ").next().unwrap_or_default();
        let fits = |right: &&str| !right.is_empty() && usize::from(width(right)) + 4 < room;
        if let Some(right) = [right, short].into_iter().find(fits) {
            rule = rule.title(Line::styled(format!(" {right} ──"), faint).right_aligned());
        }
        self.draw(rule, lines(area, y, 1));
    }
}

/// Width of a text in cells: two for an ideogram or emoji, none for a combining mark.
pub(super) fn width(text: &str) -> u16 {
    if text.is_ascii() {
        return u16::try_from(text.len()).unwrap_or(u16::MAX);
    }
    graphemes(&Span::raw(drawable(text))).map(CellWidth::cell_width).fold(0, u16::saturating_add)
}

/// Number of decimal digits.
pub(super) fn digits(number: usize) -> u16 {
    number.checked_ilog10().map_or(1, |log| log as u16 + 1)
}

/// The beginning of a text in at most so many cells.
pub(super) fn beginning(text: &str, room: usize) -> String {
    let text = Span::raw(drawable(text));
    let mut used = 0;
    let fits = |grapheme: &&str| {
        used += usize::from(grapheme.cell_width());
        used <= room
    };
    graphemes(&text).take_while(fits).collect()
}

/// The text, or its end if the whole does not fit in `room` cells: the end of a path is the most specific part.
pub(super) fn tail(text: &str, room: u16) -> Cow<'_, str> {
    if width(text) <= room {
        return text.into();
    }
    let text = Span::raw(drawable(text));
    let all: Vec<&str> = graphemes(&text).collect();
    // The ellipsis takes the first cell.
    let mut used = 1;
    let fits = |grapheme: &&&str| {
        used += grapheme.cell_width();
        used <= room
    };
    let kept = all.iter().rev().take_while(fits).count();
    format!("…{}", all[all.len() - kept..].concat()).into()
}

/// Wraps a text into at most `most` lines of `room` cells. A longer text loses its middle: messages begin with the
/// event, end with the cause, and have a path in between.
pub(super) fn wrap(text: &str, room: u16, most: usize) -> Vec<String> {
    let mut lines = broken(text, room);
    let mut budget = room.saturating_mul(u16::try_from(most).unwrap_or(u16::MAX));
    while lines.len() > most && budget > 2 {
        budget -= budget / 16 + 1;
        let beginning: String = broken(text, budget / 2).swap_remove(0);
        lines = broken(&format!("{beginning}{}", tail(text, budget.saturating_sub(width(&beginning)))), room);
    }
    lines
}

/// Lines of at most `room` cells; words longer than a line are broken.
fn broken(text: &str, room: u16) -> Vec<String> {
    let text = Span::raw(drawable(text));
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for grapheme in graphemes(&text) {
        if used + grapheme.cell_width() > room && !line.is_empty() {
            // Break after the last blank or slash, if there is one.
            let rest = line.rfind([' ', '/']).map(|blank| line.split_off(blank + 1)).unwrap_or_default();
            lines.push(std::mem::replace(&mut line, rest));
            used = width(&line);
        }
        line.push_str(grapheme);
        used += grapheme.cell_width();
    }
    lines.push(line);
    lines
}

/// User-perceived characters.
pub(super) fn graphemes<'a>(text: &'a Span<'_>) -> impl Iterator<Item = &'a str> {
    text.styled_graphemes(Style::new()).map(|grapheme| grapheme.symbol)
}

/// Blanks control characters: error texts and file names may contain some.
fn drawable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) { text.replace(char::is_control, " ").into() } else { text.into() }
}

/// The part of an area from column `x` and line `y` on, at most `width` by `height`.
pub(super) fn part(area: Rect, x: u16, y: u16, width: u16, height: u16) -> Rect {
    let (x, y) = (x.min(area.width), y.min(area.height));
    Rect {
        x: area.x + x,
        y: area.y + y,
        width: width.min(area.width - x),
        height: height.min(area.height - y),
    }
}

/// At most `height` lines of an area, from line `y` on.
pub(super) fn lines(area: Rect, y: u16, height: u16) -> Rect {
    part(area, 0, y, area.width, height)
}

/// Splits an area at column `left` into two, one column apart.
pub(super) fn beside(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    (part(area, 0, 0, left, area.height), part(area, left.saturating_add(1), 0, area.width, area.height))
}

/// What is drawn on an empty area, on a dark ground.
#[cfg(test)]
pub(super) fn drawn(
    area: Rect,
    (depth, glyphs): (crate::term::ColorDepth, Glyphs),
    draw: impl FnOnce(&mut Ink<'_>),
) -> Buffer {
    let mut buffer = Buffer::empty(area);
    let theme = Theme { depth, glyphs, ground: crate::term::Ground::Dark };
    draw(&mut Ink::new(&mut buffer, theme));
    buffer
}
