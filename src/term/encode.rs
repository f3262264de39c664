//! Encodes cells as the fewest bytes that a plain ANSI terminal needs.
//!
//! Replaces crossterm's encoder, which writes named colours as `38;5;n`, one sequence per attribute, and resets at the
//! end of an unchanged frame.

use std::io::{self, Write};

use ratatui::buffer::{Cell, CellWidth};
use ratatui::style::{Color, Modifier};

/// Appends the bytes that turn the previous screen into the next one, for cells in reading order. No cells give no
/// bytes; colours and attributes are reset at the end.
pub(super) fn cells<'a>(changed: impl Iterator<Item = (u16, u16, &'a Cell)>, bytes: &mut Vec<u8>) {
    let mut pen = Pen::default();
    let mut cursor = None;
    for (x, y, cell) in changed {
        go_to(x, y, cursor, bytes);
        pen.change_to(Pen::of(cell), bytes);
        bytes.extend_from_slice(cell.symbol().as_bytes());
        cursor = after(x, y, cell);
    }
    pen.change_to(Pen::default(), bytes);
}

/// The cursor's position after a cell, if all terminals agree on it.
fn after(x: u16, y: u16, cell: &Cell) -> Option<(u16, u16)> {
    let mut characters = cell.symbol().chars();
    let simple = characters.next().is_some() && characters.next().is_none();
    (simple && cell.cell_width() == 1).then_some((x + 1, y))
}

fn go_to(x: u16, y: u16, cursor: Option<(u16, u16)>, bytes: &mut Vec<u8>) {
    match cursor {
        Some(here) if here == (x, y) => {}
        Some((column, row)) if row == y && column < x => match x - column {
            1 => append(bytes, format_args!("\x1b[C")),
            gap => append(bytes, format_args!("\x1b[{gap}C")),
        },
        _ => append(bytes, format_args!("\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1)),
    }
}

/// Writing to memory cannot fail.
pub(super) fn append(bytes: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    let _ = bytes.write_fmt(arguments);
}

/// Commands of crossterm, as bytes.
pub(super) fn encoded(commands: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    let _ = commands(&mut bytes);
    bytes
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const ATTRIBUTES: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

impl Pen {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// Changes the style in one sequence. Switching an attribute off needs a reset: the codes for single attributes
    /// differ between terminals.
    fn change_to(&mut self, next: Self, bytes: &mut Vec<u8>) {
        if *self == next {
            return;
        }
        let from = if next.modifier.contains(self.modifier) && next != Self::default() {
            *self
        } else {
            bytes.extend_from_slice(b"\x1b[0m");
            Self::default()
        };
        *self = next;
        if from == next {
            return;
        }
        bytes.extend_from_slice(b"\x1b[");
        for (attribute, code) in ATTRIBUTES {
            if (next.modifier - from.modifier).contains(attribute) {
                append(bytes, format_args!("{code};"));
            }
        }
        if next.fg != from.fg {
            color(next.fg, 30, bytes);
        }
        if next.bg != from.bg {
            color(next.bg, 40, bytes);
        }
        // Every code above ends in a semicolon, and at least one was written.
        bytes.pop();
        bytes.push(b'm');
    }
}

/// The codes of a colour; `base` is 30 for the foreground and 40 for the background.
fn color(color: Color, base: u8, bytes: &mut Vec<u8>) {
    let named = |offset: u8| base + offset;
    let code = match color {
        Color::Reset => named(9),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(60),
        Color::LightRed => named(61),
        Color::LightGreen => named(62),
        Color::LightYellow => named(63),
        Color::LightBlue => named(64),
        Color::LightMagenta => named(65),
        Color::LightCyan => named(66),
        Color::White => named(67),
        Color::Indexed(index) => return append(bytes, format_args!("{};5;{index};", named(8))),
        Color::Rgb(r, g, b) => return append(bytes, format_args!("{};2;{r};{g};{b};", named(8))),
    };
    append(bytes, format_args!("{code};"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Style, Stylize};
    use ratatui::text::Line;

    fn encoded(before: &Buffer, after: &Buffer) -> String {
        let mut bytes = Vec::new();
        cells(before.diff_iter(after), &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn from_blank(after: &Buffer) -> String {
        encoded(&Buffer::empty(after.area), after)
    }

    #[test]
    fn an_unchanged_screen_writes_nothing() {
        let buffer = Buffer::with_lines(["the same".red().bold()]);
        assert_eq!(encoded(&buffer, &buffer), "");
    }

    #[test]
    fn one_changed_cell_is_a_move_and_a_character() {
        let before = Buffer::with_lines(["abc", "def"]);
        assert_eq!(encoded(&before, &Buffer::with_lines(["abc", "dXf"])), "\x1b[2;2HX");
    }

    #[test]
    fn a_gap_in_a_line_is_crossed_with_a_short_move() {
        let before = Buffer::with_lines(["abcdefgh"]);
        let after = Buffer::with_lines(["XbYdefZh"]);
        assert_eq!(encoded(&before, &after), "\x1b[1;1HX\x1b[CY\x1b[3CZ");
    }

    #[test]
    fn a_run_of_one_style_is_one_sequence() {
        let line = Line::from(vec!["ab".cyan().bold(), "cd".cyan(), "e".into()]);
        assert_eq!(from_blank(&Buffer::with_lines([line])), "\x1b[1;1H\x1b[1;36mab\x1b[0m\x1b[36mcd\x1b[0me");
    }

    #[test]
    fn colours_use_the_shortest_code_of_their_depth() {
        let mut after = Buffer::empty(Rect::new(0, 0, 3, 1));
        after.set_string(0, 0, "a", Style::new().light_red().on_dark_gray());
        after.set_string(1, 0, "b", Style::new().fg(Color::Indexed(208)));
        after.set_string(2, 0, "c", Style::new().bg(Color::Rgb(1, 2, 3)));
        assert_eq!(from_blank(&after), "\x1b[1;1H\x1b[91;100ma\x1b[38;5;208;49mb\x1b[39;48;2;1;2;3mc\x1b[0m");
    }

    #[test]
    fn after_a_glyph_of_uncertain_width_the_cursor_is_placed_again() {
        let after = Buffer::with_lines(["漢x👩‍🚀y"]);
        assert_eq!(from_blank(&after), "\x1b[1;1H漢\x1b[1;3Hx👩‍🚀\x1b[1;6Hy");
    }
}
