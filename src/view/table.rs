//! Tables in theme roles.

use std::borrow::Cow;

use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{self, Table};

use super::ink::{Ink, beginning, width};
use super::theme::Role;

/// Column of the values of [`facts`](Ink::facts).
pub(super) const VALUE: u16 = 11;

/// Columns that a table of these widths takes.
pub(super) fn table_width(widths: &[u16]) -> u16 {
    widths.iter().map(|width| width + 1).sum::<u16>().saturating_sub(1)
}

/// A row of a table.
pub(super) struct Row<'t>(Vec<Line<'t>>);

impl<'t> Row<'t> {
    pub(super) fn new(cells: impl IntoIterator<Item = Line<'t>>) -> Self {
        Self(cells.into_iter().collect())
    }
}

/// A line in at most so many columns: of a longer one the beginning and an ellipsis, for a part of a number is another
/// number.
fn cut(line: Line<'_>, room: u16) -> Line<'_> {
    if line.width() <= room.into() {
        return line;
    }
    let mut left = usize::from(room.saturating_sub(1));
    let mut spans = Vec::new();
    for span in line.spans {
        let kept = beginning(&span.content, left);
        let is_whole = width(&kept) == width(&span.content);
        left -= usize::from(width(&kept));
        spans.push(Span::styled(if is_whole { kept } else { kept + "…" }, span.style));
        if !is_whole {
            break;
        }
    }
    Line { spans, ..Line::default().style(line.style) }.alignment(line.alignment.unwrap_or_default())
}

impl Ink<'_> {
    /// A table with one blank column between cells. Columns that do not fit are left out, from the right; a cell that is too
    /// long is cut with an ellipsis.
    pub(super) fn table<'t>(&mut self, area: Rect, widths: &[u16], rows: impl IntoIterator<Item = Row<'t>>) {
        let mut end = 0;
        let fits = |width: &&u16| {
            end += **width + 1;
            end <= area.width + 1
        };
        let widths: Vec<u16> = widths.iter().take_while(fits).copied().collect();
        let row = |Row(cells): Row<'t>| {
            widgets::Row::new(cells.into_iter().zip(&widths).map(|(cell, width)| cut(cell, *width)))
        };
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        self.draw(Table::new(rows, widths.iter().copied().map(Constraint::Length)), area);
    }

    /// One line per fact: a name, and its value from column [`VALUE`] on.
    pub(super) fn facts<'t>(&mut self, area: Rect, facts: impl IntoIterator<Item = (&'t str, String)>) {
        let rows = facts.into_iter().map(|(name, value)| {
            Row::new([self.left(format!(" {name}"), Role::Faint), self.left(value, Role::Plain)])
        });
        let rows: Vec<Row<'_>> = rows.collect();
        self.table(area, &[VALUE - 1, area.width.saturating_sub(VALUE)], rows);
    }

    /// A left-aligned cell.
    pub(super) fn left<'t>(&self, text: impl Into<Cow<'t, str>>, role: Role) -> Line<'t> {
        self.span(text, role).into()
    }

    /// A right-aligned cell.
    pub(super) fn right<'t>(&self, text: impl Into<Cow<'t, str>>, role: Role) -> Line<'t> {
        Line::from(self.span(text, role)).right_aligned()
    }

    /// The marks before a row: cursor and edit.
    pub(super) fn marks(&self, is_selected: bool, is_edited: bool) -> [Span<'static>; 2] {
        let mark = |is, mark: &'static str, role| self.span(if is { mark } else { " " }, role);
        [mark(is_selected, "▸", Role::Strong), mark(is_edited, "✕", Role::Off)]
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::term::{ColorDepth, Glyphs};
    use crate::view::ink::drawn;

    #[test]
    fn text_that_is_cut_says_so() {
        let area = Rect::new(0, 0, 5, 1);
        let line = |text: &str| {
            let buffer = drawn(area, (ColorDepth::None, Glyphs::Utf8), |ink| {
                ink.text(area, 2, 0, text, Role::Plain);
            });
            buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect::<String>()
        };
        assert_eq!(
            [line("410"), line("4100"), line("漢字")],
            ["  410", "  41…", "  漢 …"].map(str::to_owned)
        );
    }

    #[test]
    fn a_cell_that_is_too_long_ends_in_an_ellipsis() {
        let text = |line: Line<'_>| line.to_string();
        assert_eq!(text(cut("@186".into(), 4)), "@186");
        assert_eq!(text(cut("@186".into(), 2)), "@…");
        assert_eq!(text(cut("é漢字".into(), 4)), "é漢…");
        let spans = Line::from(vec!["ab".into(), "cd".into(), "ef".into()]).right_aligned();
        let cut = cut(spans, 4);
        assert_eq!((cut.alignment, text(cut)), (Some(ratatui::layout::Alignment::Right), "abc…".into()));
    }

    #[test]
    fn a_column_without_room_is_left_out_whole() {
        for (width, line) in [(9, "ab 12 345"), (8, "ab 12   "), (4, "ab  ")] {
            let area = Rect::new(0, 0, width, 1);
            let buffer = drawn(area, (ColorDepth::None, Glyphs::Utf8), |ink| {
                let cells = [
                    ink.left("ab", Role::Plain),
                    ink.right("12", Role::Plain),
                    ink.right("345", Role::Plain),
                ];
                ink.table(area, &[2, 2, 3], [Row::new(cells)]);
            });
            assert_eq!(buffer, Buffer::with_lines([line]));
        }
    }
}
