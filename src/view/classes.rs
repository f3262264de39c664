//! Accuracy per class, a column each; where there are too many classes, the worst.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Row;

use super::ink::{Ink, digits, part};
use super::number::share;
use super::theme::Role;
use super::widgets::Dots;

/// Columns for the names of lines.
const LABEL: u16 = 9;

/// Columns for a class of so many, with a gap.
fn pitch(classes: usize) -> u16 {
    digits(classes.saturating_sub(1)).max(4) + 1
}

/// A line of the table: its name and a share per class.
pub(super) type Line<'a> = (&'a str, &'a [Option<f64>]);

/// Draws the table: a line of classes, then the lines. The last line decides which classes are the worst.
pub(super) fn render(ink: &mut Ink<'_>, area: Rect, table: &[Line<'_>]) {
    let Some((_, deciding)) = table.last() else { return };
    let pitch = pitch(deciding.len());
    let room = usize::from(area.width.saturating_sub(LABEL) / pitch);
    let mut classes: Vec<usize> = (0..deciding.len()).collect();
    let title = if classes.len() > room { "worst" } else { "class" };
    if classes.len() > room {
        let known = |class: &usize| deciding[*class].unwrap_or(f64::INFINITY);
        classes.sort_by(|a, b| known(a).total_cmp(&known(b)));
        classes.truncate(room);
    }
    ink.text(area, 1, 0, title, Role::Faint);
    for (line, (name, values)) in table.iter().enumerate() {
        ink.text(area, 1, line as u16 + 1, name, Role::Faint);
        for (at, &class) in classes.iter().enumerate() {
            let end = LABEL + (at as u16 + 1) * pitch;
            if line == 0 {
                ink.text_right(area, end, 0, &class.to_string(), Role::Faint);
            }
            let value = values.get(class).copied().flatten();
            let fell = line > 0 && fell(table[0].1.get(class).copied().flatten(), value);
            let role = if fell { Role::Changed } else { Role::Plain };
            ink.text_right(area, end, line as u16 + 1, &share(value), role);
        }
    }
}

/// Whether a class lost more than a tenth.
fn fell(before: Option<f64>, after: Option<f64>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if before - after > 0.1)
}

/// Draws a line per class, with its error; where there are too many, the worst.
pub(super) fn render_list(ink: &mut Ink<'_>, area: Rect, values: &[Option<f64>]) {
    let mut classes: Vec<usize> = (0..values.len()).collect();
    let room = usize::from(area.height);
    let word = if classes.len() > room { "worst" } else { "class" };
    if classes.len() > room {
        let known = |class: &usize| values[*class].unwrap_or(f64::INFINITY);
        classes.sort_by(|a, b| known(a).total_cmp(&known(b)));
    }
    classes.truncate(room);
    let columns = Layout::horizontal([Constraint::Length(LABEL + 10), Constraint::Min(0)]).spacing(1);
    let [table, plot] = area.layout(&columns);
    let row = |class: &usize| {
        let (number, share) = (class.to_string(), share(values[*class]));
        let cells = [ink.right(number, Role::Plain), ink.right(share, Role::Plain)];
        Row::new([ink.left(format!(" {word}"), Role::Faint)].into_iter().chain(cells))
    };
    let rows: Vec<Row<'_>> = classes.iter().map(row).collect();
    ink.table(table, &[LABEL - 1, 5, 4], rows);
    let plot = Rect { width: plot.width.saturating_sub(1), ..plot };
    for (line, class) in plot.rows().zip(classes) {
        ink.error(line, values[class]);
    }
}

/// Whether a table of so many classes fits in so many columns.
pub(super) fn fits(classes: usize, width: u16) -> bool {
    classes <= usize::from(width.saturating_sub(LABEL) / pitch(classes))
}

/// Errors under the columns of a table of one line, on a logarithmic scale from [`FLOOR`] to 1.
pub(super) fn render_errors(ink: &mut Ink<'_>, area: Rect, y: u16, values: &[Option<f64>]) {
    if !fits(values.len(), area.width) {
        return;
    }
    let floor = format!("err{}1e-4", ink.at_least());
    ink.text(area, 1, y, &floor, Role::Faint);
    let pitch = pitch(values.len());
    for (class, value) in values.iter().enumerate() {
        ink.error(part(area, LABEL + class as u16 * pitch + 1, y, pitch - 1, 1), *value);
    }
}

/// The lowest error on the scale.
pub(super) const FLOOR: f64 = 1e-4;

impl Ink<'_> {
    /// The share of wrong answers as a mark on a logarithmic scale over the area's width; no error at all stands at its left.
    fn error(&mut self, area: Rect, accuracy: Option<f64>) {
        let scale = Dots { low: FLOOR.log10(), high: 0.0, marks: &[] };
        let Some(error) = accuracy.map(|accuracy| 1.0 - accuracy) else { return };
        if error <= 0.0 {
            return self.put(area, 0, 0, '0', self.theme.style(Role::Faint));
        }
        // Half cells, for a class has few.
        let Some(half) = scale.column(error.max(FLOOR).log10(), 2 * area.width) else { return };
        let mark = if half % 2 == 0 { '▌' } else { '▐' };
        self.put(area, half / 2, 0, mark, self.theme.style(Role::Bar));
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::term::{ColorDepth, Glyphs, Ground};
    use crate::view::theme::Theme;

    #[test]
    fn accuracies_near_one_stand_apart_by_their_errors() {
        let area = Rect::new(0, 0, 4, 1);
        let theme = Theme { depth: ColorDepth::None, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        let place = |accuracy: f64| {
            let mut buffer = Buffer::empty(area);
            Ink::new(&mut buffer, theme).error(area, Some(accuracy));
            let at = buffer.content().iter().position(|cell| cell.symbol() != " ").unwrap();
            (at, buffer[(at as u16, 0)].symbol().chars().next().unwrap())
        };
        let places = [0.5, 0.95, 0.98, 0.995, 0.999, 0.9999, 1.0].map(place);
        assert_eq!(places, [(3, '▌'), (2, '▐'), (2, '▌'), (1, '▐'), (1, '▌'), (0, '▌'), (0, '0')]);
    }
}
