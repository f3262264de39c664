//! The ablation in numbers: this sequence, the validation set, and random sets of the same size.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::number::{figure, percent};
use super::theme::Role;
use crate::analysis::Controls;
use crate::app::App;
use crate::app::views::edits::{effect, effect_here};
use crate::figure::Panel;
use crate::inquiry::{AblationReport, Answer};

/// Lines it takes.
pub(super) const HEIGHT: u16 = 4;

/// Columns of the parts.
const SEQUENCE: u16 = 10;

/// Draws the table.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let validation = SEQUENCE + 20;
    let controls = validation + 20;
    ink.text(area, 1, 1, "loss", Role::Faint);
    ink.text(area, 1, 2, "accuracy", Role::Faint);
    ink.text(area, SEQUENCE, 0, "this sequence", Role::Faint);
    if let Some(here) = effect_here(app) {
        change(ink, area, SEQUENCE, &here, "");
    }
    let (Some((answer, report)), Some(panel)) = (app.ablation_figures(), effect(app)) else {
        ink.text(area, validation, 0, "validation set", Role::Faint);
        ink.text(area, validation, 1, "computing", Role::Faint);
        return;
    };
    ink.text(area, validation, 0, &format!("validation ({})", report.before.sequences), Role::Faint);
    change(ink, area, validation, &panel, "computing");
    random_sets(ink, app, report, area, controls);
    stale(ink, app, answer, area);
}

/// Loss and accuracy, clean and edited, in two lines; `pending` where a number is not known.
fn change(ink: &mut Ink<'_>, area: Rect, x: u16, panel: &Panel, pending: &str) {
    let texts: [fn(f64) -> String; 2] = [figure, percent];
    for ((name, y), text) in ["loss", "accuracy"].into_iter().zip([1, 2]).zip(texts) {
        let values = panel.values(name);
        let text = |edits: usize| values.get(edits).copied().flatten().map_or_else(|| pending.into(), text);
        let x = ink.text(area, x, y, &text(0), Role::Plain);
        let x = ink.text(area, x, y, ink.arrow(), Role::Faint);
        ink.text(area, x, y, &text(1), Role::Strong);
    }
}

fn random_sets(ink: &mut Ink<'_>, app: &App, report: &AblationReport, area: Rect, x: u16) {
    let Some(controls) = &report.controls else {
        let text = match (app.ablation.off.neurons.is_empty(), &report.after) {
            (true, _) => "random sets: neurons only",
            (false, None) => "",
            (false, Some(_)) => "too few for random sets",
        };
        ink.text(area, x, 0, text, Role::Faint);
        return;
    };
    let Controls { planned, losses, .. } = controls;
    let off = &app.ablation.off;
    let others_are_on = off.heads.is_empty() && off.patterns.is_empty();
    let title = match (losses.len() < *planned, others_are_on) {
        (true, true) => format!("matched random sets, {}/{planned}", losses.len()),
        (true, false) => format!("random sets {}/{planned}, heads off", losses.len()),
        (false, true) => format!("{planned} matched random sets"),
        (false, false) => format!("{planned} random sets, heads off"),
    };
    ink.text(area, x, 0, &title, Role::Faint);
    let spread = |(mean, deviation): (f64, f64)| format!("{} sd {}", figure(mean), figure(deviation));
    if let Some(loss) = controls.loss() {
        let end = ink.text(area, x, 1, &spread(loss), Role::Plain);
        let worst = controls.worst_loss().map(figure).unwrap_or_default();
        ink.text(area, end + 1, 1, &format!("max {worst}"), Role::Plain);
    }
    if let Some((mean, deviation)) = controls.accuracy() {
        ink.text(area, x, 2, &format!("{} sd {}", percent(mean), percent(deviation)), Role::Plain);
    }
}

/// Says when the figures are of another step than the one in view.
fn stale(ink: &mut Ink<'_>, app: &App, answer: &Answer, area: Rect) {
    let current = app.timeline.current().map(|current| current.step);
    if app.is_without_step() {
        return;
    }
    let (step, form) = (answer.step(), answer.form().words());
    let taken = format!("validation figures taken at step {step}, {form}");
    if current == Some(step) {
        ink.text(area, 1, 3, &taken, Role::Faint);
    } else {
        ink.text(area, 1, 3, &format!("{taken}: Enter refreshes"), Role::Warning);
    }
}
