//! Row labels and legends of maps.

use std::ops::Range;

use ratatui::layout::Rect;

use super::ink::{Ink, digits, width};
use super::number::figure;
use super::theme::Role;
use super::widgets::{Heat, HeatMap, Ramp, Scale};

/// The visible part of a map: rows and columns, cell width in screen columns, and cursor.
pub(super) struct Frame {
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    pub(super) cell: u16,
    pub(super) cursor: Option<(usize, usize)>,
}

impl Ink<'_> {
    pub(super) fn heat_map(
        &mut self,
        area: Rect,
        Frame { rows, cols, cell, cursor }: Frame,
        scale: Scale,
        value: impl Fn(usize, usize) -> Heat,
    ) {
        let theme = self.theme;
        let (cursor_style, bad_style) = (theme.style(Role::Cursor), theme.style(Role::Wrong));
        let ramp = theme.ramp(scale);
        self.draw(&HeatMap { rows, cols, cell, ramp, cursor, cursor_style, bad_style, value }, area);
    }

    /// Labels of every tenth row and the cursor's row, at the area's right edge. A row averages `factor` positions. With
    /// half blocks, the mark after a label is in the half of the line that its row occupies.
    pub(super) fn row_ticks(&mut self, area: Rect, rows: Range<usize>, (factor, cursor): (usize, usize)) {
        let per_line = self.theme.map_rows(1);
        for (y, first) in (0..).zip(rows.step_by(per_line)) {
            let mut line = first..first + per_line;
            let here = line.contains(&(cursor / factor));
            let row = if here { Some(cursor / factor) } else { line.find(|row| row * factor % 10 < factor) };
            let Some(row) = row else { continue };
            let (number, edge) =
                (if here { cursor } else { row * factor }, if row > first { '▁' } else { '▔' });
            let text = match (self.theme.has_halves(), here) {
                (true, true) => format!("▸{number}{edge}"),
                (true, false) => format!("{number}{edge}"),
                (false, true) => format!("{number}▸"),
                (false, false) => format!("{number} "),
            };
            let role = if here { Role::Strong } else { Role::Faint };
            self.text_right(area, area.width, y, &text, role);
        }
    }

    /// Labels of some columns on the area's second line, from column `left` on, and of the cursor's column; `corner` names
    /// rows and columns. A column averages `factor` entries.
    pub(super) fn col_ticks(
        &mut self,
        (area, left): (Rect, u16),
        corner: &str,
        cols: &Range<usize>,
        (factor, cell): (usize, u16),
        cursor: usize,
    ) {
        self.text(area, 0, 1, corner, Role::Faint);
        let x = |col: usize| left + (col - cols.start + 1) as u16 * cell - 1;
        // Spacing that keeps labels from touching each other or the cursor's label.
        let far = |step: &usize| step / factor * usize::from(cell) >= 5;
        let step = [10, 20, 50, 100, 200, 500, 1000].into_iter().find(far).unwrap_or(1000);
        let is_clear = |col: usize| {
            let digits = digits(cursor.max(col * factor));
            col.abs_diff(cursor / factor) * usize::from(cell) > 3 + usize::from(digits)
        };
        for col in cols.clone().filter(|col| (col * factor) % step < factor && is_clear(*col)) {
            let number = (col * factor).to_string();
            if x(col) + width(&number) <= area.width {
                self.text(area, x(col), 1, &number, Role::Faint);
            }
        }
        if cols.contains(&(cursor / factor)) {
            let text = format!("▾{cursor}");
            // A label that would be cut off goes to the left of its column.
            let at = x(cursor / factor);
            if at + width(&text) > area.width {
                self.text_right(area, at + 1, 1, &format!("{cursor}▾"), Role::Strong);
            } else {
                self.text(area, at, 1, &text, Role::Strong);
            }
        }
    }

    /// The steps of a scale, from 0 to 1. Returns the column after the steps.
    pub(super) fn legend(&mut self, area: Rect, x: u16, y: u16, ramp: Ramp) -> u16 {
        self.draw(ramp, super::ink::part(area, x, y, area.width, 1));
        x + ramp.steps() as u16
    }

    pub(super) fn heat_legend(&mut self, area: Rect, x: u16, y: u16, largest: f32) -> u16 {
        let ramp = self.theme.ramp(Scale::Diverging);
        self.ends(area, x, y, largest, |ink, x| ink.legend(area, x, y, ramp))
    }

    /// The legend of a map with signs in its cells. Returns the column after the legend.
    pub(super) fn signed_legend(&mut self, area: Rect, x: u16, y: u16, largest: f32) -> u16 {
        let ramp = self.theme.ramp(Scale::Diverging);
        self.ends(area, x, y, largest, |ink, x| {
            if ramp.has_text() {
                ink.legend(area, x, y, ramp)
            } else {
                ink.text(area, x, y, "-@ to +@", Role::Faint)
            }
        })
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
        let end = figure(f64::from(largest));
        let x = self.text(area, x, y, &format!("-{end} "), Role::Faint);
        let x = scale(self, x);
        self.text(area, x, y, &format!(" +{end}"), Role::Faint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{ColorDepth, Glyphs};
    use crate::view::ink::drawn;

    #[test]
    fn a_row_number_says_which_half_of_the_line_is_meant() {
        let area = Rect::new(0, 0, 4, 3);
        let ticks = |glyphs, cursor| {
            let draw = |ink: &mut Ink<'_>| ink.row_ticks(area, 35..41, (1, cursor));
            let buffer = drawn(area, (ColorDepth::TrueColor, glyphs), draw);
            let line = |y| (0..4).map(|x| buffer[(x, y)].symbol()).collect::<String>();
            [0, 1, 2].map(line)
        };
        assert_eq!(ticks(Glyphs::Utf8, 36), ["▸36▁", "    ", " 40▁"]);
        assert_eq!(ticks(Glyphs::Utf8, 37), ["    ", "▸37▔", " 40▁"]);
        assert_eq!(ticks(Glyphs::Ascii, 35), [" 35▸", "    ", "    "]);
    }
}
