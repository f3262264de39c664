//! View 6: the edits and their effect.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::breakdown::{self, Panels};
use super::columns::{of_all, window};
use super::effects;
use super::ink::{Ink, beside, lines};
use super::table::Row;
use super::theme::Role;
use super::{Look, classes, damage, doses, logit_row, losses, nothing_yet, provenance};
use crate::app::keymap::Key;
use crate::app::views::edits::{classes as by_class, confusion, kinds, situations};
use crate::app::{App, InterventionRow, has_doses};
use crate::inquiry::Probe;
use crate::model::{AblationKind, PatternKind};

pub(super) const LOOK: Look = Look {
    render,
    moot: |app, area| if classes::fits(app.task().outputs(), area.width) { CLASSES } else { &[] },
};

/// The keys that scroll the classes.
const CLASSES: &[Key] = &[Key::ch('('), Key::ch(')')];

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "ablation");
    };
    if app.ablation.off.is_empty() {
        nothing_off(ink, area);
        return damage::render(ink, app, lines(area, NOTHING_OFF, area.height));
    }
    ink.rule(area, 0, &heading(app, probe), &provenance(app, probe));
    effects::render(ink, app, lines(area, 1, effects::HEIGHT));
    let used = 1 + effects::HEIGHT;
    let mut rest = lines(area, used, area.height.saturating_sub(used));
    if let Some(doses) = app.settings.doses.filter(|_| has_doses(&app.ablation.off)) {
        return doses::render(ink, app, doses, rest);
    }
    let panels = || Panels {
        situations: situations(app),
        confusion: confusion(app),
        kinds: kinds(app),
        columns: &[("before", "_clean"), ("after", "_edited")],
    };
    if breakdown::render(ink, app, lines(rest, 0, 3), panels) {
        rest = lines(rest, 3, rest.height);
    } else if let Some(panel) = by_class(app) {
        let [before, after] = ["accuracy_clean", "accuracy_edited"].map(|name| panel.values(name));
        let table: [classes::Line<'_>; 2] = [("before", &before), ("after", &after)];
        let is_known = app.ablation_figures().is_some_and(|(_, report)| report.after.is_some());
        classes::render(
            ink,
            lines(rest, 0, 3),
            app.task().outputs(),
            if is_known { &table } else { &table[..1] },
            app.cursor.class_rank,
        );
        rest = lines(rest, 3, rest.height);
    }
    if rest.height >= losses::HEIGHT + 12 {
        losses::render(ink, app, lines(rest, 0, losses::HEIGHT));
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
        AblationKind::Mean => "to the mean over the validation set",
        AblationKind::MeanPosition => "to the mean at each position",
        AblationKind::Resample => "to another sequence's values",
    };
    let plural = |n: usize, noun: &str| (n > 0).then(|| super::number::count(n, noun));
    let counts = [plural(off.heads.len(), "head"), plural(off.neurons.len(), "neuron")];
    let ablated: Vec<String> = counts.into_iter().flatten().collect();
    let ablated = (!ablated.is_empty()).then(|| format!("{} {kind}", ablated.join(", ")));
    let replaced = plural(off.patterns.len(), "pattern").map(|count| format!("{count} replaced"));
    let listed = plural(off.list.len(), if off.switched() > 0 { "other edit" } else { "edit" });
    let parts: Vec<String> = [ablated, replaced, listed].into_iter().flatten().collect();
    format!("{}: {} cells of this sequence", parts.join(", "), probe.cells)
}

/// Height of the hints while nothing is off.
const NOTHING_OFF: u16 = 9;

fn nothing_off(ink: &mut Ink<'_>, area: Rect) {
    ink.rule(area, 0, "ablation", "nothing is off");
    let how = [
        ("2 or 3", "choose a head with , and . and switch it off with space"),
        ("4", "choose a neuron with the arrows and switch it off with space;"),
        ("", "B switches off those that track the target's token"),
        ("2", "a replaces a head's pattern, A every one: uniform, identity, previous"),
        ("m", "zero, the mean, that at each position, or another sequence's values"),
        ("7", "space: a cell of the grid takes the corrupted sequence's value"),
        ("a", "here: type an edit of any activation; s saves all edits, o opens them"),
    ];
    let rows: Vec<Row<'_>> = how
        .map(|(key, text)| Row::new([ink.left(format!("  {key}"), Role::Key), ink.left(text, Role::Plain)]))
        .into();
    ink.table(lines(area, 2, area.height), &[9, area.width.saturating_sub(10)], rows);
}

fn name(app: &App, line: InterventionRow) -> String {
    match line {
        InterventionRow::Head(id) => format!("head {}.{}", id.layer, id.head),
        InterventionRow::Neuron(id) => format!("neuron {}.{}", id.layer, id.neuron),
        InterventionRow::Pattern(id, kind) => {
            let how = match kind {
                PatternKind::Uniform => "uniform",
                PatternKind::Identity => "identity",
                PatternKind::Previous => "previous",
            };
            format!("pattern {}.{}: {how}", id.layer, id.head)
        }
        InterventionRow::Listed(at) => app.ablation.off.list[at].to_string(),
    }
}

fn list(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let names: Vec<String> = app.ablation.lines().into_iter().map(|line| name(app, line)).collect();
    let selected = app.cursor.off_line.min(names.len().saturating_sub(1));
    let shown = window(selected, names.len(), usize::from(area.height.saturating_sub(1)));
    let title = if app.ablation.off.list.is_empty() { "off" } else { "edits" };
    ink.rule(area, 0, &format!("{title}{}", of_all(&shown, names.len())), "space: on again");
    for (line, at) in lines(area, 1, area.height).rows().zip(shown) {
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        let [cursor, off] = ink.marks(at == selected, true);
        ink.draw(Line::from(vec![cursor, off, " ".into(), ink.span(&names[at], role)]), line);
    }
}
