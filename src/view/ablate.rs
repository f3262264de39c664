//! View 6: what is switched off, and what that does.

use ratatui::layout::Rect;

use super::columns::window;
use super::figures;
use super::ink::{Ink, beside, lines};
use super::theme::Role;
use super::{classes, logit_row, losses, nothing_yet, provenance};
use crate::analysis::Probe;
use crate::app::App;
use crate::model::AblationKind;

/// Draws the view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "ablation");
    };
    if app.ablation.off.is_empty() {
        return nothing_off(ink, area);
    }
    ink.rule(area, 0, &heading(app, probe), &provenance(app, probe.request.snapshot.step));
    figures::render(ink, app, probe, lines(area, 1, figures::HEIGHT));
    let used = 1 + figures::HEIGHT;
    let mut rest = lines(area, used, area.height.saturating_sub(used));
    if let Some(report) = app.ablation.figures() {
        let after = report.after.as_ref().map(|after| after.accuracy_by_class.as_slice());
        let before = ("before", report.before.accuracy_by_class.as_slice());
        let table: Vec<classes::Line<'_>> =
            [Some(before), after.map(|after| ("after", after))].into_iter().flatten().collect();
        classes::render(ink, lines(rest, 0, 3), &table);
        rest = lines(rest, 3, rest.height);
    }
    if rest.height >= losses::HEIGHT + 12 {
        losses::render(ink, app, probe, lines(rest, 0, losses::HEIGHT));
        rest = lines(rest, losses::HEIGHT, rest.height);
    }
    if rest.width >= 64 {
        let (left, right) = beside(rest, rest.width * 2 / 5);
        list(ink, app, left);
        logit_row::render(ink, app, probe, right);
    } else {
        list(ink, app, rest);
    }
}

fn heading(app: &App, probe: &Probe) -> String {
    let off = &app.ablation.off;
    let kind = match off.kind {
        AblationKind::Zero => "to zero",
        AblationKind::Mean => "to their mean over the validation set",
    };
    let plural = |n: usize, noun: &str| (n > 0).then(|| super::number::count(n, noun));
    let parts: Vec<String> = [plural(off.heads.len(), "head"), plural(off.neurons.len(), "neuron")]
        .into_iter()
        .flatten()
        .collect();
    format!("{} {kind}: {} cells of this sequence", parts.join(", "), probe.cells)
}

fn nothing_off(ink: &mut Ink<'_>, area: Rect) {
    ink.rule(area, 0, "ablation", "nothing is off");
    let how = [
        ("2 or 3", "choose a head with , and . and switch it off with space"),
        ("4", "choose a neuron with the arrows and switch it off with space"),
        ("m", "zero, or the mean over the validation set"),
        ("6", "back here: loss and accuracy before and after, and random sets to compare with"),
    ];
    for (y, (key, text)) in (2..).zip(how) {
        ink.text(area, 2, y, key, Role::Key);
        ink.text(area, 10, y, text, Role::Plain);
    }
}

fn list(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let off = &app.ablation.off;
    ink.rule(area, 0, "off", "space: on again");
    let heads = off.heads.iter().map(|id| format!("head {}.{}", id.layer, id.head));
    let neurons = off.neurons.iter().map(|id| format!("neuron {}.{}", id.layer, id.neuron));
    let names: Vec<String> = heads.chain(neurons).collect();
    let selected = app.cursor.off_line.min(names.len().saturating_sub(1));
    let shown = window(selected, names.len(), usize::from(area.height.saturating_sub(1)));
    for (y, at) in (1..).zip(shown) {
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        ink.text(area, 0, y, if at == selected { "▸" } else { " " }, Role::Strong);
        ink.text(area, 1, y, "✕", Role::Off);
        ink.text(area, 3, y, &names[at], role);
    }
}
