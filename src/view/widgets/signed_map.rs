//! Maps of signed numbers: each cell says its sign, and its number where there is room.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget;

use super::{Ramp, Scale};
use crate::view::number::{signed, signed_fraction};

/// Columns from which on a cell holds its number.
pub(in crate::view) const NUMBER: u16 = 6;

/// A map of `value(row, column)`, a line a row, from the area's corner on.
pub(in crate::view) struct SignedMap<F> {
    pub(in crate::view) rows: Range<usize>,
    pub(in crate::view) cols: Range<usize>,
    /// Columns of the screen that a cell takes: 2 or more.
    pub(in crate::view) cell: u16,
    /// Row and column; their cell is in inverse video.
    pub(in crate::view) cursor: (usize, usize),
    /// Value at the ends of the scale.
    pub(in crate::view) largest: f32,
    /// A diverging scale.
    pub(in crate::view) ramp: Ramp,
    /// Of what is not a number.
    pub(in crate::view) bad_style: Style,
    pub(in crate::view) value: F,
}

impl<F: Fn(usize, usize) -> f32> Widget for &SignedMap<F> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        let cell = usize::from(self.cell.max(1));
        for (y, row) in (area.top()..area.bottom()).zip(self.rows.clone()) {
            for (x, col) in (area.left()..area.right()).step_by(cell).zip(self.cols.clone()) {
                let (text, style) = self.cell((self.value)(row, col));
                let style = if self.cursor == (row, col) {
                    style.add_modifier(Modifier::REVERSED | Modifier::BOLD)
                } else {
                    style
                };
                buffer.set_stringn(x, y, format!("{text:>cell$}"), (area.right() - x).into(), style);
            }
        }
    }
}

impl<F> SignedMap<F> {
    fn cell(&self, value: f32) -> (String, Style) {
        if !value.is_finite() {
            return ("?".into(), self.bad_style);
        }
        let (share, largest) = ((value / self.largest).clamp(-1.0, 1.0), self.largest);
        let style = if self.ramp.has_text() { self.ramp.text(share / 2.0 + 0.5) } else { Style::new() };
        let text = match self.ramp.has_text() {
            _ if self.cell >= NUMBER && (0.01..0.1).contains(&largest) => signed_fraction(value),
            _ if self.cell >= NUMBER => signed(value * 10.0_f32.powi(-power(largest))),
            true => sign(share).to_string(),
            // Without colours ink says how large the number is, beside the sign.
            false => {
                let ink = Ramp { scale: Scale::Sequential, ..self.ramp };
                format!("{}{}", sign(share), ink.shade(share.abs()))
            }
        };
        (text, style)
    }

    /// What the numbers in the cells are in, where it is not ones: `1e-3`.
    pub(in crate::view) fn unit(&self) -> Option<String> {
        let power = power(self.largest);
        (self.cell >= NUMBER && power != 0).then(|| format!("1e{power}"))
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
    use crate::term::ColorDepth;

    fn map(depth: ColorDepth, cell: u16, largest: f32) -> SignedMap<fn(usize, usize) -> f32> {
        SignedMap {
            rows: 0..1,
            cols: 0..2,
            cell,
            cursor: (0, 1),
            largest,
            ramp: Ramp { scale: Scale::Diverging, depth, has_halves: depth != ColorDepth::None },
            bad_style: Style::new(),
            value: |_, col| [-0.9, 0.6][col],
        }
    }

    #[test]
    fn numbers_on_a_small_scale_are_in_a_power_of_ten() {
        assert_eq!([0.95, 0.01, 0.009_3, 0.000_93, f32::MIN_POSITIVE, 0.0].map(power), [0, 0, -3, -4, 0, 0]);
        let text = |value: f32, largest: f32| map(ColorDepth::None, NUMBER, largest).cell(value).0;
        assert_eq!([text(-0.004_93, 0.009_3), text(-0.000_001, 0.009_3)], ["-4.93", "0.00"]);
        assert_eq!([text(0.042, 0.09), text(-0.000_1, 0.09), text(0.42, 0.9)], ["+.042", ".000", "+0.42"]);
        assert_eq!(map(ColorDepth::None, NUMBER, 0.009_3).unit(), Some("1e-3".into()));
    }

    #[test]
    fn a_cell_without_room_for_its_number_says_its_sign_and_without_colour_its_size_too() {
        for (depth, text) in [(ColorDepth::TrueColor, " - +"), (ColorDepth::None, "-@+x")] {
            let area = Rect::new(0, 0, 4, 1);
            let mut buffer = Buffer::empty(area);
            map(depth, 2, 1.0).render(area, &mut buffer);
            let drawn: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
            assert_eq!(drawn, text);
            let reversed = |x: u16| buffer[(x, 0)].modifier.contains(Modifier::REVERSED);
            assert_eq!([reversed(1), reversed(3)], [false, true]);
        }
    }
}
