//! Maps of signed numbers: each cell says its sign, and its number where there is room.

use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::ink::{Ink, width};
use super::number::{signed, signed_fraction};
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
                let blanks = " ".repeat(map.cell.saturating_sub(width(&text)).into());
                self.styled(area, start, y, &(blanks + &text), style);
            }
        }
    }

    fn signed_cell(&self, value: f32, largest: f32, cell: u16, here: bool) -> (String, Style) {
        let style = |style: Style| if here { self.theme.style(Role::Cursor) } else { style };
        if !value.is_finite() {
            return ("?".into(), style(self.theme.style(Role::Wrong)));
        }
        let share = (value / largest).clamp(-1.0, 1.0);
        let text = match self.theme.has_heat_text() {
            _ if cell >= NUMBER && (0.01..0.1).contains(&largest) => signed_fraction(value),
            _ if cell >= NUMBER => signed(value * 10.0_f32.powi(-power(largest))),
            true => sign(share).to_string(),
            // Without colours ink says how large it is, beside the sign.
            false => format!("{}{}", sign(share), Theme::shade(Scale::Sequential, share.abs())),
        };
        (text, style(self.theme.heat_text(Scale::Diverging, share / 2.0 + 0.5)))
    }

    /// The numbers at the ends of the scale of a [`signed_map`](Self::signed_map), and its colours between them.
    /// Returns the column after it.
    pub(super) fn signed_legend(&mut self, area: Rect, x: u16, y: u16, largest: f32) -> u16 {
        self.ends(area, x, y, largest, |ink, x| {
            if ink.theme.has_heat_text() {
                ink.legend(area, x, y, Scale::Diverging)
            } else {
                ink.text(area, x, y, "-@ to +@", Role::Faint)
            }
        })
    }

    /// The same of a heat map, whose cells have no room for a sign.
    pub(super) fn heat_legend(&mut self, area: Rect, x: u16, y: u16, largest: f32) -> u16 {
        self.ends(area, x, y, largest, |ink, x| ink.legend(area, x, y, Scale::Diverging))
    }

    fn ends(
        &mut self,
        area: Rect,
        x: u16,
        y: u16,
        largest: f32,
        scale: impl FnOnce(&mut Self, u16) -> u16,
    ) -> u16 {
        if largest <= f32::MIN_POSITIVE {
            return self.text(area, x, y, "nothing but zero or NaN", Role::Faint);
        }
        let end = super::number::figure(f64::from(largest));
        let x = self.text(area, x, y, &format!("-{end} "), Role::Faint);
        let x = scale(self, x);
        self.text(area, x, y, &format!(" +{end}"), Role::Faint)
    }

    /// What the numbers in a map's cells are in, where it is not ones.
    pub(super) fn signed_unit(&mut self, area: Rect, x: u16, y: u16, cell: u16, largest: f32) {
        let power = power(largest);
        if cell >= NUMBER && power != 0 {
            self.text(area, x + 2, y, &format!("cells in 1e{power}"), Role::Faint);
        }
    }
}

/// The power of ten that the numbers in cells are in: of a scale this small two or three decimals leave a digit or none.
fn power(largest: f32) -> i32 {
    if largest > f32::MIN_POSITIVE && largest < 0.01 { largest.log10().floor() as i32 } else { 0 }
}

/// The sign of a share of the scale; what is nearly nothing has none.
fn sign(share: f32) -> char {
    match share {
        share if share > 0.02 => '+',
        share if share < -0.02 => '-',
        _ => '·',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_a_small_scale_are_in_a_power_of_ten() {
        assert_eq!([0.95, 0.01, 0.009_3, 0.000_93, f32::MIN_POSITIVE, 0.0].map(power), [0, 0, -3, -4, 0, 0]);
        let mut buffer = ratatui::buffer::Buffer::empty(Rect::new(0, 0, 1, 1));
        let theme = Theme {
            depth: crate::term::ColorDepth::None,
            glyphs: crate::term::Glyphs::Utf8,
            ground: crate::term::Ground::Dark,
        };
        let ink = Ink::new(&mut buffer, theme);
        let text = |value: f32, largest: f32| ink.signed_cell(value, largest, NUMBER, false).0;
        assert_eq!([text(-0.004_93, 0.009_3), text(-0.000_001, 0.009_3)], ["-4.93", "0.00"]);
        assert_eq!([text(0.042, 0.09), text(-0.000_1, 0.09), text(0.42, 0.9)], ["+.042", ".000", "+0.42"]);
    }
}
