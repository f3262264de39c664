//! Values as marks on one line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

/// A value and its mark; of marks in one column the last is shown.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct Dot {
    pub(in crate::view) value: f64,
    pub(in crate::view) mark: char,
    pub(in crate::view) style: Style,
}

/// Marks on a line from `low` to `high`; values outside it have none, nor has NaN.
#[derive(Clone, Copy, Debug)]
pub(in crate::view) struct Dots<'a> {
    pub(in crate::view) low: f64,
    pub(in crate::view) high: f64,
    pub(in crate::view) marks: &'a [Dot],
}

impl Dots<'_> {
    /// Column of a value among so many.
    pub(in crate::view) fn column(&self, value: f64, columns: u16) -> Option<u16> {
        let is_on = self.high > self.low && (self.low..=self.high).contains(&value);
        let share = (value - self.low) / (self.high - self.low);
        (is_on && columns > 0).then(|| (share * f64::from(columns - 1)).round() as u16)
    }
}

impl Widget for &Dots<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = Rect { height: area.height.min(1), ..area }.intersection(buffer.area);
        for dot in self.marks {
            if let Some(at) = self.column(dot.value, area.width).filter(|_| area.height > 0) {
                buffer[(area.x + at, area.y)].set_char(dot.mark).set_style(dot.style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_on_the_line_have_a_mark() {
        let line = |high| Dots { low: 0.0, high, marks: &[] };
        let columns = [0.0, 0.5, 2.0, 2.1, f64::INFINITY, f64::NAN].map(|value| line(2.0).column(value, 21));
        assert_eq!(columns, [Some(0), Some(5), Some(20), None, None, None]);
        assert_eq!(line(0.0).column(0.0, 20), None, "a line of no length");
    }

    #[test]
    fn of_two_marks_in_a_column_the_last_is_shown() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 1));
        let dot = |value, mark| Dot { value, mark, style: Style::new() };
        let dots = [dot(1.0, 'o'), dot(0.0, 'o'), dot(1.0, '*')];
        Dots { low: 0.0, high: 1.0, marks: &dots }.render(buffer.area, &mut buffer);
        assert_eq!(buffer, Buffer::with_lines(["o   *"]));
    }
}
