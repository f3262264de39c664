//! A panel's last two leading axes as a map on a signed scale, at the cursor's entries of the others.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, lines, part, tail, width};
use super::map_axes::Frame;
use super::number::signed_figure;
use super::theme::Role;
use super::widgets::{Heat, Scale};
use crate::app::App;
use crate::figure::{Axis, Column, Datum, Panel};

/// Widths of the row labels.
const AXIS: std::ops::RangeInclusive<u16> = 7..=18;

/// Lines around the map: names of columns, scale, the cell under the cursor.
const CHROME: u16 = 3;

/// Lines of the whole map.
pub(super) fn height(ink: &Ink<'_>, panel: &Panel) -> usize {
    panel.lead[panel.lead.len() - 2].len().div_ceil(ink.theme.map_rows(1)) + usize::from(CHROME)
}

/// The mapped column: of numbers, and of edited rather than of clean ones.
fn column(panel: &Panel) -> Option<&Column> {
    let numbers = (0..panel.columns.len()).filter(|at| panel.is_measured(*at)).map(|at| &panel.columns[at]);
    let numbers: Vec<&Column> = numbers.collect();
    let edited = numbers.iter().find(|column| column.name.contains("edited"));
    edited.or(numbers.first()).copied()
}

/// Room for the names of rows.
fn width_of_names(axis: &Axis, rows: &Range<usize>) -> u16 {
    let names = rows.clone().map(|row| width(&axis.name(row).to_string()) + 1);
    names.max().unwrap_or_default().clamp(*AXIS.start(), *AXIS.end())
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, panel: &Panel, area: Rect) {
    let Some(column) = column(panel) else { return };
    let here = app.lead_here(panel).unwrap_or_else(|| vec![0; panel.lead.len()]);
    let (fixed, cursor) = here.split_at(here.len() - 2);
    let axes = &panel.lead[fixed.len()..];
    let (per_line, height) = (ink.theme.map_rows(1), area.height.saturating_sub(CHROME));
    let rows = window(cursor[0], axes[0].len(), usize::from(height) * per_line);
    let left = width_of_names(&axes[0], &rows);
    let plot = part(area, left, 1, area.width, height);
    let cell = (plot.width / axes[1].len().max(1) as u16).clamp(1, 2);
    let cols = window(cursor[1], axes[1].len(), usize::from(plot.width / cell));
    let is_row = rows_of(panel, fixed, (&rows, &cols));
    let value = |row: usize, col: usize| {
        let at: Vec<usize> = fixed.iter().copied().chain([row, col]).collect();
        let is_measured = is_row[(row - rows.start) * cols.len() + col - cols.start];
        Some(column.at(&at)).filter(|cell| is_measured && *cell != Datum::Nothing)
    };
    let number = |row, col| value(row, col).map(|cell| cell.number().unwrap_or(f64::NAN) as f32);
    let values = rows.clone().flat_map(|row| cols.clone().map(move |col| (row, col)));
    let values = values.filter_map(|(row, col)| number(row, col)).filter(|x| x.is_finite());
    let largest = values.fold(f32::MIN_POSITIVE, |most, x| most.max(x.abs()));
    ticks(ink, (area, left), axes, (&cols, cell), cursor[1]);
    for (y, row) in (0..).zip(rows.clone().step_by(per_line)) {
        let mut line = row..(row + per_line).min(rows.end);
        let at = if line.contains(&cursor[0]) { cursor[0] } else { line.next().unwrap_or(row) };
        let role = if at == cursor[0] { Role::Strong } else { Role::Faint };
        ink.text_right(area, left - 1, y + 1, &tail(&axes[0].name(at).to_string(), left - 1), role);
    }
    let drawn = rows.len().div_ceil(per_line) as u16;
    let frame = Frame { rows: rows.clone(), cols: cols.clone(), cell, cursor: Some((cursor[0], cursor[1])) };
    ink.heat_map(plot, frame, Scale::Diverging, |row, col| {
        number(row, col).map_or(Heat::Blank, |x| Heat::signed(x, largest))
    });
    let y = (1 + drawn).min(area.height.saturating_sub(2));
    ink.heat_legend(area, 1, y, largest);
    ink.text(lines(area, y + 1, 1), 1, 0, &under_cursor(panel, &here), Role::Strong);
}

/// Which cells of the window are rows of the panel: a causal pattern has no later keys.
fn rows_of(panel: &Panel, fixed: &[usize], (rows, cols): (&Range<usize>, &Range<usize>)) -> Vec<bool> {
    if panel.is_whole() {
        return vec![true; rows.len() * cols.len()];
    }
    let mut are = vec![false; rows.len() * cols.len()];
    for lead in (0..panel.len()).map(|row| panel.lead_of(row)) {
        let (ours, cell) = lead.split_at(fixed.len());
        if ours == fixed && rows.contains(&cell[0]) && cols.contains(&cell[1]) {
            are[(cell[0] - rows.start) * cols.len() + cell[1] - cols.start] = true;
        }
    }
    are
}

/// Names of columns that do not touch each other, from column `left` on; the cursor's always.
fn ticks(
    ink: &mut Ink<'_>,
    (area, left): (Rect, u16),
    axes: &[Axis],
    (cols, cell): (&Range<usize>, u16),
    here: usize,
) {
    let names = [0, 1].map(|at| axes[at].dim.name().chars().take(1).collect::<String>());
    ink.text(area, 1, 0, &names.join(" \\ "), Role::Faint);
    let end = |col: usize| left + (col - cols.start + 1) as u16 * cell;
    let name = |col: usize| axes[1].name(col).to_string();
    let here_is = format!("{}▾", name(here));
    let here_ends = if cols.contains(&here) { (end(here) + 1).max(left + width(&here_is)) } else { 0 };
    let mut free = left;
    for col in cols.clone() {
        let (text, end) = (name(col), end(col));
        let start = end.saturating_sub(width(&text));
        let is_clear = end + width(&here_is) < here_ends || start > here_ends;
        if (col % 10 == 0 || cell > 1) && start >= free && is_clear {
            ink.text(area, start, 0, &text, Role::Faint);
            free = end + 1;
        }
    }
    if here_ends > 0 {
        ink.text_right(area, here_ends - 1, 0, &here_is, Role::Strong);
    }
}

/// Entries and numbers of the cell under the cursor.
fn under_cursor(panel: &Panel, here: &[usize]) -> String {
    let entries =
        panel.lead.iter().zip(here).map(|(axis, at)| format!("{} {}", axis.dim.name(), axis.name(*at)));
    let numbers = panel.columns.iter().filter_map(|column| {
        let x = column.at(here).number()?;
        Some(format!("{} {}", column.name.replace('_', " "), signed_figure(x)))
    });
    let (entries, numbers) = (entries.collect::<Vec<_>>(), numbers.collect::<Vec<_>>());
    format!("{}: {}", entries.join(", "), numbers.join(", "))
}
