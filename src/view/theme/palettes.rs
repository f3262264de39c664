//! The colours that terminals show for the sixteen, and their grounds.

#![expect(clippy::unreadable_literal, reason = "colours are written RRGGBB")]

use ratatui::style::Color;

use crate::term::Ground;
use crate::view::widgets::rgb;

pub(in crate::view) type Rgb = (u8, u8, u8);

/// The sixteen as they are published, in the order of their numbers.
const XTERM: [u32; 16] = [
    0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000,
    0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
];
const VGA: [u32; 16] = [
    0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555,
    0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
];
const SOLARIZED: [u32; 16] = [
    0x073642, 0xdc322f, 0x859900, 0xb58900, 0x268bd2, 0xd33682, 0x2aa198, 0xeee8d5, 0x002b36, 0xcb4b16,
    0x586e75, 0x657b83, 0x839496, 0x6c71c4, 0x93a1a1, 0xfdf6e3,
];

/// A terminal's ground, and its palette.
pub(in crate::view) const TERMINALS: [(Ground, u32, [u32; 16]); 6] = [
    (Ground::Dark, 0x000000, XTERM),
    (Ground::Dark, 0x000000, VGA),
    (Ground::Dark, 0x002b36, SOLARIZED),
    (Ground::Light, 0xffffff, XTERM),
    (Ground::Light, 0xffffff, VGA),
    (Ground::Light, 0xfdf6e3, SOLARIZED),
];

pub(in crate::view) fn split(rgb: u32) -> Rgb {
    ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8)
}

pub(in crate::view) fn seen(color: Color, palette: &[u32; 16]) -> Rgb {
    let named = crate::picture::xterm::NAMED.iter().position(|(_, named)| *named == color);
    named.map_or_else(|| rgb(color).expect("a colour that is seen"), |number| split(palette[number]))
}
