//! Heat maps: two lines of numbers in one line of text where the terminal has half blocks and colours.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::Ramp;

/// A cell of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::view) enum Heat {
    /// There is nothing.
    Blank,
    /// Not a number.
    Bad,
    /// On the scale, of 0 to 1.
    At(f32),
}

impl Heat {
    /// A value on a scale: `to_scale` maps it to 0 to 1.
    pub(in crate::view) fn of(value: f32, to_scale: impl Fn(f32) -> f32) -> Self {
        if value.is_finite() { Self::At(to_scale(value).clamp(0.0, 1.0)) } else { Self::Bad }
    }

    /// A value on a diverging scale from `-largest` to `largest`.
    pub(in crate::view) fn signed(value: f32, largest: f32) -> Self {
        Self::of(value, |x| x / largest / 2.0 + 0.5)
    }
}

/// A map of `value(row, column)`, from the area's corner on.
pub(in crate::view) struct HeatMap<F> {
    pub(in crate::view) rows: Range<usize>,
    pub(in crate::view) cols: Range<usize>,
    /// Columns of the screen that a cell takes.
    pub(in crate::view) cell: u16,
    pub(in crate::view) ramp: Ramp,
    /// Row and column. The cursor is a mark on the colour of the value under it, and hides the other half of its line.
    pub(in crate::view) cursor: Option<(usize, usize)>,
    /// Of the cursor where there are no halves.
    pub(in crate::view) cursor_style: Style,
    /// Of what is not a number.
    pub(in crate::view) bad_style: Style,
    pub(in crate::view) value: F,
}

/// The mark of the cursor.
const CURSOR: char = '◆';

impl<F: Fn(usize, usize) -> Heat> Widget for &HeatMap<F> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        let per_line = if self.ramp.has_halves { 2 } else { 1 };
        let cell = usize::from(self.cell.max(1));
        for (y, row) in (area.top()..area.bottom()).zip(self.rows.clone().step_by(per_line)) {
            for (left, col) in (area.left()..area.right()).step_by(cell).zip(self.cols.clone()) {
                let (glyph, rest, style) = self.cell(row, col);
                let last = left.saturating_add(self.cell.max(1)) - 1;
                for x in left..(last + 1).min(area.right()) {
                    buffer[(x, y)].set_char(if x == last { glyph } else { rest }).set_style(style);
                }
            }
        }
    }
}

impl<F: Fn(usize, usize) -> Heat> HeatMap<F> {
    /// The characters of a cell's last column, where a position's number ends, and of its others, and their style.
    fn cell(&self, row: usize, col: usize) -> (char, char, Style) {
        let here = |row: usize| self.cursor == Some((row, col));
        let upper = (self.value)(row, col);
        if !self.ramp.has_halves {
            let glyph = match upper {
                Heat::Blank => ' ',
                Heat::Bad => '?',
                Heat::At(x) => self.ramp.shade(x),
            };
            return (glyph, glyph, if here(row) { self.cursor_style } else { Style::new() });
        }
        let has_lower = row + 1 < self.rows.end;
        let lower = if has_lower { (self.value)(row + 1, col) } else { Heat::Blank };
        let under_cursor =
            if here(row) { Some(upper) } else { (has_lower && here(row + 1)).then_some(lower) };
        if let Some(value) = under_cursor {
            let style = match value {
                Heat::At(x) => self.ramp.text(x),
                Heat::Blank | Heat::Bad => self.cursor_style,
            };
            return if value == Heat::Bad { ('?', '?', style) } else { (CURSOR, ' ', style) };
        }
        let color = |heat: Heat| match heat {
            Heat::At(x) => Some(self.ramp.color(x)),
            Heat::Blank | Heat::Bad => None,
        };
        // The ground is the other half's colour, which may be a number.
        let bad = |other: Heat| match other {
            Heat::At(x) => self.ramp.text(x),
            Heat::Blank | Heat::Bad => self.bad_style,
        };
        let (glyph, style) = match (upper, lower, color(upper), color(lower)) {
            (Heat::Bad, other, ..) | (other, Heat::Bad, ..) => ('?', bad(other)),
            (_, _, None, None) => (' ', Style::new()),
            (_, _, Some(upper), None) => ('▀', Style::new().fg(upper)),
            (_, _, None, Some(lower)) => ('▄', Style::new().fg(lower)),
            (_, _, Some(upper), Some(lower)) => ('▀', Style::new().fg(upper).bg(lower)),
        };
        (glyph, glyph, style)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Modifier;

    use super::super::Scale;
    use super::*;
    use crate::term::ColorDepth;

    fn drawn(ramp: Ramp, cursor: Option<(usize, usize)>, value: impl Fn(usize, usize) -> Heat) -> Buffer {
        let area = Rect::new(0, 0, 2, 1);
        let mut buffer = Buffer::empty(area);
        let cursor_style = Style::new().add_modifier(Modifier::REVERSED);
        let (rows, cols) = (0..if ramp.has_halves { 2 } else { 1 }, 0..1);
        let bad_style = Style::new();
        HeatMap { rows, cols, cell: 2, ramp, cursor, cursor_style, bad_style, value }
            .render(area, &mut buffer);
        buffer
    }

    const COLORED: Ramp = Ramp { scale: Scale::Sequential, depth: ColorDepth::TrueColor, has_halves: true };

    #[test]
    fn what_is_no_number_leaves_the_other_half_its_colour() {
        for bad in [0, 1] {
            let value = |row: usize, _: usize| if row == bad { Heat::Bad } else { Heat::At(0.9) };
            let cell = drawn(COLORED, None, value)[(0, 0)].clone();
            assert_eq!((cell.symbol(), cell.bg), ("?", COLORED.color(0.9)));
        }
    }

    #[test]
    fn the_cursor_leaves_its_value_the_colour() {
        for row in [0, 1] {
            let buffer = drawn(COLORED, Some((row, 0)), |row, _| Heat::At([0.1, 0.9][row]));
            let [rest, mark] = [0, 1].map(|x| buffer[(x, 0)].clone());
            let paper = COLORED.color([0.1, 0.9][row]);
            assert_eq!((mark.symbol(), mark.bg, rest.symbol(), rest.bg), ("◆", paper, " ", paper));
        }
    }

    #[test]
    fn without_colour_the_lowest_number_is_not_blank() {
        let ramp = Ramp { scale: Scale::Sequential, depth: ColorDepth::None, has_halves: false };
        assert_eq!(drawn(ramp, None, |_, _| Heat::At(0.0))[(0, 0)].symbol(), ".");
        assert_eq!(drawn(ramp, None, |_, _| Heat::Blank)[(0, 0)].symbol(), " ");
    }
}
