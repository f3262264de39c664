//! Characters that the terminal's font has, one for one so that nothing moves.

use ratatui::buffer::{Buffer, CellWidth};

use super::theme::Theme;
use crate::term::Glyphs;

impl Theme {
    /// Replaces the characters that the terminal does not have, cell for cell.
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
                // Of an ideogram the cells alone are kept.
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

/// What code page 437 has beyond ASCII, of all that is drawn.
const CONSOLE: &str = "─│┤┼═█▄▌▐▀■•○♦·²≤≥←↑→↓◄▲►▼";

/// The nearest character of code page 437, which is the font of a Linux console unless another was loaded.
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
