//! xterm's default palette, which most terminals share from number 16 on.

use ratatui::style::Color;

/// xterm's values of the sixteen named colours, in the order of their numbers.
pub(crate) const NAMED: [((u8, u8, u8), Color); 16] = [
    ((0, 0, 0), Color::Black),
    ((205, 0, 0), Color::Red),
    ((0, 205, 0), Color::Green),
    ((205, 205, 0), Color::Yellow),
    ((0, 0, 238), Color::Blue),
    ((205, 0, 205), Color::Magenta),
    ((0, 205, 205), Color::Cyan),
    ((229, 229, 229), Color::Gray),
    ((127, 127, 127), Color::DarkGray),
    ((255, 0, 0), Color::LightRed),
    ((0, 255, 0), Color::LightGreen),
    ((255, 255, 0), Color::LightYellow),
    ((92, 92, 255), Color::LightBlue),
    ((255, 0, 255), Color::LightMagenta),
    ((0, 255, 255), Color::LightCyan),
    ((255, 255, 255), Color::White),
];

/// The six levels of the colour cube, 16 to 231.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The colour of one of the 256 indices, in xterm's default palette.
pub(crate) fn rgb_of_index(index: u8) -> (u8, u8, u8) {
    match index {
        0..16 => NAMED[usize::from(index)].0,
        16..232 => {
            let level = |step: u8| CUBE[usize::from((index - 16) / step % 6)];
            (level(36), level(6), level(1))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}
