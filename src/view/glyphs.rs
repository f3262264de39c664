//! Replaces characters that the terminal's font lacks, one cell by one cell so that the layout stays.

use ratatui::buffer::{Buffer, CellWidth};

use super::theme::Theme;
use crate::term::Glyphs;

impl Theme {
    pub(super) fn in_its_font(self, buffer: &mut Buffer) {
        let nearest = match self.glyphs {
            Glyphs::Utf8 => return,
            Glyphs::Console => console,
            Glyphs::Ascii => ascii,
        };
        for at in 0..buffer.content.len() {
            let symbol = buffer.content[at].symbol();
            let (first, cells) = (symbol.chars().next().unwrap_or(' '), usize::from(symbol.cell_width()));
            if cells > 1 {
                // A wide character becomes one `?` per cell.
                buffer.content[at..].iter_mut().take(cells).for_each(|cell| {
                    cell.set_char('?');
                });
            } else if !symbol.is_ascii() {
                buffer.content[at].set_char(nearest(first));
            }
        }
    }
}

/// The nearest character below 0x80.
fn ascii(glyph: char) -> char {
    match glyph {
        c if c.is_ascii() => c,
        '─' | '━' | '╸' | '▔' | '–' | '▌' | '▐' | '▃' => '-',
        '▏' | '▎' | '▁' | '·' | '…' => '.',
        '▍' | '▂' => ':',
        '▋' | '▄' | '▀' => '=',
        '▊' | '▅' => '+',
        '▉' | '▆' | '●' | '◆' => '*',
        '▇' => '%',
        '█' | '■' => '#',
        '│' | '┤' | '┼' => '|',
        '✕' | '×' => 'x',
        '○' => 'o',
        '▸' | '→' | '▶' | '≥' => '>',
        '◂' | '←' | '◀' | '≤' => '<',
        '▾' | '↓' => 'v',
        '²' => '2',
        '↑' => '^',
        _ => '?',
    }
}

/// The drawn non-ASCII characters that code page 437 contains.
const CONSOLE: &str = "─│┤┼═█▄▌▐▀■•○♦·²≤≥←↑→↓◄▲►▼";

/// The nearest character of code page 437, the default font of the Linux console.
fn console(glyph: char) -> char {
    match glyph {
        c if c.is_ascii() || CONSOLE.contains(c) => c,
        '━' | '╸' => '═',
        '▔' => '▀',
        '▏' | '▎' | '▍' | '▋' => '▌',
        '▊' | '▉' | '▆' | '▇' => '█',
        '▁' | '▂' => '_',
        '▃' | '▅' => '▄',
        '●' => '•',
        '◆' => '♦',
        '…' => '·',
        '▸' | '▶' => '►',
        '◂' | '◀' => '◄',
        '▾' => '▼',
        _ => ascii(glyph),
    }
}
