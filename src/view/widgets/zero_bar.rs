//! Bars from zero, out of eighths of a cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::symbols::block;
use ratatui::widgets::Widget;

/// From nothing to a full cell, growing to the right.
const RIGHT: [&str; 9] = [
    " ",
    block::ONE_EIGHTH,
    block::ONE_QUARTER,
    block::THREE_EIGHTHS,
    block::HALF,
    block::FIVE_EIGHTHS,
    block::THREE_QUARTERS,
    block::SEVEN_EIGHTHS,
    block::FULL,
];

/// Eighths of `cells` that `share` of 0 to 1 fills; NaN fills none. More than nothing shows.
pub(in crate::view) fn share_of_cells(share: f32, cells: u16) -> u64 {
    let filled = (share.clamp(0.0, 1.0) * f32::from(cells) * 8.0).round();
    if share > 0.0 { filled.max(1.0) as u64 } else { 0 }
}

/// A bar in one line: to the right of its axis if positive, to the left if negative.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct ZeroBar {
    /// Cells left of the axis; with 0, the bar has no axis and grows to the right from the edge.
    pub(in crate::view) left: u16,
    /// Cells that a value of 1 takes.
    pub(in crate::view) unit: f32,
    pub(in crate::view) value: f32,
    pub(in crate::view) negative: Style,
    pub(in crate::view) positive: Style,
    pub(in crate::view) axis: Style,
    /// Whether the font has eighths of a cell, or halves alone.
    pub(in crate::view) has_eighths: bool,
}

impl Widget for ZeroBar {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = Rect { height: 1, ..area }.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let left = self.left.min(area.width);
        let mut start = area.x + left;
        if left > 0 && start < area.right() {
            buffer[(start, area.y)].set_char('│').set_style(self.axis);
            start += 1;
        }
        let length = self.value * self.unit;
        let room = area.right() - start;
        if length > 0.0 && room > 0 {
            let filled = share_of_cells(length / f32::from(room), room);
            for (x, left) in (start..area.right()).zip(eighths(filled)) {
                buffer[(x, area.y)].set_symbol(RIGHT[left]).set_style(self.positive);
            }
        } else if length < 0.0 && left > 0 {
            self.to_the_left(share_of_cells(-length / f32::from(left), left), area, buffer);
        }
    }
}

/// Eighths of each cell that a bar of so many begins or fills.
fn eighths(filled: u64) -> impl Iterator<Item = usize> {
    (0..filled.div_ceil(8)).map(move |cell| (filled - cell * 8).min(8) as usize)
}

impl ZeroBar {
    /// The first cell is the rest of the cell in inverse video: there are no eighths that grow to the left.
    fn to_the_left(self, filled: u64, area: Rect, buffer: &mut Buffer) {
        // A font without eighths has no other half of them either.
        let filled = if self.has_eighths { filled } else { ((filled + 2) / 4 * 4).max(4) };
        for (x, left) in (area.x..area.x + self.left).rev().zip(eighths(filled)) {
            let cell = &mut buffer[(x, area.y)];
            match left {
                8 => cell.set_symbol(block::FULL).set_style(self.negative),
                4 => cell.set_char('▐').set_style(self.negative),
                _ => {
                    cell.set_symbol(RIGHT[8 - left]).set_style(self.negative.add_modifier(Modifier::REVERSED))
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eighths of a cell that are filled.
    fn filled(buffer: &Buffer, x: u16) -> usize {
        let cell = &buffer[(x, 0)];
        match RIGHT.iter().position(|other| *other == cell.symbol()) {
            _ if cell.symbol() == "▐" => 4,
            Some(eighths) if cell.modifier.contains(Modifier::REVERSED) => 8 - eighths,
            eighths => eighths.unwrap_or_default(),
        }
    }

    fn drawn(value: f32) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 21, 1));
        let style = Style::new();
        ZeroBar {
            left: 10,
            unit: 10.0,
            value,
            negative: style,
            positive: style,
            axis: style,
            has_eighths: true,
        }
        .render(buffer.area, &mut buffer);
        buffer
    }

    #[test]
    fn a_negative_bar_is_as_long_as_the_positive_one_of_its_size() {
        let lengths = |value: f32| {
            let buffer = drawn(value);
            assert_eq!(buffer[(10, 0)].symbol(), "│");
            [0..10, 11..21].map(|side| side.map(|x| filled(&buffer, x)).sum::<usize>())
        };
        for at in 0..=80 {
            let value = at as f32 / 80.0;
            assert_eq!((lengths(value), lengths(-value)), ([0, at], [at, 0]));
        }
    }

    #[test]
    fn what_is_no_number_has_no_bar_and_what_is_hardly_one_shows() {
        assert_eq!(drawn(f32::NAN), drawn(0.0));
        assert_eq!(filled(&drawn(1e-6), 11), 1);
    }
}
