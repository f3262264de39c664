//! The screen as an image.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;

use super::palette::{BACKGROUND, Rgb, colors, hex};
use super::shapes::{CELL, Shape, shapes};
use super::{glyph, lines};

/// The margin around the screen.
const MARGIN: u32 = 12;

const FONTS: &str = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace";

/// The screen as a self-contained SVG image; the title describes it for screen readers.
///
/// Every cell is where a terminal would have it, independent of the font: text is stretched to its cells, and block
/// elements, box drawing and braille are rectangles.
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let (width, height) = (u32::from(buffer.area.width) * CELL.0, u32::from(buffer.area.height) * CELL.1);
    let (outer_width, outer_height) = (width + 2 * MARGIN, height + 2 * MARGIN);
    let title = escape(title);
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {outer_width} {outer_height}\" \
         width=\"{outer_width}\" height=\"{outer_height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" font-family=\"{FONTS}\" font-size=\"13\" \
         xml:space=\"preserve\">\n",
        background = hex(BACKGROUND)
    );
    for (row, cells) in (0..).zip(lines(buffer)) {
        let mut line = Line { row, image: &mut image };
        line.backgrounds(&cells);
        line.glyphs(&cells);
    }
    image.push_str("</g>\n</svg>\n");
    image
}

/// Properties that neighbouring cells must share to be drawn as one.
#[derive(Clone, Copy, PartialEq)]
struct Ink {
    fill: Rgb,
    modifier: Modifier,
}

impl Ink {
    fn of(cell: &Cell) -> Self {
        let drawn = Modifier::BOLD
            | Modifier::ITALIC
            | Modifier::UNDERLINED
            | Modifier::CROSSED_OUT
            | Modifier::HIDDEN;
        Self { fill: colors(cell).0, modifier: cell.modifier & drawn }
    }
}

/// How a cell joins the one to its right.
#[derive(Clone, PartialEq)]
enum Kind {
    /// ASCII: neighbours are joined into one text.
    Text,
    /// Equal shapes that span the cell are joined with their neighbours.
    Shapes(Vec<Shape>),
    /// A glyph whose width depends on the font: stretched to its own cells.
    Lone,
}

impl Kind {
    fn of(glyph: &str) -> Self {
        if let Some(shapes) = shapes(glyph) {
            Self::Shapes(shapes)
        } else if glyph.is_ascii() {
            Self::Text
        } else {
            Self::Lone
        }
    }

    fn joins(&self, next: &Self) -> bool {
        match self {
            Self::Text => *next == Self::Text,
            Self::Shapes(shapes) => self == next && shapes.iter().all(Shape::spans_the_cell),
            Self::Lone => false,
        }
    }
}

/// Neighbouring cells that are drawn as one.
struct Run {
    column: u32,
    width: u32,
    ink: Ink,
    kind: Kind,
    text: String,
}

fn runs(cells: &[(u32, u32, &Cell)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (column, width, cell) in cells {
        let (ink, kind) = (Ink::of(cell), Kind::of(glyph(cell)));
        match runs.last_mut() {
            Some(run) if run.ink == ink && run.kind.joins(&kind) => {
                run.width += width;
                run.text.push_str(glyph(cell));
            }
            _ => runs.push(Run { column: *column, width: *width, ink, kind, text: glyph(cell).to_owned() }),
        }
    }
    runs
}

struct Line<'a> {
    row: u32,
    image: &'a mut String,
}

impl Line<'_> {
    fn backgrounds(&mut self, cells: &[(u32, u32, &Cell)]) {
        let mut runs: Vec<(u32, u32, Rgb)> = Vec::new();
        for (column, width, cell) in cells {
            let (_, fill) = colors(cell);
            match runs.last_mut() {
                Some((_, end, same)) if *same == fill => *end = column + width,
                _ => runs.push((*column, column + width, fill)),
            }
        }
        for (start, end, fill) in runs.into_iter().filter(|(.., fill)| *fill != BACKGROUND) {
            self.rect(start, Shape::rect(0, 0, (end - start) * CELL.0, CELL.1), fill);
        }
    }

    fn glyphs(&mut self, cells: &[(u32, u32, &Cell)]) {
        for run in runs(cells) {
            self.strokes(&run);
            match &run.kind {
                _ if run.ink.modifier.contains(Modifier::HIDDEN) => {}
                Kind::Shapes(shapes) => self.shapes(&run, shapes),
                Kind::Text | Kind::Lone => self.text(&run),
            }
        }
    }

    /// Underline and strike-through, as rectangles because blanks have them too.
    fn strokes(&mut self, run: &Run) {
        for (attribute, y) in [(Modifier::UNDERLINED, 14), (Modifier::CROSSED_OUT, 8)] {
            if run.ink.modifier.contains(attribute) {
                self.rect(run.column, Shape::rect(0, y, run.width * CELL.0, 1), run.ink.fill);
            }
        }
    }

    fn shapes(&mut self, run: &Run, shapes: &[Shape]) {
        for shape in shapes {
            let width = shape.width + (run.width - 1) * CELL.0;
            self.rect(run.column, Shape { width, ..*shape }, run.ink.fill);
        }
    }

    fn text(&mut self, run: &Run) {
        let shown = run.text.trim();
        if shown.is_empty() {
            return;
        }
        // Only ASCII text includes blanks, and in ASCII a byte is a column.
        let blanks = (run.text.len() - run.text.trim_start().len()) as u32;
        let columns = if run.kind == Kind::Text { shown.len() as u32 } else { run.width };
        let (x, y) = ((run.column + blanks) * CELL.0, self.row * CELL.1 + 12);
        let weight = if run.ink.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
        let slant = if run.ink.modifier.contains(Modifier::ITALIC) { " font-style=\"italic\"" } else { "" };
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\" \
             fill=\"{}\"{weight}{slant}>{}</text>",
            columns * CELL.0,
            hex(run.ink.fill),
            escape(shown)
        ));
    }

    fn rect(&mut self, column: u32, shape: Shape, fill: Rgb) {
        let (x, y) = (column * CELL.0 + shape.x, self.row * CELL.1 + shape.y);
        let Shape { width, height, opacity, .. } = shape;
        let opacity = if opacity < 100 { format!(" fill-opacity=\".{opacity}\"") } else { String::new() };
        self.push(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"{opacity} \
             shape-rendering=\"crispEdges\"/>",
            hex(fill)
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.image, "{element}");
    }
}

/// Escapes text for XML 1.0, which does not allow most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            _ if character.is_control() => escaped.push('?'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
