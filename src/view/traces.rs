//! Traces of the picked neurons and of their sum over positions, aligned with the strip.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::ink::{Ink, lines, part, width};
use super::number::{figure, share, short};
use super::theme::Role;
use crate::analysis::{NeuronHook, TuningPoint};
use crate::app::App;
use crate::app::views::neurons::traces;
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// Preferred height: heading, one line per neuron, and a sum if there are several.
pub(super) fn height(app: &App) -> u16 {
    let picked = app.traced().len();
    let overlay = if app.settings.overlay.is_some() { OVERLAY } else { 0 };
    u16::try_from(1 + picked + usize::from(picked > 1) + usize::from(overlay)).unwrap_or(u16::MAX)
}

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
        let prefix = if app.settings.hook == NeuronHook::Pre { "pre." } else { "" };
        let [clean, edited] =
            ["clean", "edited"].map(|edits| format!("{prefix}neuron.{}.{}_{edits}", id.layer, id.neuron));
        let is_off = app.ablation.off.neurons.contains(id);
        // For an ablated neuron show the clean activation.
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
    // The sum has priority over the last neurons of a long list.
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

/// Height of the overlay: the curve of a feature, the tuning by it, and the fit of each feature.
const OVERLAY: u16 = 3;

/// Draws a feature that the sum may follow, the mean activation by its value, and R² of the features, best first.
fn overlay(ink: &mut Ink<'_>, app: &App, probe: &Probe, rank: usize, area: Rect) {
    let ranked = app.ranked_hypotheses();
    let Some((shown, class)) = ranked.get(rank).copied().zip(app.traced_token()) else { return };
    let feature = &app.task().features()[shown];
    let values = feature.series(app.task(), probe.tokens(), class);
    let top = largest(values.iter());
    let name = format!("{} {}", feature.short, app.task().outputs().name(class));
    trace(ink, (app, probe), area, 0, &name, &values, (top, Role::Second));
    let fit = app.studies.fit((&app.traced(), app.settings.hook), class);
    if let Some((_, fitted)) = fit {
        tuned(ink, app, feature.short, &fitted[shown].tuning, lines(area, 1, 1));
    }
    let of = match &app.traced()[..] {
        // Without `of`, a neuron's name like 0.27 would look like the value.
        [one] => format!("of {}", one.neuron),
        _ => "sum".into(),
    };
    // R² is measured without edits, even if neurons are switched off.
    let all_on = if app.ablation.off.is_empty() { "" } else { ", all on" };
    let over =
        fit.map_or_else(|| "computing".into(), |(study, _)| format!("{}{all_on}", super::taken(app, study)));
    let mut x = ink.text(area, 1, 2, &format!("R² {of}, {over}"), Role::Faint);
    let Some((_, fitted)) = fit else { return };
    for which in ranked {
        let (name, role) =
            (app.task().features()[which].short, if which == shown { Role::Strong } else { Role::Plain });
        let sign = if fitted[which].correlation < 0.0 { "-" } else { "" };
        let value = format!("{sign}{}", share(Some(fitted[which].r_squared())));
        if x + width(name) + width(&value) + 3 > area.width {
            break;
        }
        x = ink.text(area, x + 2, 2, name, Role::Faint);
        x = ink.text(area, x + 1, 2, &value, role);
    }
}

/// The mean activation by the value of a feature, from its least to its largest.
fn tuned(ink: &mut Ink<'_>, app: &App, name: &str, points: &[TuningPoint], area: Rect) {
    let [Some(first), Some(last)] = [points.first(), points.last()] else { return };
    let x = ink.text(area, 1, 0, &format!("by {name} {}", short(first.value)), Role::Faint) + 1;
    let means: Vec<f32> = points.iter().map(|point| point.mean as f32).collect();
    let top = largest(means.iter());
    let (low, end) = (means.iter().copied().fold(f32::INFINITY, f32::min), short(last.value));
    let said =
        format!("{end}  mean {} {} to {}", app.settings.hook.name(), figure(low.into()), figure(top.into()));
    let cells = area.width.saturating_sub(x + width(&said) + 2).min(2 * means.len() as u16);
    let style = ink.theme.style(Role::Bar);
    let height =
        |mean: f32| if top > low.min(0.0) { (mean - low.min(0.0)) / (top - low.min(0.0)) } else { 0.0 };
    let bars =
        (0..usize::from(cells)).map(|at| (height(means[at * means.len() / usize::from(cells)]), style));
    ink.curve(part(area, x, 0, cells, 1), bars);
    ink.text(area, x + cells + 1, 0, &said, Role::Faint);
}

fn largest<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.copied().filter(|value| value.is_finite()).fold(0.0, f32::max)
}

/// Draws a trace; a vertical line before a position marks a change of the label.
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
            // A negative value has no bar: a dot tells it from zero.
            let style = if position == app.cursor.position { here } else { negative };
            ink.put(body, x + columns.pitch - 1, 0, '·', style);
        }
    }
}

/// Whether the label differs from the previous position's.
pub(super) fn label_changes(probe: &Probe, position: usize) -> bool {
    position > 0 && probe.label(position) != probe.label(position - 1)
}
