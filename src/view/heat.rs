//! Heat maps: two lines of numbers in one line of text where the terminal has half blocks and colours.

use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::ink::Ink;
use super::theme::{Role, Scale, Theme};

/// A cell of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Heat {
    /// There is nothing.
    Blank,
    /// Not a number.
    Bad,
    /// On the scale, of 0 to 1.
    At(f32),
}

impl Heat {
    /// A value on a scale: `to_scale` maps it to 0 to 1.
    pub(super) fn of(value: f32, to_scale: impl Fn(f32) -> f32) -> Self {
        if value.is_finite() { Self::At(to_scale(value).clamp(0.0, 1.0)) } else { Self::Bad }
    }
}

/// What to draw of a map, and where the cursor is.
pub(super) struct HeatMap<F> {
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    /// Columns of the screen that a cell takes.
    pub(super) cell: u16,
    pub(super) scale: Scale,
    /// Row and column.
    pub(super) cursor: Option<(usize, usize)>,
    pub(super) value: F,
}

impl Ink<'_> {
    /// Rows that fit on so many lines.
    pub(super) fn heat_rows(&self, lines: u16) -> usize {
        usize::from(lines) * if self.theme.has_halves() { 2 } else { 1 }
    }

    /// Numbers beside a map's lines, up to column `end`: every tenth position and the cursor's. A row pools `factor`
    /// positions. In half blocks an edge after the number is at its row's half of the line.
    pub(super) fn row_ticks(
        &mut self,
        area: Rect,
        end: u16,
        rows: Range<usize>,
        (factor, cursor): (usize, usize),
    ) {
        let per_line = self.heat_rows(1);
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
            self.text_right(area, end, y, &text, if here { Role::Strong } else { Role::Faint });
        }
    }

    /// Draws a map from the area's corner on.
    pub(super) fn heat<F: Fn(usize, usize) -> Heat>(&mut self, area: Rect, map: &HeatMap<F>) {
        let per_line = self.heat_rows(1);
        for (line, row) in map.rows.clone().step_by(per_line).enumerate() {
            for (at, col) in map.cols.clone().enumerate() {
                let (glyph, style) = self.heat_cell(map, row, col);
                for part in 0..map.cell {
                    let x = (at as u16).saturating_mul(map.cell).saturating_add(part);
                    self.put(area, x, line as u16, glyph, style);
                }
            }
        }
    }

    fn heat_cell<F: Fn(usize, usize) -> Heat>(
        &self,
        map: &HeatMap<F>,
        row: usize,
        col: usize,
    ) -> (char, Style) {
        let here = |row: usize| map.cursor == Some((row, col));
        let upper = (map.value)(row, col);
        if !self.theme.has_halves() {
            let glyph = match upper {
                Heat::Blank => ' ',
                Heat::Bad => '?',
                Heat::At(x) => Theme::shade(map.scale, x),
            };
            if here(row) {
                return (glyph, self.theme.style(Role::Cursor));
            }
            // Ink says how much; many a colour would hide it.
            return (glyph, Style::new());
        }
        let lower = if row + 1 < map.rows.end { (map.value)(row + 1, col) } else { Heat::Blank };
        let color = |heat: Heat, here: bool| match heat {
            _ if here => Some(self.theme.heat_cursor()),
            Heat::At(x) => Some(self.theme.heat(map.scale, x)),
            Heat::Blank | Heat::Bad => None,
        };
        // The ground is that of the other half, which may be a number.
        let bad = |other: Heat, is_here: bool| match other {
            Heat::At(x) if !is_here && self.theme.has_heat_text() => self.theme.heat_text(map.scale, x),
            _ => color(other, is_here)
                .map_or(self.theme.style(Role::Wrong), |ground| self.theme.style(Role::Wrong).bg(ground)),
        };
        match (upper, lower) {
            (Heat::Bad, _) => return ('?', bad(lower, here(row + 1))),
            (_, Heat::Bad) => return ('?', bad(upper, here(row))),
            _ => {}
        }
        match (color(upper, here(row)), color(lower, here(row + 1))) {
            (None, None) => (' ', Style::new()),
            (Some(upper), None) => ('▀', Style::new().fg(upper)),
            (None, Some(lower)) => ('▄', Style::new().fg(lower)),
            (Some(upper), Some(lower)) => ('▀', Style::new().fg(upper).bg(lower)),
        }
    }

    /// The scale as a strip of its steps, from 0 to 1. Returns the column after it.
    pub(super) fn legend(&mut self, area: Rect, x: u16, y: u16, scale: Scale) -> u16 {
        let steps = self.theme.steps(scale) as u16;
        for at in 0..steps {
            let value = (f32::from(at) + 0.5) / f32::from(steps);
            let (glyph, style) = if self.theme.has_halves() {
                ('█', self.theme.heat_style(scale, value))
            } else {
                (Theme::shade(scale, value), Style::new())
            };
            self.put(area, x + at, y, glyph, style);
        }
        x + steps
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::term::{ColorDepth, Glyphs, Ground};

    #[test]
    fn a_row_number_says_which_half_of_the_line_is_meant() {
        let area = Rect::new(0, 0, 4, 3);
        let ticks = |glyphs, cursor| {
            let theme = Theme { depth: ColorDepth::TrueColor, glyphs, ground: Ground::Dark };
            let mut buffer = Buffer::empty(area);
            Ink::new(&mut buffer, theme).row_ticks(area, 4, 35..41, (1, cursor));
            let line = |y| (0..4).map(|x| buffer[(x, y)].symbol()).collect::<String>();
            [0, 1, 2].map(line)
        };
        assert_eq!(ticks(Glyphs::Utf8, 36), ["▸36▁", "    ", " 40▁"]);
        assert_eq!(ticks(Glyphs::Utf8, 37), ["    ", "▸37▔", " 40▁"]);
        assert_eq!(ticks(Glyphs::Ascii, 35), [" 35>", "    ", "    "]);
    }

    #[test]
    fn what_is_no_number_leaves_the_other_half_its_colour() {
        let theme = Theme { depth: ColorDepth::TrueColor, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        let area = Rect::new(0, 0, 1, 1);
        for bad in [0, 1] {
            let mut buffer = Buffer::empty(area);
            let value = |row: usize, _: usize| if row == bad { Heat::Bad } else { Heat::At(0.9) };
            let (scale, cursor) = (Scale::Sequential, None);
            Ink::new(&mut buffer, theme)
                .heat(area, &HeatMap { rows: 0..2, cols: 0..1, cell: 1, scale, cursor, value });
            let cell = &buffer[(0, 0)];
            assert_eq!((cell.symbol(), cell.bg), ("?", theme.heat(Scale::Sequential, 0.9)));
        }
    }
}
