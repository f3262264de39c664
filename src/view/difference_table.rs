//! A panel as a table, the row under the cursor in view.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, beginning, width};
use super::number::{figure, signed_figure};
use super::table::Row;
use super::theme::Role;
use crate::app::App;
use crate::figure::{Datum, Panel};

/// Width of a number.
const NUMBER: u16 = 9;

/// Panels with more columns than rows have a line for each column.
fn is_turned(panel: &Panel) -> bool {
    panel.columns.len() > panel.len()
}

/// The columns in the order on screen: differences before what only has a name.
fn order(panel: &Panel, is_signed: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..panel.columns.len()).collect();
    order.sort_by_key(|column| is_signed && !panel.is_measured(*column));
    order
}

/// Lines of the whole table.
pub(super) fn height(panel: &Panel) -> usize {
    let has_heading = usize::from(!panel.lead.is_empty());
    has_heading + if is_turned(panel) { panel.columns.len() } else { panel.len() }
}

/// The entries of a row by name: `0.1`.
fn name_of(panel: &Panel, row: usize) -> String {
    let lead = panel.lead_of(row);
    let names = panel.lead.iter().zip(lead).map(|(axis, at)| axis.name(at).to_string());
    names.collect::<Vec<_>>().join(".")
}

fn text(cell: &Datum, is_signed: bool) -> String {
    match cell {
        Datum::Number(_) | Datum::Wide(_) => {
            let x = cell.number().unwrap_or(f64::NAN);
            if is_signed { signed_figure(x) } else { figure(x) }
        }
        Datum::Nothing => "-".into(),
        Datum::Flag(flag) => (if *flag { "yes" } else { "no" }).into(),
        other => other.to_string(),
    }
}

/// The row under the cursor.
fn selected(app: &App, panel: &Panel) -> Option<usize> {
    let here = app.lead_here(panel)?;
    (0..panel.len()).find(|row| panel.lead_of(*row) == here)
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, (panel, is_signed): (&Panel, bool), area: Rect) {
    let (selected, order) = (selected(app, panel), order(panel, is_signed));
    let has_heading = !panel.lead.is_empty();
    let all = if is_turned(panel) { panel.columns.len() } else { panel.len() };
    let room = usize::from(area.height.saturating_sub(u16::from(has_heading)));
    let at = selected.filter(|_| !is_turned(panel)).unwrap_or_default();
    let shown = window(at, all, room);
    let cell = |column: usize, row: usize| {
        let role = if selected == Some(row) && has_heading { Role::Strong } else { Role::Plain };
        ink.right(text(&panel.cell(order[column], row), is_signed), role)
    };
    let axes = panel.lead.iter().map(|axis| axis.dim.name()).collect::<Vec<_>>().join(".");
    let column_name = |column: usize| panel.columns[order[column]].name.replace('_', " ");
    let row_name = |row: usize| {
        let role = if selected == Some(row) { Role::Cursor } else { Role::Plain };
        (name_of(panel, row), role)
    };
    let mut table: Vec<Row<'_>> = Vec::new();
    let names: Vec<(String, Role)> = if is_turned(panel) {
        shown.clone().map(|column| (column_name(column), Role::Plain)).collect()
    } else {
        shown.clone().map(row_name).collect()
    };
    let heads: Vec<String> = if is_turned(panel) {
        (0..panel.len()).map(|row| name_of(panel, row)).collect()
    } else {
        (0..panel.columns.len()).map(column_name).collect()
    };
    let wide = names.iter().map(|(name, _)| width(name)).chain([width(&axes)]).max().unwrap_or_default();
    // Numbers must have room beside their names.
    let mut widths = vec![wide.min(area.width.saturating_sub(2 * NUMBER + 3)) + 1];
    widths.extend(heads.iter().map(|name| width(name).clamp(NUMBER, 2 * NUMBER)));
    if has_heading {
        let heads = heads
            .iter()
            .zip(&widths[1..])
            .map(|(name, room)| ink.right(beginning(name, usize::from(*room)), Role::Faint));
        table.push(Row::new([ink.left(format!(" {axes}"), Role::Faint)].into_iter().chain(heads)));
    }
    for (line, (name, role)) in shown.zip(names) {
        let cells: Vec<_> = if is_turned(panel) {
            (0..panel.len()).map(|row| cell(line, row)).collect()
        } else {
            (0..panel.columns.len()).map(|column| cell(column, line)).collect()
        };
        table.push(Row::new([ink.left(format!(" {name}"), role)].into_iter().chain(cells)));
    }
    ink.table(area, &widths, table);
}
