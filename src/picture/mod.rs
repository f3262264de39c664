//! Pictures of a screen, for people to review: [`text()`] with readable styles, and [`svg()`].
//!
//! Both are pure: the same buffer gives the same bytes, whatever the terminal or the time.

mod palette;
mod shapes;
mod svg;
mod text;
pub(crate) mod xterm;

use ratatui::buffer::{Buffer, Cell, CellWidth};

pub use svg::svg;
pub use text::text;

/// The cells of each line that show something of their own, with their columns and widths: what a wide
/// glyph covers is left out.
fn lines(buffer: &Buffer) -> impl Iterator<Item = Vec<(u32, u32, &Cell)>> {
    let width = u32::from(buffer.area.width);
    buffer.content.chunks(width.max(1) as usize).map(move |cells| {
        let mut covered = 0;
        let own = |(column, cell)| {
            if column < covered {
                return None;
            }
            let wide = u32::from(glyph(cell).cell_width()).clamp(1, width - column);
            covered = column + wide;
            Some((column, wide, cell))
        };
        (0..width).zip(cells).filter_map(own).collect()
    })
}

/// What a cell shows. A cell that would steer a terminal shows what the terminal would get.
fn glyph(cell: &Cell) -> &str {
    let symbol = cell.symbol();
    if symbol.contains(crate::sanitize::is_hostile) { "?" } else { symbol }
}
