//! View 1: loss, learning rate, accuracy.

use crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::births;
use super::breakdown::{self, Panels};
use super::chart::{mark, plot};
use super::classes;
use super::curves::{self, mean, series};
use super::ink::{Ink, beside, lines, part, width};
use super::number::{count, figure, percent};
use super::theme::Role;
use super::{Look, status};
use crate::app::keymap::Key;
use crate::app::views::train::{confusion, kinds, situations};
use crate::app::{App, Bucket, History, LossScale, RunPanel};
use crate::inquiry::Answer;
use crate::task::{self, Split};
use crate::term::Glyphs;
use crate::train::EpochMetrics;

/// Height of the accuracy panel.
const ACCURACY: u16 = 7;

pub(super) const LOOK: Look =
    Look { render, moot: |app, area| if shows_all_classes(app, area) { CLASSES } else { &[] } };

/// The keys that scroll the classes.
const CLASSES: &[Key] = &[Key::code(KeyCode::Up), Key::code(KeyCode::Down)];

/// Where the accuracies are on a wide screen.
fn wide(area: Rect) -> Option<(Rect, Rect)> {
    (area.width >= 120).then(|| beside(area, area.width * 3 / 5))
}

/// Lines of classes in a list of this height.
fn lines_of_classes(classes: usize, body: Rect) -> u16 {
    (classes as u16).min(body.height.saturating_sub(12))
}

/// Whether no class is left out.
fn shows_all_classes(app: &App, area: Rect) -> bool {
    let names = app.task().outputs();
    let area = wide(area).map_or(area, |(_, right)| right);
    let body = lines(area, 1, area.height);
    let is_list = area.height >= 16;
    classes::fits(names, area.width)
        || (is_list && usize::from(lines_of_classes(names.len(), body)) == names.len())
}

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    if let Some((left, right)) = wide(area) {
        let chart = left.height * 3 / 5;
        loss(ink, app, lines(left, 0, chart));
        let lower = lines(left, chart, left.height);
        second(ink, app, lines(lower, 0, lower.height.saturating_sub(3)));
        learning_rate(ink, app, lines(lower, lower.height.saturating_sub(3), 3));
        accuracy(ink, app, right);
        return;
    }
    let accuracy_height = if area.height >= ACCURACY + 6 { ACCURACY } else { 0 };
    let top = lines(area, 0, area.height.saturating_sub(accuracy_height + 1));
    if area.width >= 72 {
        let (left, right) = beside(top, area.width * 2 / 3 - 1);
        loss(ink, app, left);
        second(ink, app, right);
    } else {
        loss(ink, app, top);
    }
    learning_rate(ink, app, lines(area, top.height, 1));
    accuracy(ink, app, lines(area, top.height + 1, accuracy_height));
}

/// The reason why there is no curve yet.
fn empty(app: &App) -> &'static str {
    match (app.is_exploring(), app.trainer.plan.is_some()) {
        (true, _) => "only explored: no metrics of training here",
        (false, false) => "preparing data and model",
        (false, true) => "waiting for the first step",
    }
}

fn loss(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let history = &app.history;
    let scale = match app.settings.loss {
        LossScale::Log => "log",
        LossScale::Linear => "linear",
    };
    ink.rule(area, 0, "loss, nats, whole run", scale);
    let line: Vec<(usize, Bucket)> = history.train_loss.points().collect();
    let marks: Vec<(usize, Bucket)> = history.validation_loss.points().collect();
    let body = lines(area, 1, area.height.saturating_sub(2));
    let steps = history.steps().unwrap_or(0..=0);
    plot(ink, (&line, &marks), (steps, &curves::ticks(app)), is_log(app), empty(app), body);
    loss_words(ink, history, lines(area, area.height.saturating_sub(1), 1));
}

/// The legend of the curves with their newest values, and the first step with NaN, which a curve cannot show.
fn loss_words(ink: &mut Ink<'_>, history: &History, area: Rect) {
    let sample = if ink.theme.glyphs == Glyphs::Utf8 { "⠤⠤" } else { "." };
    let mark = mark(ink).to_string();
    let mut x = 2;
    for (sign, role, name, series) in [
        (sample, Role::Bar, "train", &history.train_loss),
        (mark.as_str(), Role::Second, "val", &history.validation_loss),
    ] {
        let Some((_, last)) = series.last else { continue };
        x = ink.text(area, x, 0, sign, role);
        x = ink.text(area, x + 1, 0, &format!("{name} "), Role::Faint);
        x = ink.text(area, x, 0, &figure(last), if last.is_finite() { Role::Strong } else { Role::Wrong })
            + 2;
    }
    let bad = history.train_loss.first_bad.or(history.validation_loss.first_bad);
    if let Some(step) = bad {
        ink.text(area, x, 0, &format!("× NaN from step {step}"), Role::Wrong);
    }
}

fn is_log(app: &App) -> bool {
    app.settings.loss == LossScale::Log
}

/// The selected curve, or the newest steps.
fn second(ink: &mut Ink<'_>, app: &App, area: Rect) {
    match app.curves.under_cursor().filter(|_| app.shows_curves()) {
        Some((_, curve)) => curves::chart(ink, app, curve, area),
        None => recent(ink, app, area),
    }
}

fn recent(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let room = usize::from(area.width.saturating_sub(8)).max(1) * 2;
    let recent = &app.history.recent;
    let skip = recent.len().saturating_sub(room);
    let points: Vec<(usize, Bucket)> =
        recent.iter().skip(skip).map(|step| (step.step, Bucket::of(f64::from(step.train_loss)))).collect();
    let title =
        if points.is_empty() { "last steps".into() } else { format!("last {}", count(points.len(), "step")) };
    ink.rule(area, 0, &title, "");
    let (first, last) = (points.first().map_or(0, |p| p.0), points.last().map_or(0, |p| p.0));
    let body = lines(area, 1, area.height);
    plot(ink, (&points, &[]), (first..=last, &[]), is_log(app), "none yet", body);
}

fn learning_rate(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let area = if area.height > 1 {
        ink.rule(area, 0, "learning rate", "");
        lines(area, 1, 1)
    } else {
        area
    };
    let Some((_, now)) = app.history.lr.last else { return };
    let start = ink.text(area, 1, 0, "lr ", Role::Faint);
    ink.text(area, start, 0, &figure(now), Role::Strong);
    let plot = part(area, 14, 0, area.width.saturating_sub(14), 1);
    let points: Vec<(usize, Bucket)> = app.history.lr.points().collect();
    let values: Vec<f64> = points.iter().filter_map(|(_, bucket)| bucket.mean()).collect();
    let largest = values.iter().copied().fold(0.0, f64::max);
    series(ink, plot, (&values, mean), (0.0, largest), Role::Bar);
}

fn accuracy(ink: &mut Ink<'_>, app: &App, area: Rect) {
    match app.settings.run_panel {
        RunPanel::Accuracies => {}
        RunPanel::Curves => return curves::render(ink, app, area),
        RunPanel::Births => return births::render(ink, app, area),
    }
    let Some((validation, study)) = app.validation() else {
        ink.rule(area, 0, "accuracy on the validation set", "");
        ink.text(area, 2, 1, not_validated(app), Role::Faint);
        return;
    };
    let set = format!("accuracy, {} val sequences", validation.sequences);
    ink.rule(area, 0, &set, &validated(app, study));
    let body = lines(area, 1, area.height);
    if validation.known_accuracy().is_none() {
        ink.text(body, 1, 0, "no position has a target: there is nothing to score", Role::Faint);
        return;
    }
    let mut x = ink.text(body, 1, 0, "overall ", Role::Faint);
    x = ink.text(body, x, 0, &percent(validation.accuracy), Role::Strong);
    // Some tasks do not score the last position.
    if validation.accuracy_last.is_finite() {
        x = ink.text(body, x + 2, 0, "last ", Role::Faint);
        x = ink.text(body, x, 0, &percent(validation.accuracy_last), Role::Strong);
    }
    x = ink.text(body, x + 2, 0, "loss ", Role::Faint);
    x = ink.text(body, x, 0, &figure(validation.loss), Role::Strong);
    if let Some(rule) = rule(app, body.width.saturating_sub(x + 2)) {
        x = ink.text(body, x + 2, 0, &rule, Role::Faint);
    }
    if let (Some(plan), Some(memory)) = (&app.trainer.plan, status::memory(app)) {
        let gpu = format!("{}  {memory}", plan.device);
        let at = body.width.saturating_sub(width(&gpu) + 1);
        // If there is no room here, the screen is wide enough for the status line to show the GPU.
        if at >= x + 2 {
            ink.text(body, at, 0, &gpu, Role::Faint);
        }
    }
    let (classes, names) = (&validation.accuracy_by_class, app.task().outputs());
    let table = part(body, 0, 1, body.width, body.height);
    let panels = || Panels {
        situations: situations(app),
        confusion: confusion(app),
        kinds: kinds(app),
        columns: &[("right", "")],
    };
    let height = if area.height >= 16 { 5 } else { 3 };
    if breakdown::render(ink, app, lines(table, 0, height), panels) {
        return by_position(ink, &validation.accuracy_by_position, lines(body, height + 1, body.height));
    }
    if !classes::fits(names, area.width) && area.height >= 16 {
        let lines_of_classes = lines_of_classes(classes.len(), body);
        ink.text_right(body, body.width - 1, 1, "error, log scale, 1e-4 to 1", Role::Faint);
        if usize::from(lines_of_classes) < classes.len() {
            ink.text(body, 1, 1, "worst first", Role::Faint);
        }
        classes::render_list(ink, lines(body, 2, lines_of_classes), names, classes, app.cursor.class_rank);
        by_position(ink, &validation.accuracy_by_position, lines(body, 3 + lines_of_classes, body.height));
        return;
    }
    classes::render(ink, table, names, &[("right", &validation.accuracy_by_class)], app.cursor.class_rank);
    classes::render_errors(ink, table, 2, names, &validation.accuracy_by_class);
    by_position(ink, &validation.accuracy_by_position, lines(body, 4, body.height));
}

/// The task's rule, or its last clause if room is short: that clause holds the less obvious part (ties, for example).
fn rule(app: &App, room: u16) -> Option<String> {
    let rule = task::find(app.task().name())?.rule;
    let last = rule.rsplit("; ").next().unwrap_or_default();
    [rule, last].into_iter().map(|rule| format!("label: {rule}")).find(|text| width(text) <= room)
}

fn not_validated(app: &App) -> &'static str {
    match (app.is_exploring(), app.options.dataset.len(Split::Validation)) {
        (false, _) => "after the first epoch",
        (true, 0) => "there are no validation sequences",
        (true, _) => "computing",
    }
}

/// Heading of the validated weights.
fn validated(app: &App, study: Option<&Answer>) -> String {
    match (study, &app.history.validation) {
        (Some(study), _) => {
            let form = study.form().words();
            let step = study.step();
            if app.is_without_step() { form.into() } else { format!("{form}, step {step}") }
        }
        (None, Some(EpochMetrics { epoch, step, .. })) => format!("epoch {epoch}, step {step}"),
        (None, None) => String::new(),
    }
}

/// The least of the accuracies that share a column: a mean would hide the worst position.
fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Accuracy by position; empty until computed, because metrics.jsonl does not store it.
fn by_position(ink: &mut Ink<'_>, values: &[Option<f64>], area: Rect) {
    let area = lines(area, 0, 9);
    let scored: Vec<f64> = values.iter().flatten().copied().collect();
    // A single position makes no curve; its accuracy is already in the line above.
    if scored.len() == 1 {
        return;
    }
    if values.is_empty() {
        ink.text(area, 1, 0, "position", Role::Faint);
        ink.text(area, 10, 0, "computing", Role::Faint);
        return;
    }
    let low = scored.iter().copied().fold(1.0, f64::min);
    // The lowest accuracy still gets a visible bar.
    let range = (low - 0.001, 1.0);
    if area.height > 2 {
        let text = format!("lowest by position 0 to {}: {}", values.len() - 1, percent(low));
        ink.text(area, 1, 0, &text, Role::Faint);
        ink.text(area, 1, 1, "1", Role::Faint);
        ink.text(area, 1, area.height - 1, &format!("{low:.2}"), Role::Faint);
        series(
            ink,
            part(area, 6, 1, area.width.saturating_sub(7), area.height),
            (&scored, least),
            range,
            Role::Bar,
        );
    } else {
        ink.text(area, 1, 0, "position", Role::Faint);
        ink.text(area, 1, 1, &format!("{low:.2}-1"), Role::Faint);
        let plot = part(area, 10, 0, area.width.saturating_sub(11), area.height);
        series(ink, plot, (&scored, least), range, Role::Bar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::ColorDepth;
    use crate::view::ink::drawn;

    #[test]
    fn one_bad_position_among_many_stays_a_gap() {
        let area = Rect::new(0, 0, 40, 2);
        let mut values = vec![Some(0.99); 290];
        values[101] = Some(0.5);
        let buffer =
            drawn(area, (ColorDepth::TrueColor, Glyphs::Utf8), |ink| by_position(ink, &values, area));
        let gaps: Vec<u16> = (10..39).filter(|x| buffer[(*x, 0)].symbol() == " ").collect();
        assert_eq!(gaps, [20]);
    }
}
