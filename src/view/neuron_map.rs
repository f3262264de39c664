//! Heat map of activations, neuron by position, in the order of the neuron list.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::{Columns, window};
use super::ink::{Ink, part, width};
use super::map_axes::Frame;
use super::theme::Role;
use super::traces::label_changes;
use super::widgets::{Heat, Scale};
use crate::app::App;
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// Width of the row labels.
const AXIS: u16 = 10;

/// Positions on the map and the cell width: those of the strip, or as many positions as fit.
fn columns(app: &App, probe: &Probe, position: usize, plot: Rect, aligned: bool) -> (Range<usize>, u16) {
    if aligned {
        let columns = Columns::new(app, plot.width + AXIS);
        return (columns.shown.start.min(probe.len())..columns.shown.end.min(probe.len()), columns.pitch);
    }
    let cell = if probe.len() * 2 <= usize::from(plot.width) { 2 } else { 1 };
    (window(position, probe.len(), usize::from(plot.width / cell)), cell)
}

/// Draws the map; `aligned` if the map is directly below the strip.
pub(super) fn render(
    ink: &mut Ink<'_>,
    app: &App,
    probe: &Probe,
    order: &[usize],
    area: Rect,
    aligned: bool,
) {
    let layer = app.cursor.layer;
    let value = |neuron: usize, position: usize| {
        let id = NeuronId { layer, neuron };
        app.settings.hook.of(&app.pass_of(probe, id).activations, id, position)
    };
    let plot = part(area, AXIS, 2, area.width, area.height.saturating_sub(3));
    let rows = window(
        order.iter().position(|neuron| *neuron == app.cursor.neuron).unwrap_or_default(),
        order.len(),
        ink.theme.map_rows(plot.height),
    );
    let position = app.position_in(probe);
    let (cols, cell) = columns(app, probe, position, plot, aligned);
    let shown = rows.clone().flat_map(|row| cols.clone().map(move |col| (row, col)));
    let values = shown.map(|(row, col)| value(order[row], col)).filter(|v| v.is_finite());
    let largest = values.fold(0.0, |a: f32, v| a.max(v.abs())).max(f32::MIN_POSITIVE);
    ink.rule(
        area,
        0,
        &format!("{}, positions {} to {}", app.settings.hook.name(), cols.start, cols.end.saturating_sub(1)),
        "",
    );
    for (line, row) in rows.clone().step_by(ink.theme.map_rows(1)).enumerate() {
        let pair = &order[row..(row + ink.theme.map_rows(1)).min(rows.end)];
        let mut name: Vec<String> = pair.iter().map(ToString::to_string).collect();
        if name.join(" ").len() >= usize::from(AXIS) {
            name.truncate(1);
        }
        let here = pair.contains(&app.cursor.neuron);
        let role = if here { Role::Strong } else { Role::Faint };
        ink.text_right(area, AXIS - 1, line as u16 + 2, &name.join(" "), role);
    }
    labels(ink, app, probe, area, &cols, cell);
    let cursor = order[rows.clone()].iter().position(|neuron| *neuron == app.cursor.neuron);
    let cursor = cursor.map(|at| (rows.start + at, position));
    let frame = Frame { rows, cols, cell, cursor };
    ink.heat_map(plot, frame, Scale::Diverging, |row, col| Heat::signed(value(order[row], col), largest));
    ink.heat_legend(area, AXIS, area.height.saturating_sub(1), largest);
}

/// Writes the label above each column where the label changes.
fn labels(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect, cols: &Range<usize>, cell: u16) {
    ink.text_right(area, AXIS - 1, 1, "label", Role::Faint);
    let mut free = AXIS;
    for position in cols.clone().filter(|&at| at == cols.start || label_changes(probe, at)) {
        let Some(label) = probe.label(position) else { continue };
        let text = app.task().outputs().name(label);
        // A strip column starts with the cell of a mark.
        let x = AXIS + (position - cols.start) as u16 * cell + u16::from(cell > 1);
        if x >= free && x + width(&text) <= area.width {
            free = ink.text(area, x, 1, &text, Role::Changed) + 1;
        } else if free > AXIS && free <= area.width {
            // A dot shows that the label changes, although there is no room for the label.
            ink.text(area, free - 1, 1, "·", Role::Faint);
        }
    }
}
