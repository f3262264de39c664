//! Maps of signed numbers: each cell says its sign, and its number where there is room.

use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::ink::{Ink, width};
use super::number::signed;
use super::theme::{Role, Scale, Theme};

/// Columns from which on a cell holds its number.
pub(super) const NUMBER: u16 = 6;

/// What to draw of a map, and where the cursor is.
pub(super) struct SignedMap<F> {
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    /// Columns of the screen that a cell takes: 2 or more.
    pub(super) cell: u16,
    /// Row and column.
    pub(super) cursor: (usize, usize),
    /// What the ends of the scale stand for.
    pub(super) largest: f32,
    pub(super) value: F,
}

impl Ink<'_> {
    /// Draws a map, a line a row, from the area's corner on.
    pub(super) fn signed_map<F>(&mut self, area: Rect, map: &SignedMap<F>)
    where
        F: Fn(usize, usize) -> f32,
    {
        for (y, row) in (0..).zip(map.rows.clone()) {
            for (at, col) in (0..).zip(map.cols.clone()) {
                let value = (map.value)(row, col);
                let here = map.cursor == (row, col);
                let (text, style) = self.signed_cell(value, map.largest, map.cell, here);
                let start = map.cell.saturating_mul(at);
                for part in 0..map.cell {
                    self.put(area, start.saturating_add(part), y, ' ', style);
                }
                let start = start + map.cell.saturating_sub(width(&text));
                for (part, glyph) in (0..).zip(text.chars()) {
                    self.put(area, start.saturating_add(part), y, glyph, style);
                }
            }
        }
    }

    fn signed_cell(&self, value: f32, largest: f32, cell: u16, here: bool) -> (String, Style) {
        let style = |style: Style| if here { self.theme.style(Role::Cursor) } else { style };
        if !value.is_finite() {
            return ("?".into(), style(self.theme.style(Role::Wrong)));
        }
        let share = (value / largest).clamp(-1.0, 1.0);
        let text = match self.has_colours() {
            _ if cell >= NUMBER && largest < 0.1 => format!("{value:+.3}").replacen("0.", ".", 1),
            _ if cell >= NUMBER => signed(value),
            true => sign(share).to_string(),
            // Without colours ink says how large it is, beside the sign.
            false => format!("{}{}", sign(share), Theme::shade(share.abs())),
        };
        (text, style(self.theme.heat_text(Scale::Diverging, share / 2.0 + 0.5)))
    }

    /// The numbers at the ends of the scale, and its colours between them. Returns the column after it.
    pub(super) fn signed_legend(&mut self, area: Rect, x: u16, y: u16, largest: f32) -> u16 {
        if largest <= f32::MIN_POSITIVE {
            return self.text(area, x, y, "nothing but zero or NaN", Role::Faint);
        }
        let end = super::number::figure(f64::from(largest));
        let x = self.text(area, x, y, &format!("-{end} "), Role::Faint);
        let x = if self.has_colours() {
            self.legend(area, x, y, Scale::Diverging)
        } else {
            self.text(area, x, y, "-@ to +@", Role::Faint)
        };
        self.text(area, x, y, &format!(" +{end}"), Role::Faint)
    }

    fn has_colours(&self) -> bool {
        self.theme.depth != crate::term::ColorDepth::None
    }
}

/// The sign of a share of the scale; what is nearly nothing has none.
fn sign(share: f32) -> char {
    match share {
        share if share > 0.02 => '+',
        share if share < -0.02 => '-',
        _ => '·',
    }
}
