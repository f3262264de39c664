//! Reduces colours to those that the terminal supports.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

use super::ColorDepth;
use crate::picture::xterm::{NAMED, rgb_of_index};
use crate::sanitize::is_hostile;

/// Last check of a frame before it is compared and sent: only supported colours, and no control characters. Views
/// should ensure both already.
pub(super) fn settle(buffer: &mut Buffer, depth: ColorDepth) {
    for cell in &mut buffer.content {
        cell.fg = quantise(cell.fg, depth);
        cell.bg = quantise(cell.bg, depth);
        defuse(cell);
    }
}

fn defuse(cell: &mut Cell) {
    if cell.symbol().contains(is_hostile) {
        cell.set_symbol("?");
    }
}

/// The nearest colour that `depth` allows.
fn quantise(color: Color, depth: ColorDepth) -> Color {
    match (depth, color) {
        (ColorDepth::None, _) => Color::Reset,
        (ColorDepth::Ansi16, Color::Indexed(index)) => nearest_named(rgb_of_index(index)),
        (ColorDepth::Ansi16, Color::Rgb(r, g, b)) => nearest_named((r, g, b)),
        (ColorDepth::Indexed256, Color::Rgb(r, g, b)) => Color::Indexed(nearest_index((r, g, b))),
        _ => color,
    }
}

fn nearest_named(rgb: (u8, u8, u8)) -> Color {
    let nearest = NAMED.iter().min_by_key(|(candidate, _)| distance(*candidate, rgb));
    nearest.map_or(Color::Reset, |(_, color)| *color)
}

/// Searches the cube and the greys only: the first sixteen depend on the user's palette.
fn nearest_index(rgb: (u8, u8, u8)) -> u8 {
    (16..=255).min_by_key(|index| distance(rgb_of_index(*index), rgb)).unwrap_or(16)
}

fn distance(one: (u8, u8, u8), other: (u8, u8, u8)) -> u32 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    // Roughly the eye's weights: green counts most and blue least.
    3 * square(one.0, other.0) + 6 * square(one.1, other.1) + square(one.2, other.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Modifier, Style};

    #[test]
    fn only_attributes_remain_without_colours() {
        let mut buffer = Buffer::with_lines(["ab"]);
        buffer.set_style(buffer.area, Style::new().red().on_blue().bold().reversed());
        settle(&mut buffer, ColorDepth::None);
        for cell in &buffer.content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
            assert_eq!(cell.modifier, Modifier::BOLD | Modifier::REVERSED);
        }
    }

    #[test]
    fn a_colour_goes_to_its_nearest_neighbour() {
        assert_eq!(quantise(Color::Rgb(250, 10, 10), ColorDepth::Ansi16), Color::LightRed);
        assert_eq!(quantise(Color::Indexed(21), ColorDepth::Ansi16), Color::Blue);
        assert_eq!(quantise(Color::Rgb(95, 135, 175), ColorDepth::Indexed256), Color::Indexed(67));
        assert_eq!(quantise(Color::Rgb(128, 128, 128), ColorDepth::Indexed256), Color::Indexed(244));
        assert_eq!(quantise(Color::Rgb(1, 2, 3), ColorDepth::TrueColor), Color::Rgb(1, 2, 3));
        for depth in [ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor] {
            assert_eq!(quantise(Color::Cyan, depth), Color::Cyan);
            assert_eq!(quantise(Color::Reset, depth), Color::Reset);
        }
    }

    #[test]
    fn every_index_of_the_cube_and_the_greys_is_its_own_neighbour() {
        for index in 16..=255 {
            let found = nearest_index(rgb_of_index(index));
            assert_eq!(rgb_of_index(found), rgb_of_index(index), "{index}");
        }
    }

    #[test]
    fn a_cell_with_control_characters_is_made_harmless() {
        let mut buffer = Buffer::with_lines(["abcd"]);
        buffer[(0, 0)].set_symbol("\x1b");
        buffer[(1, 0)].set_symbol("x\u{202e}");
        buffer[(2, 0)].set_char('\u{9b}');
        settle(&mut buffer, ColorDepth::TrueColor);
        assert_eq!(buffer, Buffer::with_lines(["???d"]));
    }
}
