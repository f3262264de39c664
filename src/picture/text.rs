//! The screen as text: the format of the snapshots of view tests.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::{glyph, lines};

/// The screen as text that a reviewer can read.
///
/// First the size and a ruler of columns, then the lines, numbered and framed to show trailing blanks; then, per line,
/// the runs of cells that differ from the default style. A run `3..9` covers the columns 3 to 8.
///
/// ```text
/// 12x2
///   0         10
/// 0|loss .0442  |
/// 1|  ▁▂▃ off   |
/// 0: 5..10 fg=cyan bold
/// 1: 2..5 fg=#20a0ff | 6..9 reversed
/// ```
pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let margin = area.height.saturating_sub(1).to_string().len();
    let mut picture = format!("{}x{}\n{:margin$} {}\n", area.width, area.height, "", ruler(area.width));
    for (row, cells) in lines(buffer).enumerate() {
        let shown: String = cells.iter().map(|(_, _, cell)| glyph(cell)).collect();
        push_line(&mut picture, format_args!("{row:margin$}|{shown}|"));
    }
    for (row, cells) in lines(buffer).enumerate() {
        let runs = runs(&cells);
        if !runs.is_empty() {
            push_line(&mut picture, format_args!("{row:margin$}: {}", runs.join(" | ")));
        }
    }
    picture
}

fn push_line(picture: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(picture, "{line}");
}

/// A ruler with the number of every tenth column.
fn ruler(width: u16) -> String {
    let mut ruler = String::new();
    for column in (0..width).step_by(10) {
        let _ = write!(ruler, "{column:<10}");
    }
    ruler.trim_end().to_owned()
}

fn runs(cells: &[(u32, u32, &Cell)]) -> Vec<String> {
    let mut runs: Vec<(u32, u32, String)> = Vec::new();
    for (column, width, cell) in cells {
        let style = style(cell);
        let end = column + width;
        match runs.last_mut() {
            Some((_, open, same)) if *open == *column && *same == style => *open = end,
            _ if style.is_empty() => {}
            _ => runs.push((*column, end, style)),
        }
    }
    runs.into_iter().map(|(start, end, style)| format!("{start}..{end} {style}")).collect()
}

fn style(cell: &Cell) -> String {
    let mut words = Vec::new();
    if cell.fg != Color::Reset {
        words.push(format!("fg={}", name(cell.fg)));
    }
    if cell.bg != Color::Reset {
        words.push(format!("bg={}", name(cell.bg)));
    }
    let attributes = ATTRIBUTES.iter().filter(|(attribute, _)| cell.modifier.contains(*attribute));
    words.extend(attributes.map(|(_, name)| (*name).to_owned()));
    words.join(" ")
}

const ATTRIBUTES: [(Modifier, &str); 9] = [
    (Modifier::BOLD, "bold"),
    (Modifier::DIM, "dim"),
    (Modifier::ITALIC, "italic"),
    (Modifier::UNDERLINED, "underlined"),
    (Modifier::SLOW_BLINK, "blinking"),
    (Modifier::RAPID_BLINK, "flashing"),
    (Modifier::REVERSED, "reversed"),
    (Modifier::HIDDEN, "hidden"),
    (Modifier::CROSSED_OUT, "crossed-out"),
];

fn name(color: Color) -> String {
    let name = match color {
        Color::Reset => "default",
        Color::Black => "black",
        Color::Red => "red",
        Color::Green => "green",
        Color::Yellow => "yellow",
        Color::Blue => "blue",
        Color::Magenta => "magenta",
        Color::Cyan => "cyan",
        Color::Gray => "gray",
        Color::DarkGray => "dark-gray",
        Color::LightRed => "light-red",
        Color::LightGreen => "light-green",
        Color::LightYellow => "light-yellow",
        Color::LightBlue => "light-blue",
        Color::LightMagenta => "light-magenta",
        Color::LightCyan => "light-cyan",
        Color::White => "white",
        Color::Indexed(index) => return index.to_string(),
        Color::Rgb(r, g, b) => return format!("#{r:02x}{g:02x}{b:02x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Stylize;
    use ratatui::text::Line;

    #[test]
    fn the_text_and_the_styles_of_a_screen() {
        let buffer = Buffer::with_lines([
            Line::from(vec!["loss ".into(), ".0442".cyan().bold(), "  ".into()]),
            Line::from(vec!["  ".into(), "▁▂▃".fg(Color::Rgb(32, 160, 255)), " ".into(), "off".reversed()]),
        ]);
        assert_eq!(
            text(&buffer),
            "12x2\n  0         10\n0|loss .0442  |\n1|  ▁▂▃ off   |\n\
             0: 5..10 fg=cyan bold\n1: 2..5 fg=#20a0ff | 6..9 reversed\n"
        );
    }

    #[test]
    fn a_wide_glyph_takes_its_two_columns_and_runs_stay_aligned() {
        let buffer = Buffer::with_lines([Line::from(vec!["漢".red(), "字".red(), "x".on_blue()])]);
        assert_eq!(text(&buffer), "5x1\n  0\n0|漢字x|\n0: 0..4 fg=red | 4..5 bg=blue\n");
    }

    #[test]
    fn row_numbers_are_as_wide_as_the_last() {
        let picture = text(&Buffer::empty(Rect::new(0, 0, 1, 11)));
        assert!(picture.starts_with("1x11\n   0\n 0| |\n"), "{picture}");
        assert!(picture.ends_with("10| |\n"), "{picture}");
    }

    #[test]
    fn every_size_is_accepted() {
        for (width, height) in [(0, 0), (0, 3), (3, 0)] {
            let picture = text(&Buffer::empty(Rect::new(0, 0, width, height)));
            assert!(picture.starts_with(&format!("{width}x{height}\n")));
        }
    }

    #[test]
    fn a_difference_in_style_alone_is_visible() {
        let plain = Buffer::with_lines(["x"]);
        assert_ne!(text(&plain), text(&Buffer::with_lines(["x".underlined()])));
        assert_ne!(
            text(&Buffer::with_lines(["x".fg(Color::Indexed(1))])),
            text(&Buffer::with_lines(["x".fg(Color::Red)]))
        );
    }
}
