use super::*;
use proptest::prelude::*;
use ratatui::layout::Rect;
use ratatui::style::{Color, Stylize};
use ratatui::text::Line as TextLine;

fn image<'a>(line: impl Into<TextLine<'a>>) -> String {
    svg(&Buffer::with_lines([line.into()]), "title")
}

/// The elements inside the screen, without the frame around it.
fn elements(image: &str) -> Vec<&str> {
    image.lines().filter(|line| line.starts_with("<text") || line.starts_with("<rect x")).collect()
}

#[test]
fn a_run_of_text_is_one_element_stretched_to_its_cells() {
    let image = image(vec!["  ".into(), "ab cd".cyan().bold(), "  ".into()]);
    assert_eq!(
        elements(&image),
        ["<text x=\"16\" y=\"12\" textLength=\"40\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#56b6c2\" \
          font-weight=\"bold\">ab cd</text>"]
    );
}

#[test]
fn a_bar_is_one_rectangle_and_its_end_another() {
    let image = image("███▌");
    let [bar, end] = elements(&image)[..] else { panic!("{image}") };
    assert!(bar.starts_with("<rect x=\"0\" y=\"0\" width=\"24\" height=\"16\""), "{bar}");
    assert!(end.starts_with("<rect x=\"24\" y=\"0\" width=\"4\" height=\"16\""), "{end}");
}

#[test]
fn half_blocks_show_both_colours_of_a_cell() {
    let image = image("▀".fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(16)));
    let [background, half] = elements(&image)[..] else { panic!("{image}") };
    assert!(background.contains("height=\"16\" fill=\"#000000\""), "{background}");
    assert!(half.contains("height=\"8\" fill=\"#010203\""), "{half}");
}

#[test]
fn reversed_swaps_and_an_underline_runs_below_blanks() {
    let image = image(" x ".reversed().underlined());
    let [background, line, text] = elements(&image)[..] else { panic!("{image}") };
    assert!(background.contains("width=\"24\"") && background.contains("fill=\"#d0d4dc\""), "{background}");
    assert!(line.contains("y=\"14\" width=\"24\" height=\"1\" fill=\"#14171d\""), "{line}");
    assert!(text.contains("x=\"8\"") && text.contains("fill=\"#14171d\""), "{text}");
}

#[test]
fn a_wide_glyph_has_two_cells_and_its_neighbour_keeps_its_place() {
    let image = image("漢x");
    let [wide, narrow] = elements(&image)[..] else { panic!("{image}") };
    assert!(wide.contains("textLength=\"16\""), "{wide}");
    assert!(narrow.contains("<text x=\"16\""), "{narrow}");
}

#[test]
fn text_cannot_leave_its_element() {
    let buffer = Buffer::with_lines(["<&\">"]);
    let image = svg(&buffer, "</title><script>\u{1b}");
    assert!(image.contains(">&lt;&amp;&quot;&gt;</text>"));
    assert!(image.contains("<title>&lt;/title&gt;&lt;script&gt;?</title>"));
}

#[test]
fn an_empty_screen_is_an_image_too() {
    let image = svg(&Buffer::empty(Rect::ZERO), "");
    assert!(image.starts_with("<svg ") && image.ends_with("</svg>\n"));
}

/// Checks the XML that we write: tags nest, attributes are quoted, no stray markup, legal characters.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(
        xml.split('&')
            .skip(1)
            .all(|rest| ["amp;", "lt;", "gt;", "quot;"].iter().any(|name| rest.starts_with(name)))
    );
    let illegal = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!xml.contains(illegal));
}

proptest! {
    #[test]
    fn any_cell_content_is_well_formed(symbols in prop::collection::vec(any::<String>(), 12), title in any::<String>()) {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 3));
        for (cell, symbol) in buffer.content.iter_mut().zip(&symbols) {
            cell.set_symbol(symbol);
        }
        assert_well_formed(&svg(&buffer, &title));
    }
}
