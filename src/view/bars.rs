//! Bars and sparklines out of eighths of a cell.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::ink::Ink;
use super::theme::Role;
use crate::term::Glyphs;

/// From nothing to a full cell, growing upwards.
const UP: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// From nothing to a full cell, growing to the right.
const RIGHT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Eighths of `cells` that `x` of 0 to 1 fills. What is there at all, shows.
fn eighths(x: f32, cells: u16) -> usize {
    let whole = f32::from(cells) * 8.0;
    let filled = (x.clamp(0.0, 1.0) * whole).round();
    if x > 0.0 { filled.max(1.0) as usize } else { 0 }
}

/// One column of a sparkline, for `x` of 0 to 1; a NaN is a gap.
pub(super) fn column(x: f32) -> char {
    UP[eighths(x, 1).min(8)]
}

impl Ink<'_> {
    /// A bar to the right, of 0 to 1 of `cells`.
    pub(super) fn bar(&mut self, area: Rect, x: u16, y: u16, cells: u16, value: f32, role: Role) {
        let filled = eighths(value, cells);
        let style = self.theme.style(role);
        for cell in 0..cells {
            let left = filled.saturating_sub(usize::from(cell) * 8).min(8);
            if left > 0 {
                self.put(area, x + cell, y, RIGHT[left], style);
            }
        }
    }

    /// A bar from the middle of `cells`, of -1 to 1: to the right what is positive, to the left what is negative.
    pub(super) fn signed_bar(&mut self, area: Rect, x: u16, y: u16, cells: u16, value: f32) {
        let half = cells.saturating_sub(1) / 2;
        let length = value * f32::from(half);
        self.bar_from_zero(area, (x, y), (half, half), length, [Role::Negative, Role::Positive]);
    }

    /// A bar of `length` cells from an axis that has cells to its left and right: to the left if it is negative.
    pub(super) fn bar_from_zero(
        &mut self,
        area: Rect,
        (x, y): (u16, u16),
        (left, right): (u16, u16),
        length: f32,
        [negative, positive]: [Role; 2],
    ) {
        let axis = x + left;
        self.put(area, axis, y, '│', self.theme.style(Role::Faint));
        if length > 0.0 {
            self.bar(area, axis + 1, y, right, length / f32::from(right), positive);
        } else if length < 0.0 {
            self.bar_to_the_left(area, (x, y), left, -length / f32::from(left), negative);
        }
    }

    /// A bar of 0 to 1 of `cells` that ends at the last of them. Its first cell is the rest of the cell in inverse video: there
    /// are no left-growing eighths.
    fn bar_to_the_left(&mut self, area: Rect, (x, y): (u16, u16), cells: u16, value: f32, role: Role) {
        let style = self.theme.style(role);
        let filled = eighths(value, cells);
        // A font without eighths has no other half of them either.
        let filled = match self.theme.glyphs {
            Glyphs::Utf8 => filled,
            Glyphs::Ascii | Glyphs::Console => ((filled + 2) / 4 * 4).max(4 * filled.min(1)),
        };
        for cell in 0..cells {
            let left = filled.saturating_sub(usize::from(cell) * 8).min(8);
            let at = x + cells - 1 - cell;
            match left {
                0 => {}
                8 => self.put(area, at, y, '█', style),
                4 => self.put(area, at, y, '▐', style),
                _ => self.put(area, at, y, RIGHT[8 - left], style.add_modifier(Modifier::REVERSED)),
            }
        }
    }

    /// A curve of columns as high as the area, of 0 to 1 each; `None` and NaN leave a gap.
    pub(super) fn columns(&mut self, area: Rect, values: impl Iterator<Item = (u16, f32)>, role: Role) {
        let style = self.theme.style(role);
        for (x, value) in values {
            let filled = eighths(value, area.height);
            for line in 0..area.height {
                let below = usize::from(area.height - 1 - line) * 8;
                let here = filled.saturating_sub(below).min(8);
                if here > 0 {
                    self.put(area, x, line, UP[here], style);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::term::{ColorDepth, Ground};
    use crate::view::theme::Theme;

    /// Eighths of a cell that are filled.
    fn filled(buffer: &Buffer, x: u16) -> usize {
        let cell = &buffer[(x, 0)];
        let glyph = cell.symbol().chars().next().unwrap();
        let of = |glyph| RIGHT.iter().position(|other| *other == glyph);
        match of(glyph) {
            _ if glyph == '▐' => 4,
            Some(eighths) if cell.modifier.contains(Modifier::REVERSED) => 8 - eighths,
            eighths => eighths.unwrap_or_default(),
        }
    }

    #[test]
    fn a_negative_bar_is_as_long_as_the_positive_one_of_its_size() {
        let area = Rect::new(0, 0, 21, 1);
        let theme = Theme { depth: ColorDepth::Ansi16, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        let lengths = |value: f32| {
            let mut buffer = Buffer::empty(area);
            Ink::new(&mut buffer, theme).signed_bar(area, 0, 0, 21, value);
            assert_eq!(buffer[(10, 0)].symbol(), "│");
            [0..10, 11..21].map(|side| side.map(|x| filled(&buffer, x)).sum::<usize>())
        };
        for at in 0..=80 {
            let value = at as f32 / 80.0;
            assert_eq!((lengths(value), lengths(-value)), ([0, at], [at, 0]));
        }
    }
}
