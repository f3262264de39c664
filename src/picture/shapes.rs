//! Block and line glyphs as rectangles: fonts draw them differently, geometry does not.

/// A rectangle within a cell of [`CELL`], in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// In percent.
    pub(super) opacity: u32,
}

/// Width and height of a cell: both divide by eight, so that block elements have whole pixels.
pub(super) const CELL: (u32, u32) = (8, 16);

const WIDTH: u32 = CELL.0;
const HEIGHT: u32 = CELL.1;

/// How a glyph is drawn; `None` for one that is text.
pub(super) fn shapes(glyph: &str) -> Option<Vec<Shape>> {
    let mut characters = glyph.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return None;
    };
    match character {
        '\u{2580}'..='\u{259f}' => Some(block(character)),
        '\u{2800}'..='\u{28ff}' => Some(braille(character)),
        '\u{2500}'..='\u{257f}' => lines(character),
        _ => None,
    }
}

impl Shape {
    pub(super) const fn rect(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height, opacity: 100 }
    }

    /// Whether the shape spans the cell from left to right.
    pub(super) const fn spans_the_cell(&self) -> bool {
        self.x == 0 && self.width == WIDTH
    }
}

/// Halves, eighths, shades and quadrants.
fn block(character: char) -> Vec<Shape> {
    let code = u32::from(character);
    let lower = |eighths| Shape::rect(0, HEIGHT - HEIGHT * eighths / 8, WIDTH, HEIGHT * eighths / 8);
    let left = |eighths| Shape::rect(0, 0, WIDTH * eighths / 8, HEIGHT);
    let shade = |opacity| Shape { opacity, ..Shape::rect(0, 0, WIDTH, HEIGHT) };
    vec![match character {
        '▀' => Shape::rect(0, 0, WIDTH, HEIGHT / 2),
        '▁'..='█' => lower(code - 0x2580),
        '▉'..='▏' => left(0x2590 - code),
        '▐' => Shape::rect(WIDTH / 2, 0, WIDTH / 2, HEIGHT),
        '░' => shade(25),
        '▒' => shade(50),
        '▓' => shade(75),
        '▔' => Shape::rect(0, 0, WIDTH, HEIGHT / 8),
        '▕' => Shape::rect(WIDTH * 7 / 8, 0, WIDTH / 8, HEIGHT),
        _ => return quadrants(QUADRANTS[code as usize - 0x2596]),
    }]
}

/// U+2596 to U+259F as bits: upper left 1, upper right 2, lower left 4, lower right 8.
const QUADRANTS: [u8; 10] = [4, 8, 1, 13, 9, 7, 11, 2, 6, 14];

fn quadrants(bits: u8) -> Vec<Shape> {
    let (width, height) = (WIDTH / 2, HEIGHT / 2);
    (0..4)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| Shape::rect(bit % 2 * width, bit / 2 * height, width, height))
        .collect()
}

fn braille(character: char) -> Vec<Shape> {
    let bits = u32::from(character) - 0x2800;
    // The first six dots are numbered down the columns; the last two form the bottom row.
    let place = |bit: u32| if bit < 6 { (bit / 3, bit % 3) } else { (bit - 6, 3) };
    (0..8)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| {
            let (column, row) = place(bit);
            Shape::rect(column * 4 + 1, row * 4 + 1, 2, 2)
        })
        .collect()
}

/// The arms of a box-drawing character from the centre of the cell; rounded corners are drawn square.
fn lines(character: char) -> Option<Vec<Shape>> {
    let (_, [up, right, down, left]) = ARMS.iter().find(|(all, _)| all.contains(character))?;
    let (x, y) = (WIDTH / 2, HEIGHT / 2);
    // Each arm covers the crossing, which is as thick as the thickest arm, so that corners close.
    let thickest = *up.max(down).max(left).max(right);
    let (before, after) = (thickest / 2, thickest - thickest / 2);
    let arms = [
        Shape::rect(x - up / 2, 0, *up, y + after),
        Shape::rect(x - before, y - right / 2, WIDTH - x + before, *right),
        Shape::rect(x - down / 2, y - before, *down, HEIGHT - y + before),
        Shape::rect(0, y - left / 2, x + after, *left),
    ];
    // A straight line is one rectangle, so that neighbours can be joined.
    match [up, right, down, left] {
        [0, right, 0, left] if right == left => Some(vec![Shape::rect(0, y - right / 2, WIDTH, *right)]),
        [up, 0, down, 0] if up == down => Some(vec![Shape::rect(x - up / 2, 0, *up, HEIGHT)]),
        _ => Some(arms.into_iter().filter(|arm| arm.width > 0 && arm.height > 0).collect()),
    }
}

/// The weights of the arms up, right, down and left.
const ARMS: [(&str, [u32; 4]); 36] = [
    ("─", [0, 1, 0, 1]),
    ("━", [0, 2, 0, 2]),
    ("│", [1, 0, 1, 0]),
    ("┃", [2, 0, 2, 0]),
    ("┌╭", [0, 1, 1, 0]),
    ("┐╮", [0, 0, 1, 1]),
    ("└╰", [1, 1, 0, 0]),
    ("┘╯", [1, 0, 0, 1]),
    ("├", [1, 1, 1, 0]),
    ("┤", [1, 0, 1, 1]),
    ("┬", [0, 1, 1, 1]),
    ("┴", [1, 1, 0, 1]),
    ("┼", [1, 1, 1, 1]),
    ("┏", [0, 2, 2, 0]),
    ("┓", [0, 0, 2, 2]),
    ("┗", [2, 2, 0, 0]),
    ("┛", [2, 0, 0, 2]),
    ("┣", [2, 2, 2, 0]),
    ("┫", [2, 0, 2, 2]),
    ("┳", [0, 2, 2, 2]),
    ("┻", [2, 2, 0, 2]),
    ("╋", [2, 2, 2, 2]),
    ("╴", [0, 0, 0, 1]),
    ("╵", [1, 0, 0, 0]),
    ("╶", [0, 1, 0, 0]),
    ("╷", [0, 0, 1, 0]),
    ("╸", [0, 0, 0, 2]),
    ("╹", [2, 0, 0, 0]),
    ("╺", [0, 2, 0, 0]),
    ("╻", [0, 0, 2, 0]),
    ("╼", [0, 2, 0, 1]),
    ("╽", [1, 0, 2, 0]),
    ("╾", [0, 1, 0, 2]),
    ("╿", [2, 0, 1, 0]),
    ("┝", [1, 2, 1, 0]),
    ("┥", [1, 0, 1, 2]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn area(glyph: &str) -> u32 {
        shapes(glyph).unwrap().iter().map(|shape| shape.width * shape.height).sum()
    }

    #[test]
    fn eighths_grow_evenly_from_the_bottom_and_from_the_left() {
        let eighth = WIDTH * HEIGHT / 8;
        for (count, glyph) in (1..).zip(["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]) {
            let [shape] = shapes(glyph).unwrap()[..] else { panic!("{glyph}") };
            assert_eq!(area(glyph), eighth * count, "{glyph}");
            assert_eq!((shape.x, shape.y + shape.height), (0, HEIGHT), "{glyph}");
        }
        for (count, glyph) in (1..).zip(["▏", "▎", "▍", "▌", "▋", "▊", "▉"]) {
            let [shape] = shapes(glyph).unwrap()[..] else { panic!("{glyph}") };
            assert_eq!(area(glyph), eighth * count, "{glyph}");
            assert_eq!((shape.x, shape.y), (0, 0), "{glyph}");
        }
    }

    #[test]
    fn halves_and_quadrants_complete_each_other() {
        let whole = WIDTH * HEIGHT;
        for (one, other) in
            [("▀", "▄"), ("▌", "▐"), ("▚", "▞"), ("▙", "▝"), ("▛", "▗"), ("▜", "▖"), ("▟", "▘")]
        {
            assert_eq!(area(one) + area(other), whole, "{one}{other}");
        }
    }

    #[test]
    fn every_shape_stays_in_its_cell() {
        for code in (0x2500..=0x259f).chain(0x2800..=0x28ff) {
            let glyph = char::from_u32(code).unwrap().to_string();
            for shape in shapes(&glyph).unwrap_or_default() {
                assert!(shape.x + shape.width <= WIDTH, "{glyph} {shape:?}");
                assert!(shape.y + shape.height <= HEIGHT, "{glyph} {shape:?}");
            }
        }
        assert_eq!(shapes("a"), None);
        assert_eq!(shapes("═"), None);
        assert_eq!(shapes("█\u{301}"), None);
    }

    #[test]
    fn braille_dots_sit_where_unicode_numbers_them() {
        let dot = |glyph| shapes(glyph).unwrap().iter().map(|dot| (dot.x, dot.y)).collect::<Vec<_>>();
        assert_eq!(dot("⠁"), [(1, 1)]);
        assert_eq!(dot("⠠"), [(5, 9)]);
        assert_eq!(dot("⡀"), [(1, 13)]);
        assert_eq!(dot("⢀"), [(5, 13)]);
    }
}
