//! How the app looks: pure functions from `&App` to a frame. No channel, no thread, no clock, no file.

pub mod theme;

use ratatui::Frame;

use crate::app::App;

/// Lines around the list of keys.
pub(crate) const HELP_CHROME: u16 = 3;

/// Draws the whole screen.
pub fn draw(_frame: &mut Frame<'_>, _app: &App) {}
