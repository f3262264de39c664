//! Ordered scales of colours, and of characters where there are no colours.

#![expect(clippy::unreadable_literal, reason = "colours are written RRGGBB")]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;

use crate::picture::xterm::rgb_of_index;
use crate::term::ColorDepth;

/// The shape of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Scale {
    /// From 0 to 1, dark to bright.
    Sequential,
    /// From 0 over one half, where the scale is darkest, to 1: blue, grey, orange.
    Diverging,
}

/// A scale on this terminal. As a widget: the scale's steps from 0 to 1, a column each.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct Ramp {
    pub(in crate::view) scale: Scale,
    pub(in crate::view) depth: ColorDepth,
    /// Whether one cell can show two values, one above the other: the terminal has half blocks and colours.
    pub(in crate::view) has_halves: bool,
}

/// Viridis, sixteen steps: perceptually even, and ordered for colour-blind eyes.
const SEQUENTIAL: [u32; 16] = [
    0x440154, 0x481a6c, 0x472f7d, 0x414487, 0x39568c, 0x31688e, 0x2a788e, 0x23888e, 0x1f988b, 0x22a884,
    0x35b779, 0x54c568, 0x7ad151, 0xa5db36, 0xd2e21b, 0xfde725,
];
/// The nearest of the 256, each lighter than the one before.
const SEQUENTIAL_256: [u8; 16] = [53, 54, 55, 24, 25, 61, 30, 31, 35, 36, 37, 78, 113, 149, 184, 226];
/// Of the sixteen, those that are each lighter than the one before in every common palette.
const SEQUENTIAL_16: [Color; 5] = [Color::Black, Color::Blue, Color::Cyan, Color::Gray, Color::White];
/// The middle of the diverging scale: values within [`MIDDLE`] of it have no sign worth a colour.
const GREY: u32 = 0x262626;
/// From the middle outwards.
const BELOW: [u32; 8] = [0x2c3841, 0x334a5c, 0x3a5b77, 0x406d92, 0x467fae, 0x4d90c9, 0x54a2e4, 0x5ab4ff];
const ABOVE: [u32; 8] = [0x413721, 0x5c481c, 0x775a18, 0x926b13, 0xae7c0e, 0xc98e0a, 0xe49f05, 0xffb000];
const GREY_256: u8 = 234;
const BELOW_256: [u8; 8] = [19, 20, 24, 25, 31, 38, 75, 81];
const ABOVE_256: [u8; 8] = [52, 58, 94, 130, 136, 172, 178, 220];
const BELOW_16: [Color; 2] = [Color::Blue, Color::Cyan];
const ABOVE_16: [Color; 2] = [Color::Red, Color::Yellow];
/// Share of a side of the diverging scale that the middle takes.
const MIDDLE: f32 = 0.02;

/// Ink on paper, where there are no colours. None is blank, which is no number; none is a plus or a minus, which is a sign.
const SHADES: [char; 8] = ['.', ',', ':', 'o', 'x', '%', '#', '@'];
/// The same with a sign: letters below zero, digits above.
const SIGNED_SHADES: [char; 19] =
    ['i', 'h', 'g', 'f', 'e', 'd', 'c', 'b', 'a', '.', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/// The step of `x` of 0 to 1. A NaN, which callers draw otherwise, is the lowest.
fn step(x: f32, steps: usize) -> usize {
    ((x * steps as f32) as usize).min(steps - 1)
}

/// The step of `x` of 0 to 1 among those of the middle and of either side.
fn fold<T: Copy>(x: f32, below: &[T], middle: T, above: &[T]) -> T {
    let distance = (x - 0.5) * 2.0;
    let side = if distance < 0.0 { below } else { above };
    if distance.abs() <= MIDDLE || x.is_nan() { middle } else { side[step(distance.abs(), side.len())] }
}

impl Ramp {
    /// Number of its steps.
    pub(in crate::view) fn steps(self) -> usize {
        match (self.has_halves, self.scale, self.depth) {
            (false, Scale::Sequential, _) => SHADES.len(),
            (false, Scale::Diverging, _) => SIGNED_SHADES.len(),
            (true, _, ColorDepth::Ansi16 | ColorDepth::None) => SEQUENTIAL_16.len(),
            (true, Scale::Sequential, _) => SEQUENTIAL.len(),
            (true, Scale::Diverging, _) => 2 * BELOW.len() + 1,
        }
    }

    /// The character for `x` of 0 to 1 where halves cannot be shown.
    pub(in crate::view) fn shade(self, x: f32) -> char {
        match self.scale {
            Scale::Sequential => SHADES[step(x, SHADES.len())],
            Scale::Diverging => SIGNED_SHADES[step(x, SIGNED_SHADES.len())],
        }
    }

    /// The colour for `x` of 0 to 1.
    pub(in crate::view) fn color(self, x: f32) -> Color {
        match (self.depth, self.scale) {
            (ColorDepth::None, _) => Color::Reset,
            (ColorDepth::Ansi16, Scale::Sequential) => SEQUENTIAL_16[step(x, SEQUENTIAL_16.len())],
            (ColorDepth::Ansi16, Scale::Diverging) => fold(x, &BELOW_16, Color::Black, &ABOVE_16),
            (ColorDepth::TrueColor, Scale::Sequential) => Color::from_u32(SEQUENTIAL[step(x, 16)]),
            (ColorDepth::TrueColor, Scale::Diverging) => Color::from_u32(fold(x, &BELOW, GREY, &ABOVE)),
            (_, Scale::Sequential) => Color::Indexed(SEQUENTIAL_256[step(x, 16)]),
            (_, Scale::Diverging) => Color::Indexed(fold(x, &BELOW_256, GREY_256, &ABOVE_256)),
        }
    }

    /// Whether text is readable on the scale: nobody knows how bright the sixteen colours are.
    pub(in crate::view) fn has_text(self) -> bool {
        self.depth > ColorDepth::Ansi16
    }

    /// Text on the colour for `x` of 0 to 1. Of the sixteen colours: on the first half of the scale white, then black.
    pub(in crate::view) fn text(self, x: f32) -> Style {
        let paper = self.color(x);
        match (self.depth, rgb(paper)) {
            (ColorDepth::None, _) => Style::new(),
            (ColorDepth::Ansi16, _) => {
                let dark = matches!(paper, Color::Black | Color::Blue | Color::Red);
                Style::new().fg(if dark { Color::White } else { Color::Black }).bg(paper)
            }
            (_, color) => {
                let is_bright = color.is_some_and(|rgb| luminance(rgb) > 0.18);
                Style::new().fg(Color::Indexed(if is_bright { 16 } else { 231 })).bg(paper)
            }
        }
    }
}

impl Widget for Ramp {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let steps = self.steps() as u16;
        for (at, position) in (0..steps).zip(area.intersection(buffer.area).positions()) {
            let x = (f32::from(at) + 0.5) / f32::from(steps);
            let cell = &mut buffer[position];
            if self.has_halves {
                cell.set_char('█').set_fg(self.color(x));
            } else {
                cell.set_char(self.shade(x));
            }
        }
    }
}

/// The light of a colour that means the same on every terminal, of 0 to 1.
pub(in crate::view) fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// The light of an sRGB channel, of 0 to 1.
fn linear(channel: u8) -> f64 {
    match f64::from(channel) / 255.0 {
        share if share <= 0.04045 => share / 12.92,
        share => ((share + 0.055) / 1.055).powf(2.4),
    }
}

/// A colour that means the same on every terminal.
pub(in crate::view) fn rgb(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index @ 16..) => Some(rgb_of_index(index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
