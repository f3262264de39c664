//! View 1: curves over the kept snapshots, one a line, and a chart of the selected one.

use ratatui::layout::Rect;

use super::chart::{plot, tick};
use super::columns::window;
use super::ink::{Ink, lines, part, tail};
use super::number::{count, figure};
use super::theme::Role;
use crate::app::curves::{Curve, phase_words};
use crate::app::{App, Bucket, Look, LossScale};

/// Columns of names, of values and of ranges.
const NAME: u16 = 28;
const VALUE: u16 = 8;
const RANGE: u16 = 19;

/// Reduces the values that share a column.
pub(super) type Pooled = fn(&[f64]) -> f64;

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A sparkline over the whole area; values are pooled or repeated to fill its width.
pub(super) fn series(
    ink: &mut Ink<'_>,
    area: Rect,
    (values, pooled): (&[f64], Pooled),
    (low, high): (f64, f64),
    role: Role,
) {
    let columns = usize::from(area.width).min(values.len() * 4);
    let unit = |x: f64| if high > low { ((x - low) / (high - low)) as f32 } else { 1.0 };
    let style = ink.theme.style(role);
    let bars = (0..columns).map(|column| {
        let (from, to) = (column * values.len() / columns, (column + 1) * values.len() / columns);
        (unit(pooled(&values[from..to.max(from + 1)])), style)
    });
    ink.curve(area, bars);
}

/// The list, the selected curve in view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let curves: Vec<&Curve> = app.curves.all().collect();
    let snapshots = count(app.timeline.all().count(), "kept snapshot");
    let [known, all] = app.curve_progress();
    let selected = app.curves.selected.min(curves.len().saturating_sub(1));
    let right = if known < all { format!("{}% computed", 100 * known / all) } else { String::new() };
    ink.rule(area, 0, &format!("curves, {snapshots}"), &right);
    let body = lines(area, 1, area.height.saturating_sub(1));
    if curves.is_empty() {
        ink.text(body, 2, 0, "none: * pins a cell under the cursor of a view", Role::Faint);
        return;
    }
    let body = match curves[selected].phases().last() {
        Some(phase) if body.height > 3 => {
            let last = lines(body, body.height - 1, 1);
            let mark = tick(ink).to_string();
            let x = ink.text(last, 1, 0, &mark, Role::Second);
            ink.text(last, x + 1, 0, &phase_words(phase), Role::Faint);
            lines(body, 0, body.height - 1)
        }
        _ => body,
    };
    for (line, at) in window(selected, curves.len(), body.height.into()).enumerate() {
        row(ink, app, (curves[at], at == selected), lines(body, line as u16, 1));
    }
}

/// The selected curve over the steps of the loss chart.
pub(super) fn chart(ink: &mut Ink<'_>, app: &App, curve: &Curve, area: Rect) {
    // No other number is read on a logarithmic axis.
    let is_log = app.settings.loss == LossScale::Log && curve.is_positive_loss();
    ink.rule(area, 0, &curve.label, if is_log { "log" } else { "linear" });
    let known = curve.points.iter().filter(|(_, value)| value.is_finite());
    let points: Vec<(usize, Bucket)> = known.map(|(step, value)| (*step, Bucket::of(*value))).collect();
    // The weights before the first step have no loss of a step.
    let run = app.history.steps().map(|steps| [*steps.start(), *steps.end()]);
    let ends = || points.iter().map(|point| point.0).chain(run.into_iter().flatten());
    let steps = ends().min().unwrap_or_default()..=ends().max().unwrap_or_default();
    let ticks: Vec<usize> = curve.phases().iter().map(|phase| phase.at).collect();
    let empty = if curve.points.is_empty() { "computing" } else { "no number at any step" };
    plot(ink, (&points, &[]), (steps, &ticks), is_log, empty, lines(area, 1, area.height));
}

/// Steps of all phase changes of the curves in view.
pub(super) fn ticks(app: &App) -> Vec<usize> {
    if !app.shows_curves() {
        return Vec::new();
    }
    app.curves.all().flat_map(Curve::phases).map(|phase| phase.at).collect()
}

fn row(ink: &mut Ink<'_>, app: &App, (curve, is_selected): (&Curve, bool), area: Rect) {
    let role = if is_selected { Role::Cursor } else { Role::Plain };
    let marks = ink.marks(is_selected, false);
    ink.text(area, 0, 0, &marks[0].content, role);
    ink.text(area, 1, 0, &tail(&curve.label, NAME), role);
    let shown = match app.timeline.look {
        // The newest step of a training may have no point yet, or never.
        Look::Live => curve.points.last_key_value().map(|point| point.1),
        _ => app.timeline.current().and_then(|snapshot| curve.points.get(&snapshot.step)),
    };
    if let Some(value) = shown {
        ink.text_right(area, 1 + NAME + VALUE, 0, &figure(*value), Role::Strong);
    }
    let values: Vec<f64> = curve.points.values().copied().filter(|value| value.is_finite()).collect();
    let Some([low, high]) = range(&values) else { return };
    let left = NAME + VALUE + 2;
    let has_range = area.width >= left + RANGE + 12;
    let right = if has_range { RANGE } else { 1 };
    let plot = part(area, left, 0, area.width.saturating_sub(left + right), 1);
    series(ink, plot, (&values, mean), (low - (high - low) / 8.0, high), Role::Bar);
    if has_range {
        let text = format!("{} to {}", figure(low), figure(high));
        ink.text_right(area, area.width - 1, 0, &text, Role::Faint);
    }
}

fn range(values: &[f64]) -> Option<[f64; 2]> {
    let least = values.iter().copied().reduce(f64::min)?;
    Some([least, values.iter().copied().fold(least, f64::max)])
}
