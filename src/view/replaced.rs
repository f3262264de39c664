//! What replacing attention patterns does, in one line above them.

use ratatui::layout::Rect;

use super::at_another;
use super::ink::{Ink, width};
use super::number::{count, figure, percent};
use super::theme::Role;
use crate::analysis::Pass;
use crate::app::App;
use crate::inquiry::Probe;

/// Draws as much of the line as fits: accuracy and loss over this sequence, then over the validation set.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let off = &app.ablation.off;
    let patterns = count(off.patterns.len(), "pattern");
    let others = off.len() - off.patterns.len();
    let what = if others > 0 { format!("{patterns} and {others} off") } else { patterns };
    let mut x = ink.text(area, 1, 0, &what, Role::Off) + 1;
    let arrow = ink.arrow();
    for Change { name, before, after } in fitting(changes(app, probe), area.width.saturating_sub(x), arrow) {
        x = ink.text(area, x + 1, 0, &name, Role::Faint);
        x = ink.text(area, x, 0, &before, Role::Plain);
        x = ink.text(area, x, 0, arrow, Role::Faint);
        x = ink.text(area, x, 0, &after, Role::Strong);
    }
}

/// A figure before and after.
struct Change {
    name: String,
    before: String,
    after: String,
}

/// The loss over this sequence is what can be done without first, then that over the validation set.
fn fitting(mut changes: Vec<Change>, room: u16, arrow: &str) -> Vec<Change> {
    let length = |change: &Change| {
        1 + width(&change.name) + width(&change.before) + width(arrow) + width(&change.after)
    };
    for dispensable in [1, 2, 1, 0] {
        if changes.iter().map(length).sum::<u16>() > room && dispensable < changes.len() {
            changes.remove(dispensable);
        }
    }
    changes
}

/// Each figure that is known.
fn changes(app: &App, probe: &Probe) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |name: &str, before, after| changes.push(Change { name: name.into(), before, after });
    if let Some(after) = &probe.ablated {
        let passes = [&*probe.clean, after];
        if let [Some(before), Some(after)] = passes.map(|pass| pass.accuracy(&probe.targets)) {
            change("here ", percent(before.into()), percent(after.into()));
        }
        if let [Some(before), Some(after)] = passes.map(Pass::loss) {
            change("loss ", figure(before.into()), figure(after.into()));
        }
    }
    if let Some((answer, report)) = app.ablation_figures()
        && let Some(after) = &report.after
    {
        let name = format!("val({}){} ", report.before.sequences, at_another(app, answer.step()));
        change(&name, percent(report.before.accuracy), percent(after.accuracy));
        change("loss ", figure(report.before.loss), figure(after.loss));
    }
    changes
}
