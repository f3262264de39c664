//! Accuracy per class, a column each; where there are too many classes, the worst.

use ratatui::layout::Rect;

use super::ink::{Ink, digits, part};
use super::number::share;
use super::theme::Role;

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

/// Draws a line per class, with a bar; where there are too many, the worst.
pub(super) fn render_list(ink: &mut Ink<'_>, area: Rect, values: &[Option<f64>]) {
    let mut classes: Vec<usize> = (0..values.len()).collect();
    let room = usize::from(area.height);
    let word = if classes.len() > room { "worst" } else { "class" };
    if classes.len() > room {
        let known = |class: &usize| values[*class].unwrap_or(f64::INFINITY);
        classes.sort_by(|a, b| known(a).total_cmp(&known(b)));
    }
    for (y, class) in (0..area.height).zip(classes) {
        ink.text(area, 1, y, word, Role::Faint);
        ink.text_right(area, LABEL + 3, y, &class.to_string(), Role::Plain);
        ink.text_right(area, LABEL + 9, y, &share(values[class]), Role::Plain);
        let filled = values[class].unwrap_or_default() as f32;
        ink.bar(part(area, LABEL + 10, y, area.width.saturating_sub(LABEL + 11), 1), filled, Role::Bar);
    }
}

/// Whether a table of so many classes fits in so many columns.
pub(super) fn fits(classes: usize, width: u16) -> bool {
    classes <= usize::from(width.saturating_sub(LABEL) / pitch(classes))
}

/// Bars under the columns of a table of one line.
pub(super) fn render_bars(ink: &mut Ink<'_>, area: Rect, y: u16, values: &[Option<f64>]) {
    if !fits(values.len(), area.width) {
        return;
    }
    let pitch = pitch(values.len());
    for (class, value) in values.iter().enumerate() {
        let x = LABEL + class as u16 * pitch + 1;
        ink.bar(part(area, x, y, pitch - 1, 1), value.unwrap_or_default() as f32, Role::Bar);
    }
}
