//! Colours as named roles, in this one file.
//!
//! Roles use the terminal's own sixteen colours, so that they fit whatever palette the user chose. Only heat scales,
//! which need many ordered steps, use 256 or 24-bit colours where the terminal has them. Whatever a colour says is also
//! said by a character, a word or a number.

#![expect(clippy::unreadable_literal, reason = "colours are written RRGGBB")]

use ratatui::style::{Color, Modifier, Style};

use crate::term::{ColorDepth, Glyphs};

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

/// Ink on paper, where there are no colours.
const SHADES: [char; 10] = [' ', '.', ':', '-', '=', '+', '*', '#', '%', '@'];

impl Theme {
    /// The style of a role.
    pub(super) fn style(self, role: Role) -> Style {
        let (color, modifier) = match role {
            Role::Plain => (Color::Reset, Modifier::empty()),
            Role::Strong => (Color::Reset, Modifier::BOLD),
            Role::Faint => (Color::DarkGray, Modifier::empty()),
            Role::Title => (Color::Cyan, Modifier::BOLD),
            Role::Cursor => (Color::Reset, Modifier::REVERSED.union(Modifier::BOLD)),
            Role::Good => (Color::Green, Modifier::empty()),
            Role::Warning => (Color::Yellow, Modifier::BOLD),
            Role::Wrong => (Color::Red, Modifier::BOLD),
            Role::Banner => (Color::Red, Modifier::REVERSED.union(Modifier::BOLD)),
            Role::Off => (Color::Magenta, Modifier::BOLD),
            Role::Changed => (Color::Yellow, Modifier::BOLD.union(Modifier::UNDERLINED)),
            Role::Key | Role::Bar => (Color::Cyan, Modifier::empty()),
            Role::Second | Role::Positive => (Color::Yellow, Modifier::empty()),
            Role::Negative => (Color::LightBlue, Modifier::empty()),
        };
        let style = Style::new().add_modifier(modifier);
        match (self.depth, color) {
            (ColorDepth::None, _) | (_, Color::Reset) => style,
            _ => style.fg(color),
        }
    }

    /// Whether one cell can show two values, one above the other.
    pub(super) fn has_halves(self) -> bool {
        self.glyphs == Glyphs::Utf8 && self.depth != ColorDepth::None
    }

    /// Steps of a heat scale.
    pub(super) fn steps(self) -> usize {
        match self.depth {
            _ if !self.has_halves() => SHADES.len(),
            ColorDepth::TrueColor | ColorDepth::Indexed256 => 16,
            ColorDepth::Ansi16 | ColorDepth::None => 8,
        }
    }

    /// The character for `x` of 0 to 1 where halves cannot be shown.
    pub(super) fn shade(x: f32) -> char {
        SHADES[step(x, SHADES.len())]
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

    /// Text in the colour for `x` of 0 to 1.
    pub(super) fn heat_style(self, scale: Scale, x: f32) -> Style {
        if self.depth == ColorDepth::None { Style::new() } else { Style::new().fg(self.heat(scale, x)) }
    }

    /// Text upon the colour for `x` of 0 to 1.
    pub(super) fn heat_text(self, scale: Scale, x: f32) -> Style {
        if self.depth == ColorDepth::None {
            return Style::new();
        }
        let is_bright = (x - 0.5).abs() > 0.25;
        let ink = if is_bright { Color::Black } else { Color::White };
        Style::new().fg(ink).bg(self.heat(scale, x))
    }

    /// The colour of a heat map's cell under the cursor: in no scale.
    pub(super) fn heat_cursor(self) -> Color {
        if self.depth == ColorDepth::None { Color::Reset } else { Color::LightMagenta }
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
mod tests {
    use super::*;

    #[test]
    fn without_colours_no_role_has_one() {
        let theme = Theme { depth: ColorDepth::None, glyphs: Glyphs::Utf8 };
        for role in [Role::Wrong, Role::Title, Role::Bar, Role::Off, Role::Banner] {
            assert_eq!((theme.style(role).fg, theme.style(role).bg), (None, None), "{role:?}");
        }
        assert_eq!(theme.heat(Scale::Sequential, 0.7), Color::Reset);
    }

    #[test]
    fn scales_stay_in_their_range() {
        for depth in [ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::TrueColor] {
            let theme = Theme { depth, glyphs: Glyphs::Utf8 };
            for scale in [Scale::Sequential, Scale::Diverging] {
                for x in [-1.0, 0.0, 0.5, 1.0, 2.0, f32::NAN, f32::INFINITY] {
                    theme.heat(scale, x);
                }
            }
        }
    }
}
