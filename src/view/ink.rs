//! Writing into a rectangle of the screen: clipped, in roles, and in characters that the terminal has.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::theme::{Role, Theme};
use crate::term::Glyphs;

/// A piece of a line.
pub(super) type Span<'a> = (Cow<'a, str>, Role);

/// A piece of a line.
pub(super) fn span<'a>(text: impl Into<Cow<'a, str>>, role: Role) -> Span<'a> {
    (text.into(), role)
}

/// The screen being drawn. Coordinates are relative to the area that is given with them; what lies outside is dropped.
pub(super) struct Ink<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Ink<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// One character.
    pub(super) fn put(&mut self, area: Rect, x: u16, y: u16, glyph: char, style: Style) {
        if x >= area.width || y >= area.height {
            return;
        }
        let glyph = if self.theme.glyphs == Glyphs::Ascii { ascii(glyph) } else { glyph };
        if let Some(cell) = self.buffer.cell_mut((area.x + x, area.y + y)) {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Text from a place on, cut at the right edge. Returns the column after it.
    pub(super) fn text(&mut self, area: Rect, x: u16, y: u16, text: &str, role: Role) -> u16 {
        let style = self.theme.style(role);
        text.chars().fold(x, |x, glyph| {
            // Control characters from an error or a file name must not move anything.
            self.put(area, x, y, if glyph.is_control() { ' ' } else { glyph }, style);
            x.saturating_add(1)
        })
    }

    /// Text that ends before column `end`.
    pub(super) fn text_right(&mut self, area: Rect, end: u16, y: u16, text: &str, role: Role) {
        let len = width(text);
        self.text(area, end.saturating_sub(len), y, text, role);
    }

    /// From before to after: a `>` alone would compare them.
    pub(super) fn arrow(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { " -> " } else { " → " }
    }

    /// The sides of what the cursor is on.
    pub(super) fn brackets(&self) -> (char, char) {
        if self.theme.glyphs == Glyphs::Ascii { ('(', ')') } else { ('▐', '▌') }
    }

    /// Spans from a place on. Returns the column after them.
    pub(super) fn spans(&mut self, area: Rect, x: u16, y: u16, spans: &[Span<'_>]) -> u16 {
        spans.iter().fold(x, |x, (text, role)| self.text(area, x, y, text, *role))
    }

    /// A heading across the area: `── left ─────── right ──`. What is right gives way to what is left.
    pub(super) fn rule(&mut self, area: Rect, y: u16, left: &str, right: &str) {
        let line = "─".repeat(usize::from(area.width));
        self.text(area, 0, y, &line, Role::Faint);
        let end = self.text(area, 2, y, &format!(" {left} "), Role::Title);
        // Where room is short, what comes last says most: `trained weights, step 287`.
        let short = right.rsplit(", ").next().unwrap_or_default();
        for right in [right, short].into_iter().filter(|right| !right.is_empty()) {
            let start = area.width.saturating_sub(width(right) + 4);
            if start > end {
                self.text(area, start, y, &format!(" {right} "), Role::Faint);
                return;
            }
        }
    }
}

/// Columns that text takes: every glyph of ours takes one.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

/// The nearest character below 0x80, one for one so that nothing moves.
fn ascii(glyph: char) -> char {
    match glyph {
        c if c.is_ascii() => c,
        '─' | '━' | '╸' | '▔' | '–' | '▌' | '▐' | '▃' => '-',
        '▏' | '▎' | '▁' | '·' | '…' => '.',
        '▍' | '▂' => ':',
        '▋' | '▄' | '▀' => '=',
        '▊' | '▅' => '+',
        '▉' | '▆' | '●' | '◆' => '*',
        '▇' => '%',
        '█' | '■' => '#',
        '│' | '┤' | '┼' => '|',
        '✕' | '×' => 'x',
        '▸' | '→' | '▶' | '≥' => '>',
        '◂' | '←' | '◀' | '≤' => '<',
        '▾' | '↓' => 'v',
        '²' => '2',
        '↑' => '^',
        _ => '?',
    }
}

/// The part of an area from column `x` and line `y` on, at most so large.
pub(super) fn part(area: Rect, x: u16, y: u16, width: u16, height: u16) -> Rect {
    let (x, y) = (x.min(area.width), y.min(area.height));
    Rect {
        x: area.x + x,
        y: area.y + y,
        width: width.min(area.width - x),
        height: height.min(area.height - y),
    }
}

/// The lines of an area from `y` on, at most so many.
pub(super) fn lines(area: Rect, y: u16, height: u16) -> Rect {
    part(area, 0, y, area.width, height)
}

/// Two areas beside each other, a column apart.
pub(super) fn beside(area: Rect, left: u16) -> (Rect, Rect) {
    let left = left.min(area.width);
    (part(area, 0, 0, left, area.height), part(area, left.saturating_add(1), 0, area.width, area.height))
}
