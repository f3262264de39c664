//! Colours as named roles, in this one file.
//!
//! Roles use the terminal's own sixteen colours, so that they fit whatever palette the user chose. Only heat scales,
//! which need many ordered steps, use 256 or 24-bit colours where the terminal has them. Whatever a colour says is also
//! said by a character, a word or a number.

use ratatui::style::{Color, Modifier, Style};

use super::widgets::{Ramp, Scale};
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

/// How things look on this terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) depth: ColorDepth,
    pub(super) glyphs: Glyphs,
    /// What roles have to be readable on; heat scales bring their own.
    pub(super) ground: Ground,
}

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

    /// A scale of colours, or of characters where there are no halves.
    pub(super) fn ramp(self, scale: Scale) -> Ramp {
        Ramp { scale, depth: self.depth, has_halves: self.has_halves() }
    }

    /// Rows of a map that fit on so many lines.
    pub(super) fn map_rows(self, lines: u16) -> usize {
        usize::from(lines) * if self.has_halves() { 2 } else { 1 }
    }
}

#[cfg(test)]
pub(super) mod palettes;
#[cfg(test)]
mod tests;
