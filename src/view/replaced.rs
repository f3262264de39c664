//! What replacing attention patterns does, in one line above them.

use ratatui::layout::Rect;

use super::ink::{Ink, width};
use super::number::{figure, percent};
use super::theme::Role;
use crate::analysis::Probe;
use crate::app::App;

/// Draws as much of the line as fits: this sequence, then the validation set.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let off = &app.ablation.off;
    let others = off.len() - off.patterns.len();
    let what = if others == 0 {
        super::number::count(off.patterns.len(), "pattern")
    } else {
        format!("{} patterns, {others} off", off.patterns.len())
    };
    let mut x = ink.text(area, 1, 0, &what, Role::Off) + 1;
    for (name, before, after) in changes(app, probe) {
        let arrow = ink.arrow();
        if x + 1 + width(&name) + width(&before) + width(arrow) + width(&after) > area.width {
            return;
        }
        x = ink.text(area, x + 1, 0, &name, Role::Faint);
        x = ink.text(area, x, 0, &before, Role::Plain);
        x = ink.text(area, x, 0, arrow, Role::Faint);
        x = ink.text(area, x, 0, &after, Role::Strong);
    }
}

/// Name, before and after of each figure that is known.
fn changes(app: &App, probe: &Probe) -> Vec<(String, String, String)> {
    let mut changes = Vec::new();
    if let Some(after) = &probe.ablated {
        let accuracy = |share: f32| percent(f64::from(share));
        let [before, after] = [&probe.clean, after];
        let both = (accuracy(before.accuracy(&probe.labels)), accuracy(after.accuracy(&probe.labels)));
        changes.push(("here ".into(), both.0, both.1));
        let [before, after] = [before, after].map(|pass| figure(f64::from(pass.loss())));
        changes.push(("loss ".into(), before, after));
    }
    if let Some(report) = app.ablation.figures()
        && let Some(after) = &report.after
    {
        let name = format!("val({}) ", report.before.sequences);
        changes.push((name, percent(report.before.accuracy), percent(after.accuracy)));
        changes.push(("loss ".into(), figure(report.before.loss), figure(after.loss)));
    }
    changes
}
