//! Colours as named roles, in this one file.
//!
//! Roles use the terminal's own sixteen colours, so that they fit whatever palette the user chose. Only heat scales,
//! which need many ordered steps, use 256 or 24-bit colours where the terminal has them. Whatever a colour says is also
//! said by a character, a word or a number.

#![expect(clippy::unreadable_literal, reason = "colours are written RRGGBB")]

use ratatui::style::{Color, Modifier, Style};

use crate::picture::xterm::rgb_of_index;
use crate::term::{ColorDepth, Glyphs, Ground};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A number or a word.
    Plain,
    /// What matters most in its line.
    Strong,
    /// Labels, rules, units.
    Faint,
    /// A heading.
    Title,
    /// A key.
    Key,
    /// What the cursor is on.
    Cursor,
    /// A word for a good state.
    Good,
    /// A word for a state to look at.
    Warning,
    /// Wrong, broken, NaN.
    Wrong,
    /// The banner of a failure.
    Banner,
    /// Switched off.
    Off,
    /// Changed by the ablation.
    Changed,
    /// Bars and curves: the main series.
    Bar,
    /// The second series: validation, or with the ablation.
    Second,
    /// A positive part.
    Positive,
    /// A negative part.
    Negative,
}

/// A scale of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0 to 1, dark to bright.
    Sequential,
    /// From 0 over one half, where it is darkest, to 1: blue, dark, orange.
    Diverging,
}

/// How things look on this terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) depth: ColorDepth,
    pub(super) glyphs: Glyphs,
    /// What roles have to be readable on; heat scales bring their own.
    pub(super) ground: Ground,
}

/// Viridis, sixteen steps: perceptually even, and ordered for colour-blind eyes.
const SEQUENTIAL: [u32; 16] = [
    0x440154, 0x481a6c, 0x472f7d, 0x414487, 0x39568c, 0x31688e, 0x2a788e, 0x23888e, 0x1f988b, 0x22a884,
    0x35b779, 0x54c568, 0x7ad151, 0xa5db36, 0xd2e21b, 0xfde725,
];
/// Its neighbours among the 256, each lighter than the one before.
const SEQUENTIAL_256: [u8; 16] = [53, 54, 55, 24, 25, 61, 30, 31, 35, 36, 37, 78, 113, 149, 184, 226];
const SEQUENTIAL_16: [Color; 8] = [
    Color::Black,
    Color::Blue,
    Color::Red,
    Color::Magenta,
    Color::LightRed,
    Color::Yellow,
    Color::LightYellow,
    Color::White,
];
/// From the middle outwards.
const BELOW: [u32; 8] = [0x262626, 0x2d3a45, 0x354f64, 0x3c6383, 0x4477a2, 0x4b8bc1, 0x53a0e0, 0x5ab4ff];
const ABOVE: [u32; 8] = [0x262626, 0x453a21, 0x644d1b, 0x836116, 0xa27510, 0xc1890b, 0xe09c05, 0xffb000];
const BELOW_256: [u8; 8] = [235, 237, 23, 25, 31, 38, 75, 81];
const ABOVE_256: [u8; 8] = [235, 58, 94, 130, 136, 178, 214, 220];
const BELOW_16: [Color; 4] = [Color::Black, Color::Blue, Color::LightBlue, Color::LightCyan];
const ABOVE_16: [Color; 4] = [Color::Black, Color::Red, Color::Yellow, Color::LightYellow];

/// Ink on paper, where there are no colours; a plus or a minus would be taken for a sign.
const SHADES: [char; 8] = [' ', '.', ':', 'o', 'x', '%', '#', '@'];
/// The same with a sign: letters below zero, digits above.
const SIGNED_SHADES: [char; 19] =
    ['i', 'h', 'g', 'f', 'e', 'd', 'c', 'b', 'a', '.', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

fn modifier(role: Role) -> Modifier {
    match role {
        Role::Strong | Role::Title | Role::Warning | Role::Wrong | Role::Off => Modifier::BOLD,
        Role::Cursor | Role::Banner => Modifier::REVERSED.union(Modifier::BOLD),
        Role::Changed => Modifier::BOLD.union(Modifier::UNDERLINED),
        _ => Modifier::empty(),
    }
}

/// Of the 256, on black and on Solarized's dark ground.
fn dark(role: Role) -> Option<u8> {
    Some(match role {
        Role::Plain | Role::Strong | Role::Cursor => return None,
        Role::Faint => 247,
        Role::Title | Role::Key | Role::Bar => 80,
        Role::Good => 114,
        Role::Warning | Role::Changed | Role::Second | Role::Positive => 221,
        Role::Wrong | Role::Banner => 210,
        Role::Off => 213,
        Role::Negative => 117,
    })
}

/// Of the 256, on white and on Solarized's light ground.
fn light(role: Role) -> Option<u8> {
    Some(match role {
        Role::Plain | Role::Strong | Role::Cursor => return None,
        Role::Faint => 241,
        Role::Title | Role::Key | Role::Bar => 24,
        Role::Good => 22,
        Role::Warning | Role::Changed | Role::Second | Role::Positive => 94,
        Role::Wrong | Role::Banner => 160,
        Role::Off => 127,
        Role::Negative => 25,
    })
}

/// Of the sixteen few are bright enough on a dark ground in every common palette: Solarized's bright black is its
/// ground, VGA's yellow a brown. On a light ground there is none but black.
fn dark_16(role: Role) -> Option<Color> {
    match role {
        Role::Title | Role::Key | Role::Bar => Some(Color::Cyan),
        Role::Good => Some(Color::Green),
        Role::Negative => Some(Color::LightCyan),
        _ => None,
    }
}

impl Theme {
    /// The style of a role.
    pub(super) fn style(self, role: Role) -> Style {
        let style = Style::new().add_modifier(modifier(role));
        let color = match (self.depth, self.ground) {
            (ColorDepth::None, _) | (ColorDepth::Ansi16, Ground::Light) => None,
            (ColorDepth::Ansi16, Ground::Dark) => dark_16(role),
            (_, Ground::Dark) => dark(role).map(Color::Indexed),
            (_, Ground::Light) => light(role).map(Color::Indexed),
        };
        color.map_or(style, |color| style.fg(color))
    }

    /// Whether one cell can show two values, one above the other.
    pub(super) fn has_halves(self) -> bool {
        self.glyphs != Glyphs::Ascii && self.depth != ColorDepth::None
    }

    /// Steps of a heat scale.
    pub(super) fn steps(self, scale: Scale) -> usize {
        if !self.has_halves() {
            return if scale == Scale::Diverging { SIGNED_SHADES.len() } else { SHADES.len() };
        }
        match self.depth {
            ColorDepth::TrueColor | ColorDepth::Indexed256 => 16,
            ColorDepth::Ansi16 | ColorDepth::None => 8,
        }
    }

    /// The character for `x` of 0 to 1 where halves cannot be shown.
    pub(super) fn shade(scale: Scale, x: f32) -> char {
        match scale {
            Scale::Sequential => SHADES[step(x, SHADES.len())],
            Scale::Diverging => SIGNED_SHADES[step(x, SIGNED_SHADES.len())],
        }
    }

    /// The colour for `x` of 0 to 1.
    pub(super) fn heat(self, scale: Scale, x: f32) -> Color {
        let rich = matches!(self.depth, ColorDepth::TrueColor);
        match (self.depth, scale) {
            (ColorDepth::None, _) => Color::Reset,
            (ColorDepth::Ansi16, Scale::Sequential) => SEQUENTIAL_16[step(x, 8)],
            (ColorDepth::Ansi16, Scale::Diverging) => {
                let (below, at) = fold(x, 4);
                if below { BELOW_16[at] } else { ABOVE_16[at] }
            }
            (_, Scale::Sequential) if rich => Color::from_u32(SEQUENTIAL[step(x, 16)]),
            (_, Scale::Sequential) => Color::Indexed(SEQUENTIAL_256[step(x, 16)]),
            (_, Scale::Diverging) => {
                let (below, at) = fold(x, 8);
                match (rich, below) {
                    (true, true) => Color::from_u32(BELOW[at]),
                    (true, false) => Color::from_u32(ABOVE[at]),
                    (false, true) => Color::Indexed(BELOW_256[at]),
                    (false, false) => Color::Indexed(ABOVE_256[at]),
                }
            }
        }
    }

    /// A block in the colour for `x` of 0 to 1.
    pub(super) fn heat_style(self, scale: Scale, x: f32) -> Style {
        if self.depth == ColorDepth::None { Style::new() } else { Style::new().fg(self.heat(scale, x)) }
    }

    /// Whether text is readable on a heat scale: of the sixteen colours nobody knows how bright they are.
    pub(super) fn has_heat_text(self) -> bool {
        self.depth > ColorDepth::Ansi16
    }

    /// Text upon the colour for `x` of 0 to 1.
    pub(super) fn heat_text(self, scale: Scale, x: f32) -> Style {
        if !self.has_heat_text() {
            return Style::new();
        }
        let paper = self.heat(scale, x);
        let is_bright = rgb(paper).is_some_and(|rgb| luminance(rgb) > 0.18);
        Style::new().fg(Color::Indexed(if is_bright { 16 } else { 231 })).bg(paper)
    }

    /// The colour of a heat map's cell under the cursor: in no scale.
    pub(super) fn heat_cursor(self) -> Color {
        match self.depth {
            ColorDepth::None => Color::Reset,
            ColorDepth::Ansi16 => Color::LightMagenta,
            ColorDepth::Indexed256 | ColorDepth::TrueColor => Color::Indexed(213),
        }
    }
}

/// The light of a colour that means the same on every terminal, of 0 to 1.
fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| match f64::from(channel) / 255.0 {
        share if share <= 0.04045 => share / 12.92,
        share => ((share + 0.055) / 1.055).powf(2.4),
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// A colour that means the same on every terminal.
fn rgb(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index @ 16..) => Some(rgb_of_index(index)),
        _ => None,
    }
}

/// The step of `x` of 0 to 1. A NaN, which callers draw otherwise, is the lowest.
fn step(x: f32, steps: usize) -> usize {
    ((x * steps as f32) as usize).min(steps - 1)
}

/// Whether `x` of 0 to 1 lies below the middle, and the step of its distance from it.
fn fold(x: f32, steps: usize) -> (bool, usize) {
    let distance = (x - 0.5) * 2.0;
    (distance < 0.0, step(distance.abs(), steps))
}

#[cfg(test)]
mod tests;
