//! Pictures of a screen, for people to review: text with readable styles, and SVG.

use ratatui::buffer::Buffer;

/// The screen as text.
pub fn text(_buffer: &Buffer) -> String {
    String::new()
}
/// The screen as an SVG image.
pub fn svg(_buffer: &Buffer, _title: &str) -> String {
    String::new()
}
