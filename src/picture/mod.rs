//! Pictures of a screen for reviewers: [`text()`] with readable styles, and [`svg()`].
//!
//! Both are pure: the same buffer gives the same bytes, independent of terminal and time.

mod palette;
mod shapes;
mod svg;
mod text;
pub(crate) mod xterm;

use ratatui::buffer::{Buffer, Cell, CellWidth};

pub use svg::svg;
pub use text::text;

/// The visible cells of each line, with their columns and widths: cells covered by a wide glyph are left out.
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

/// The text of a cell. Control characters are replaced as for a terminal.
fn glyph(cell: &Cell) -> &str {
    let symbol = cell.symbol();
    if symbol.contains(crate::sanitize::is_hostile) { "?" } else { symbol }
}
