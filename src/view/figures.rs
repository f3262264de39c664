//! The ablation in numbers: this sequence, the validation set, and random sets of the same size.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::number::{figure, percent};
use super::theme::Role;
use crate::analysis::Controls;
use crate::app::App;
use crate::inquiry::{AblationReport, Answer, Probe};

/// Lines it takes.
pub(super) const HEIGHT: u16 = 4;

/// Columns of the parts.
const SEQUENCE: u16 = 10;

/// Draws the table.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let validation = SEQUENCE + 20;
    let controls = validation + 22;
    ink.text(area, 1, 1, "loss", Role::Faint);
    ink.text(area, 1, 2, "accuracy", Role::Faint);
    ink.text(area, SEQUENCE, 0, "this sequence", Role::Faint);
    if let Some(after) = &probe.ablated {
        let (before, targets) = (&probe.clean, &probe.targets);
        change(
            ink,
            area,
            SEQUENCE,
            1,
            &[before.loss(), after.loss()].map(|x| x.map_or_else(String::new, |x| figure(f64::from(x)))),
        );
        let accuracy = [before.accuracy(targets), after.accuracy(targets)]
            .map(|x| x.map_or_else(String::new, |x| percent(f64::from(x))));
        change(ink, area, SEQUENCE, 2, &accuracy);
    }
    let Some((answer, report)) = app.ablation_figures() else {
        ink.text(area, validation, 0, "validation set", Role::Faint);
        ink.text(area, validation, 1, "computing", Role::Faint);
        return;
    };
    ink.text(area, validation, 0, &format!("validation ({})", report.before.sequences), Role::Faint);
    let after = report.after.as_ref();
    let pending = || "computing".to_owned();
    let losses = [figure(report.before.loss), after.map_or_else(pending, |after| figure(after.loss))];
    change(ink, area, validation, 1, &losses);
    let accuracies =
        [percent(report.before.accuracy), after.map_or_else(pending, |after| percent(after.accuracy))];
    change(ink, area, validation, 2, &accuracies);
    random_sets(ink, app, report, area, controls);
    stale(ink, app, answer, area);
}

fn change(ink: &mut Ink<'_>, area: Rect, x: u16, y: u16, [before, after]: &[String; 2]) {
    let x = ink.text(area, x, y, before, Role::Plain);
    let x = ink.text(area, x, y, ink.arrow(), Role::Faint);
    ink.text(area, x, y, after, Role::Strong);
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
        ink.text(area, 1, 3, &format!("{taken}: Enter takes them anew"), Role::Warning);
    }
}
