//! Picked neurons, and their sum, over positions: curves under the strip's columns.

use ratatui::layout::Rect;

use super::bars::column;
use super::columns::Columns;
use super::ink::{Ink, lines};
use super::number::figure;
use super::theme::Role;
use crate::analysis::Probe;
use crate::app::App;
use crate::model::NeuronId;

/// What is traced: the picked neurons, or the one under the cursor.
fn traced(app: &App) -> Vec<NeuronId> {
    if app.settings.picked.is_empty() { vec![app.cursor.neuron_id()] } else { app.settings.picked.clone() }
}

/// Lines it wants: a heading, a line each, and the sum of several.
pub(super) fn height(app: &App) -> u16 {
    let picked = traced(app).len();
    u16::try_from(1 + picked + usize::from(picked > 1)).unwrap_or(u16::MAX)
}

/// Draws the traces.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    if area.height == 0 {
        return;
    }
    let ids = traced(app);
    let value = |id: NeuronId, position: usize| app.pass_of(probe, id).neuron(id.layer, id.neuron, position);
    let values: Vec<Vec<f32>> =
        ids.iter().map(|&id| (0..probe.len()).map(|position| value(id, position)).collect()).collect();
    let largest = largest(values.iter().flatten());
    let title = match app.settings.picked.len() {
        0 => "trace of the neuron under the cursor (p picks it)".into(),
        n => format!("traces of {}", super::number::count(n, "picked neuron")),
    };
    ink.rule(area, 0, &title, &format!("0 to {}", figure(f64::from(largest))));
    // The sum is worth more than the last neurons of a long list.
    let sum = ids.len() > 1 && area.height > 2;
    let room = usize::from(area.height - 1) - usize::from(sum);
    for (y, (id, values)) in (1..).zip(ids.iter().zip(&values).take(room)) {
        let off = app.ablation.off.neurons.contains(id);
        let label = format!("{}{}.{}", if off { "✕ " } else { "" }, id.layer, id.neuron);
        trace(ink, app, area, y, &label, values, largest);
    }
    if sum {
        let sums: Vec<f32> =
            (0..probe.len()).map(|at| values.iter().map(|values| values[at]).sum()).collect();
        let top = self::largest(sums.iter());
        let y = 1 + ids.len().min(room) as u16;
        trace(ink, app, area, y, &format!("sum<{}", figure(f64::from(top))), &sums, top);
    }
}

fn largest<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.copied().filter(|value| value.is_finite()).fold(0.0, f32::max)
}

fn trace(ink: &mut Ink<'_>, app: &App, area: Rect, y: u16, label: &str, values: &[f32], largest: f32) {
    let body = lines(area, y, 1);
    ink.text(body, 1, 0, label, Role::Plain);
    let columns = Columns::new(app, area.width);
    for position in columns.shown.clone().filter(|position| *position < values.len()) {
        let value = values[position];
        let (x, here) = (columns.x(position), position == app.cursor.position);
        let glyph =
            if value.is_finite() { column(if largest > 0.0 { value / largest } else { 0.0 }) } else { '?' };
        let role = match (here, value < 0.0) {
            (true, _) => Role::Second,
            (false, true) => Role::Negative,
            (false, false) => Role::Bar,
        };
        if value < -0.01 * largest {
            // A negative value has no height here: a dot says that it is not zero.
            ink.put(body, x + columns.pitch - 1, 0, '·', ink.theme.style(role));
            continue;
        }
        for part in 0..columns.pitch {
            ink.put(body, x + part, 0, glyph, ink.theme.style(role));
        }
    }
}
