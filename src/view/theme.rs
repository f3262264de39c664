//! Colours as named roles.
//!
//! Roles use the 256-colour palette, or the ANSI colours on terminals without one; heat scales, which need many ordered
//! steps, also use 24-bit colours. No meaning is carried by colour alone: a character, a word or a number repeats it.

use ratatui::style::{Color, Modifier, Style};

use super::widgets::{Ramp, Scale};
use crate::term::{ColorDepth, Glyphs, Ground};

/// The meaning of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A number or a word.
    Plain,
    /// The most important part of a line.
    Strong,
    /// Labels, rules, units.
    Faint,
    /// A heading.
    Title,
    /// A key.
    Key,
    /// The entry under the cursor.
    Cursor,
    /// A good state.
    Good,
    /// A state that needs attention.
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
    /// A positive value.
    Positive,
    /// A negative value.
    Negative,
}

/// Colours and characters for this terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) depth: ColorDepth,
    pub(super) glyphs: Glyphs,
    /// The background that roles must be readable on; heat scales set their own.
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

/// Colours of the 256-colour palette, readable on black and on Solarized's dark background.
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

/// Colours of the 256-colour palette, readable on white and on Solarized's light background.
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

/// The few ANSI colours that are bright enough on a dark background in every common palette: Solarized's bright black
/// is its background, VGA's yellow is brown. On a light background only black qualifies.
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

    /// A scale of colours, or of characters if a cell cannot show two values.
    pub(super) fn ramp(self, scale: Scale) -> Ramp {
        Ramp { scale, depth: self.depth, has_halves: self.has_halves() }
    }

    /// Map rows that fit on `lines`.
    pub(super) fn map_rows(self, lines: u16) -> usize {
        usize::from(lines) * if self.has_halves() { 2 } else { 1 }
    }
}

#[cfg(test)]
pub(super) mod palettes;
#[cfg(test)]
mod tests;
