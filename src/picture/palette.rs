//! The colours of a picture. A terminal uses the user's palette; a picture needs a fixed one.

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

use super::xterm::rgb_of_index;

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

/// The background of the picture.
pub(super) const BACKGROUND: Rgb = (0x14, 0x17, 0x1d);

const FOREGROUND: Rgb = (0xd0, 0xd4, 0xdc);

/// The sixteen named colours, in the order of their numbers.
const NAMED: [Rgb; 16] = [
    (0x2a, 0x2f, 0x3a),
    (0xe0, 0x6c, 0x75),
    (0x98, 0xc3, 0x79),
    (0xe5, 0xc0, 0x7b),
    (0x61, 0xaf, 0xef),
    (0xc6, 0x78, 0xdd),
    (0x56, 0xb6, 0xc2),
    (0xc5, 0xca, 0xd3),
    (0x70, 0x78, 0x87),
    (0xff, 0x8a, 0x94),
    (0xb8, 0xe3, 0x90),
    (0xff, 0xdb, 0x8f),
    (0x8b, 0xc8, 0xff),
    (0xe3, 0xa1, 0xf7),
    (0x84, 0xde, 0xe8),
    (0xff, 0xff, 0xff),
];

/// The foreground and background of a cell, after applying its attributes.
pub(super) fn colors(cell: &Cell) -> (Rgb, Rgb) {
    let (fg, bg) = (resolve(cell.fg, FOREGROUND), resolve(cell.bg, BACKGROUND));
    let (fg, bg) = if cell.modifier.contains(Modifier::REVERSED) { (bg, fg) } else { (fg, bg) };
    if cell.modifier.contains(Modifier::DIM) { (mix(fg, bg), bg) } else { (fg, bg) }
}

/// In CSS notation.
pub(super) fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn resolve(color: Color, default: Rgb) -> Rgb {
    let number = match color {
        Color::Reset => return default,
        Color::Rgb(r, g, b) => return (r, g, b),
        Color::Indexed(index @ 16..) => return rgb_of_index(index),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    NAMED[usize::from(number)]
}

fn mix(one: Rgb, other: Rgb) -> Rgb {
    let part = |a: u8, b: u8| ((u16::from(a) * 3 + u16::from(b) * 2) / 5) as u8;
    (part(one.0, other.0), part(one.1, other.1), part(one.2, other.2))
}
