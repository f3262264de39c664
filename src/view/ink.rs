//! Writing into a rectangle of the screen: clipped, and in roles.

use std::borrow::Cow;

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, StatefulWidget, Widget};

use super::theme::{Role, Theme};
use crate::term::Glyphs;

/// The screen being drawn. Coordinates are relative to the area that is given with them; what lies outside is dropped.
pub(super) struct Ink<'a> {
    buffer: &'a mut Buffer,
    pub(super) theme: Theme,
}

impl<'a> Ink<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme }
    }

    /// A widget.
    pub(super) fn draw(&mut self, widget: impl Widget, area: Rect) {
        widget.render(area, self.buffer);
    }

    /// The same of a widget with a place in its list.
    pub(super) fn draw_stateful<W: StatefulWidget>(&mut self, widget: W, area: Rect, state: &mut W::State) {
        widget.render(area, self.buffer, state);
    }

    /// One character.
    pub(super) fn put(&mut self, area: Rect, x: u16, y: u16, glyph: char, style: Style) {
        if x >= area.width || y >= area.height {
            return;
        }
        if let Some(cell) = self.buffer.cell_mut((area.x + x, area.y + y)) {
            cell.set_char(glyph).set_style(style);
        }
    }

    /// Text from a place on, cut at the right edge. Returns the column after it.
    pub(super) fn text(&mut self, area: Rect, x: u16, y: u16, text: &str, role: Role) -> u16 {
        self.styled(area, x, y, text, self.theme.style(role))
    }

    /// The same in a style of its own.
    pub(super) fn styled(&mut self, area: Rect, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let text = drawable(text);
        let room = area.intersection(self.buffer.area).width.saturating_sub(x);
        if room > 0 && y < area.height {
            self.buffer.set_stringn(area.x + x, area.y + y, &text, room.into(), style);
        }
        x.saturating_add(width(&text))
    }

    /// Text that ends before column `end`.
    pub(super) fn text_right(&mut self, area: Rect, end: u16, y: u16, text: &str, role: Role) {
        let len = width(text);
        self.text(area, end.saturating_sub(len), y, text, role);
    }

    /// A text in a role.
    pub(super) fn span<'t>(&self, text: impl Into<Cow<'t, str>>, role: Role) -> Span<'t> {
        Span::styled(text, self.theme.style(role))
    }

    /// From before to after: a `>` alone would compare them.
    pub(super) fn arrow(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { " -> " } else { " → " }
    }

    /// Before a bound that values may lie beyond: a `>` alone would leave the bound out.
    pub(super) fn at_least(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { ">=" } else { "≥" }
    }

    /// Before a bound that values may lie below.
    pub(super) fn at_most(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Ascii { "<=" } else { "≤" }
    }

    /// The sides of the cursor's cell.
    pub(super) fn brackets(&self) -> (char, char) {
        if self.theme.glyphs == Glyphs::Ascii { ('(', ')') } else { ('▐', '▌') }
    }

    /// Marks what is drawn in an area as of an earlier question.
    pub(super) fn dim(&mut self, area: Rect) {
        self.buffer.set_style(area, Style::new().add_modifier(Modifier::DIM));
    }

    /// The same, and says so in its heading.
    pub(super) fn computing(&mut self, area: Rect) {
        self.dim(area);
        self.text_right(area, area.width, 0, " computing ", Role::Warning);
    }

    /// A heading across the area: `── left ─────── right ──`. The right part gives way to the left one.
    pub(super) fn rule(&mut self, area: Rect, y: u16, left: &str, right: &str) {
        let faint = self.theme.style(Role::Faint);
        let title = Line::from(vec![Span::styled("──", faint), self.span(format!(" {left} "), Role::Title)]);
        let room = usize::from(area.width).saturating_sub(title.width());
        let mut rule = Block::new().borders(Borders::TOP).border_style(faint).title(title);
        // Where room is short, the last part says most: `trained weights, step 287`.
        let short = right.rsplit(", ").next().unwrap_or_default();
        let fits = |right: &&str| !right.is_empty() && usize::from(width(right)) + 4 < room;
        if let Some(right) = [right, short].into_iter().find(fits) {
            rule = rule.title(Line::styled(format!(" {right} ──"), faint).right_aligned());
        }
        self.draw(rule, lines(area, y, 1));
    }
}

/// Cells that text takes: an ideogram or an emoji two, a combining mark none.
pub(super) fn width(text: &str) -> u16 {
    if text.is_ascii() {
        return u16::try_from(text.len()).unwrap_or(u16::MAX);
    }
    graphemes(&Span::raw(drawable(text))).map(CellWidth::cell_width).fold(0, u16::saturating_add)
}

/// Columns of a number's digits.
pub(super) fn digits(number: usize) -> u16 {
    number.checked_ilog10().map_or(1, |log| log as u16 + 1)
}

/// The end of a text where the whole does not fit into so many cells: of a path the end says most.
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

/// A text in at most so many lines of so many cells, broken between words where it can be. Of one that is longer the
/// middle is left out: what happened stands at the beginning, why at the end, and a path between them.
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

/// Lines of at most so many cells; a word that is longer than a line is broken too.
fn broken(text: &str, room: u16) -> Vec<String> {
    let text = Span::raw(drawable(text));
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for grapheme in graphemes(&text) {
        if used + grapheme.cell_width() > room && !line.is_empty() {
            // From the last blank or slash on, unless there is none.
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

/// What a reader takes for one character.
pub(super) fn graphemes<'a>(text: &'a Span<'_>) -> impl Iterator<Item = &'a str> {
    text.styled_graphemes(Style::new()).map(|grapheme| grapheme.symbol)
}

/// Control characters from an error or a file name must not move anything.
fn drawable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) { text.replace(char::is_control, " ").into() } else { text.into() }
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
