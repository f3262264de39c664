//! Characters that the terminal's font has, one for one so that nothing moves.

use std::borrow::Cow;

use ratatui::buffer::CellWidth;
use ratatui::text::Span;

use super::ink::graphemes;
use super::theme::Theme;
use crate::term::Glyphs;

impl Theme {
    /// The nearest character that the terminal has.
    pub(super) fn glyph(self, glyph: char) -> char {
        match self.glyphs {
            Glyphs::Utf8 => glyph,
            Glyphs::Console => console(glyph),
            Glyphs::Ascii => ascii(glyph),
        }
    }

    /// The nearest text, cell for cell.
    pub(super) fn in_its_font(self, text: &str) -> Cow<'static, str> {
        let cells = |grapheme: &str| match grapheme.chars().next() {
            Some(glyph) if grapheme.cell_width() == 1 => self.glyph(glyph).into(),
            _ => "?".repeat(grapheme.cell_width().into()),
        };
        graphemes(&Span::raw(text)).map(cells).collect::<String>().into()
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
        '▸' | '→' | '▶' | '≥' => '>',
        '◂' | '←' | '◀' | '≤' => '<',
        '▾' | '↓' => 'v',
        '²' => '2',
        '↑' => '^',
        _ => '?',
    }
}

/// What code page 437 has beyond ASCII, of all that is drawn.
const CONSOLE: &str = "─│┤┼═█▄▌▐▀■•♦·²≤≥←↑→↓◄▲►▼";

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
