//! Accuracy per class, one column each; if there are too many classes, by rank from the least accurate, scrolled.

use ratatui::layout::{Constraint, Layout, Rect};

use super::ink::{Ink, part, tail};
use super::number::share;
use super::table::Row;
use super::theme::Role;
use super::widgets::Dots;
use crate::task::{Class, Vocabulary};

/// Width of the line names.
const LABEL: u16 = 9;

/// Columns for a class, with a gap; longer names are cut.
fn pitch(names: &Vocabulary) -> u16 {
    (names.width() as u16).clamp(4, 8) + 1
}

/// A line of the table: its name and the accuracy per class.
pub(super) type Line<'a> = (&'a str, &'a [Option<f64>]);

/// The classes in view, at most `room`, from rank `first` on: all in their order if they fit, else the least accurate
/// first. Also the rank of the first one.
fn in_view(values: &[Option<f64>], room: usize, first: usize) -> (Vec<usize>, usize) {
    let mut classes: Vec<usize> = (0..values.len()).collect();
    if classes.len() <= room {
        return (classes, 0);
    }
    let known = |class: &usize| values[*class].unwrap_or(f64::INFINITY);
    classes.sort_by(|a, b| known(a).total_cmp(&known(b)));
    let first = first.min(classes.len() - room);
    (classes[first..first + room].to_vec(), first)
}

/// Draws a heading of classes, then the lines. The last line decides which classes are the least accurate; of too many,
/// those from rank `first` on.
pub(super) fn render(ink: &mut Ink<'_>, area: Rect, names: &Vocabulary, table: &[Line<'_>], first: usize) {
    let Some((_, deciding)) = table.last() else { return };
    let pitch = pitch(names);
    let room = usize::from(area.width.saturating_sub(LABEL) / pitch);
    let (classes, first) = in_view(deciding, room, first);
    let title = match first {
        0 if classes.len() < deciding.len() => "worst".into(),
        0 => "class".into(),
        first => format!("{} of {}", first + 1, deciding.len()),
    };
    ink.text(area, 1, 0, &title, Role::Faint);
    for (line, (name, values)) in table.iter().enumerate() {
        ink.text(area, 1, line as u16 + 1, name, Role::Faint);
        for (at, &class) in classes.iter().enumerate() {
            let end = LABEL + (at as u16 + 1) * pitch;
            if line == 0 {
                ink.text_right(area, end, 0, &tail(&names.name(class as Class), pitch - 1), Role::Faint);
            }
            let value = values.get(class).copied().flatten();
            let fell = line > 0 && fell(table[0].1.get(class).copied().flatten(), value);
            let role = if fell { Role::Changed } else { Role::Plain };
            ink.text_right(area, end, line as u16 + 1, &share(value), role);
        }
    }
}

/// Whether the accuracy of a class fell by more than 0.1.
fn fell(before: Option<f64>, after: Option<f64>) -> bool {
    matches!((before, after), (Some(before), Some(after)) if before - after > 0.1)
}

/// Draws one line per class with its error; of too many, those from rank `first` on.
pub(super) fn render_list(
    ink: &mut Ink<'_>,
    area: Rect,
    names: &Vocabulary,
    values: &[Option<f64>],
    first: usize,
) {
    let (classes, first) = in_view(values, area.height.into(), first);
    let all_fit = classes.len() == values.len();
    let columns =
        Layout::horizontal([Constraint::Length(LABEL + 5 + pitch(names)), Constraint::Min(0)]).spacing(1);
    let [table, plot] = area.layout(&columns);
    let row = |(line, class): (usize, &usize)| {
        let rank = if all_fit { " class".into() } else { format!(" {}/{}", first + line + 1, values.len()) };
        let name = tail(&names.name(*class as Class), pitch(names) - 1).into_owned();
        let cells = [ink.right(name, Role::Plain), ink.right(share(values[*class]), Role::Plain)];
        Row::new([ink.left(rank, Role::Faint)].into_iter().chain(cells))
    };
    let rows: Vec<Row<'_>> = classes.iter().enumerate().map(row).collect();
    ink.table(table, &[LABEL - 1, pitch(names) - 1, 4], rows);
    let plot = Rect { width: plot.width.saturating_sub(1), ..plot };
    for (line, class) in plot.rows().zip(classes) {
        ink.error(line, values[class]);
    }
}

/// Whether a table of `classes` columns fits in `width`.
pub(super) fn fits(names: &Vocabulary, width: u16) -> bool {
    names.len() <= usize::from(width.saturating_sub(LABEL) / pitch(names))
}

/// Draws error rates below a one-line table, on a logarithmic scale from [`FLOOR`] to 1.
pub(super) fn render_errors(
    ink: &mut Ink<'_>,
    area: Rect,
    y: u16,
    names: &Vocabulary,
    values: &[Option<f64>],
) {
    if !fits(names, area.width) {
        return;
    }
    let floor = format!("err{}1e-4", ink.at_least());
    ink.text(area, 1, y, &floor, Role::Faint);
    let pitch = pitch(names);
    for (class, value) in values.iter().enumerate() {
        ink.error(part(area, LABEL + class as u16 * pitch + 1, y, pitch - 1, 1), *value);
    }
}

/// Lower end of the error scale.
pub(super) const FLOOR: f64 = 1e-4;

impl Ink<'_> {
    /// Marks an error rate on a logarithmic scale over the area's width; zero errors are at the left end.
    fn error(&mut self, area: Rect, accuracy: Option<f64>) {
        let scale = Dots { low: FLOOR.log10(), high: 0.0, marks: &[] };
        let Some(error) = accuracy.map(|accuracy| 1.0 - accuracy) else { return };
        if error <= 0.0 {
            return self.put(area, 0, 0, '0', self.theme.style(Role::Faint));
        }
        // Half cells double the resolution: a class column is narrow.
        let Some(half) = scale.column(error.max(FLOOR).log10(), 2 * area.width) else { return };
        let mark = if half % 2 == 0 { '▌' } else { '▐' };
        self.put(area, half / 2, 0, mark, self.theme.style(Role::Bar));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::{ColorDepth, Glyphs};
    use crate::view::ink::drawn;

    #[test]
    fn of_too_many_classes_the_list_ends_with_the_most_accurate() {
        let values: Vec<Option<f64>> =
            (0..100).map(|class| Some(f64::from(class * 7 % 100) / 100.0)).collect();
        let (classes, first) = in_view(&values, 10, 0);
        assert_eq!((classes[0], classes[1], first), (0, 43, 0), "0.00 and 0.01");
        let (classes, first) = in_view(&values, 10, 95);
        assert_eq!((classes.len(), *classes.last().unwrap(), first), (10, 57, 90), "0.99");
        assert_eq!(in_view(&values, 100, 95).0[..3], [0, 1, 2]);
    }

    #[test]
    fn accuracies_near_one_stand_apart_by_their_errors() {
        let area = Rect::new(0, 0, 4, 1);
        let place = |accuracy: f64| {
            let buffer = drawn(area, (ColorDepth::None, Glyphs::Utf8), |ink| ink.error(area, Some(accuracy)));
            let at = buffer.content().iter().position(|cell| cell.symbol() != " ").unwrap();
            (at, buffer[(at as u16, 0)].symbol().chars().next().unwrap())
        };
        let places = [0.5, 0.95, 0.98, 0.995, 0.999, 0.9999, 1.0].map(place);
        assert_eq!(places, [(3, '▌'), (2, '▐'), (2, '▌'), (1, '▐'), (1, '▌'), (0, '▌'), (0, '0')]);
    }
}
