//! Picked neurons, and their sum, over positions: curves under the strip's columns.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::ink::{Ink, lines};
use super::number::{figure, share};
use super::theme::Role;
use crate::app::App;
use crate::app::views::neurons::traces;
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// Lines it wants: a heading, a line each, and the sum of several.
pub(super) fn height(app: &App) -> u16 {
    let picked = app.traced().len();
    let overlay = if app.settings.overlay.is_some() { OVERLAY } else { 0 };
    u16::try_from(1 + picked + usize::from(picked > 1) + usize::from(overlay)).unwrap_or(u16::MAX)
}

/// Draws the traces.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    if area.height == 0 {
        return;
    }
    let ids = app.traced();
    let overlay = app.settings.overlay.filter(|_| area.height > OVERLAY + 1);
    if let Some(feature) = overlay {
        let below = lines(area, area.height - OVERLAY, OVERLAY);
        self::overlay(ink, app, probe, feature, below);
    }
    let area = lines(area, 0, area.height - if overlay.is_some() { OVERLAY } else { 0 });
    let Some(panel) = traces(app) else { return };
    let of = |id: &NeuronId| {
        let [clean, edited] =
            ["clean", "edited"].map(|edits| format!("neuron.{}.{}_{edits}", id.layer, id.neuron));
        let is_off = app.ablation.off.neurons.contains(id);
        // A neuron that is off is shown as it would be.
        let names = [edited.as_str(), clean.as_str()];
        let column = panel.column(&names[usize::from(is_off)..]);
        let number = |position: usize| column.map_or(f32::NAN, |column| column.number(&[position]) as f32);
        (0..probe.len()).map(number).collect::<Vec<f32>>()
    };
    let values: Vec<Vec<f32>> = ids.iter().map(of).collect();
    let largest = largest(values.iter().flatten());
    let title = match app.settings.picked.len() {
        0 => "trace of the neuron under the cursor (p picks it)".into(),
        n => format!("traces of {}{}", super::number::count(n, "picked neuron"), app.picked_for()),
    };
    // The sum is worth more than the last neurons of a long list.
    let sum = ids.len() > 1 && area.height > 2;
    let sums: Vec<f32> = (0..probe.len()).map(|at| values.iter().map(|values| values[at]).sum()).collect();
    let top = self::largest(sums.iter());
    let number = |x: f32| figure(f64::from(x));
    let of_sum = if sum { format!("; sum to {}", number(top)) } else { String::new() };
    ink.rule(area, 0, &title, &format!("bars to {}{of_sum}", number(largest)));
    let room = usize::from(area.height - 1) - usize::from(sum);
    for (y, (id, values)) in (1..).zip(ids.iter().zip(&values).take(room)) {
        let off = app.ablation.off.neurons.contains(id);
        let label = format!("{}{}.{}", if off { "✕ " } else { "" }, id.layer, id.neuron);
        trace(ink, (app, probe), area, y, &label, values, (largest, Role::Bar));
    }
    if sum {
        let y = 1 + ids.len().min(room) as u16;
        trace(ink, (app, probe), area, y, "sum", &sums, (top, Role::Bar));
    }
}

/// Lines of the overlay: its curve, and how well each hypothesis fits.
const OVERLAY: u16 = 2;

/// What the sum might be following, on the same positions, and R² of each such feature.
fn overlay(ink: &mut Ink<'_>, app: &App, probe: &Probe, shown: usize, area: Rect) {
    let Some((feature, class)) = app.task().features().get(shown).zip(app.traced_token()) else { return };
    let values = (feature.series)(probe.tokens(), class);
    let top = largest(values.iter());
    let name = format!("{} {}", feature.short, app.task().outputs().name(class));
    trace(ink, (app, probe), area, 0, &name, &values, (top, Role::Second));
    let fit = app.studies.fit(&app.traced(), class);
    let of = match &app.traced()[..] {
        // A name like 0.27 would be taken for the figure.
        [one] => format!("of {}", one.neuron),
        _ => "sum".into(),
    };
    // What is switched off in view is on there.
    let all_on = if app.ablation.off.is_empty() { "" } else { ", all on" };
    let over =
        fit.map_or_else(|| "computing".into(), |(study, _)| format!("{}{all_on}", super::taken(app, study)));
    let mut x = ink.text(area, 1, 1, &format!("R² {of}, {over}"), Role::Faint);
    for (at, which) in app.task().features().iter().enumerate() {
        let Some((_, r_squared)) = fit else { return };
        let role = if at == shown { Role::Strong } else { Role::Plain };
        x = ink.text(area, x + 2, 1, which.name, Role::Faint);
        x = ink.text(area, x + 1, 1, &share(Some(r_squared[at])), role);
    }
}

fn largest<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.copied().filter(|value| value.is_finite()).fold(0.0, f32::max)
}

/// A curve; a line before a column says that the label changes there.
fn trace(
    ink: &mut Ink<'_>,
    (app, probe): (&App, &Probe),
    area: Rect,
    y: u16,
    label: &str,
    values: &[f32],
    (largest, plain): (f32, Role),
) {
    let body = lines(area, y, 1);
    ink.text(body, 1, 0, label, Role::Plain);
    let columns = Columns::new(app, area.width);
    let [here, plain, negative, faint] =
        [Role::Strong, plain, Role::Negative, Role::Faint].map(|role| ink.theme.style(role));
    let style = |position: usize| if position == app.cursor.position { here } else { plain };
    let height = |value: f32| if value.is_nan() || largest > 0.0 { value / largest } else { 0.0 };
    columns.curve(ink, body, |position| values.get(position).map(|&value| (height(value), style(position))));
    for position in columns.shown.clone().filter(|position| *position < values.len()) {
        let x = columns.x(position);
        if columns.pitch > 1 && label_changes(probe, position) {
            ink.put(body, x, 0, '│', faint);
        }
        if values[position] < -0.01 * largest {
            // A negative value has no height here: a dot says that it is not zero.
            let style = if position == app.cursor.position { here } else { negative };
            ink.put(body, x + columns.pitch - 1, 0, '·', style);
        }
    }
}

/// Whether the label is another than at the position before.
pub(super) fn label_changes(probe: &Probe, position: usize) -> bool {
    position > 0 && probe.label(position) != probe.label(position - 1)
}
