//! Ranked paths from a token through a head and a neuron to the target: scores by the weights, and measured values.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::columns::window;
use super::ink::{Ink, digits, lines, width};
use super::number::signed;
use super::table::{Row, table_width};
use super::target;
use super::theme::Role;
use crate::app::App;
use crate::inquiry::Probe;
use crate::inquiry::TokenPath;
use crate::model::NeuronId;
use crate::task::Token;

/// Width of the longest number: `-99.99`.
const SIGNED: u16 = 6;
const DRIVE: usize = 4;
/// Column headings.
const SHORT: [&str; 6] = ["tok", "head", "neur", "weights", "drive", "adds"];
const LONG: [&str; 6] = ["token", "head", "neuron", "weights", "drive", "neuron adds"];
/// Explanation of the last three columns.
const LEGEND: [&str; 2] = [
    "weights: by weights alone; drive: of hook_pre here",
    "neuron adds: to the centred logit, all its paths",
];

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else { return };
    let position = app.position_in(probe);
    let target = target::short(app, probe, position, area.width.saturating_sub(18));
    ink.rule(area, 0, &format!("paths at {position} to {target}"), &measured(app, probe));
    if !probe.config().has_mlp() {
        ink.text(area, 1, 1, "attention only: no neurons", Role::Faint);
        return;
    }
    let Some(paths) = app.ranked_paths() else {
        let text = format!("{} paths: too many to rank at a key", app.paths_of_layer());
        ink.text(area, 1, 1, &text, Role::Faint);
        return;
    };
    let is_wide = area.width >= 50;
    let names = if is_wide { LONG } else { SHORT };
    let widths = widths(app, names);
    // `drive` is the column to drop: the other numbers imply it.
    let all = table_width(&widths) <= area.width;
    let kept = |column: &usize| all || *column != DRIVE;
    let widths: Vec<u16> = (0..names.len()).filter(kept).map(|column| widths[column]).collect();
    let below = if is_wide && area.height >= 12 { LEGEND.len() as u16 } else { 0 };
    let chosen = app.chosen_path();
    let room = usize::from(area.height.saturating_sub(2 + below));
    let shown = window(chosen.unwrap_or(0), paths.len(), room);
    let mut rows = vec![names.map(|name| ink.right(name, Role::Faint))];
    rows.extend(shown.clone().map(|at| {
        let is_first = !paths[shown.start..at].iter().any(|above| above.neuron == paths[at].neuron);
        row(ink, app, &paths[at], (chosen == Some(at), is_first, widths[0]))
    }));
    let rows = rows.into_iter().map(|row| {
        let cells = row.into_iter().enumerate().filter(|(column, _)| kept(column));
        Row::new(cells.map(|(_, cell)| cell).collect::<Vec<_>>())
    });
    ink.table(lines(area, 1, area.height.saturating_sub(1 + below)), &widths, rows);
    for (y, words) in (area.height - below..).zip(LEGEND.iter().take(below.into())) {
        ink.text(area, 1, y, words, Role::Faint);
    }
}

/// Column widths: the heading or the longest number, and two marks before the first column.
fn widths(app: &App, names: [&str; 6]) -> [u16; 6] {
    let model = &app.options.model;
    let largest = |len: usize| digits(len.saturating_sub(1));
    let head = largest(model.n_layers) + 1 + largest(model.n_heads);
    // The first heading has no marks before it.
    let token = (2 + app.task().vocabulary().width() as u16).max(1 + width(names[0]));
    let values = [token, head, largest(model.d_mlp), SIGNED, SIGNED, SIGNED];
    std::array::from_fn(|column| values[column].max(width(names[column])))
}

/// The step of the measured columns, if the circuits are of another step.
fn measured(app: &App, probe: &Probe) -> String {
    let circuits = app.studies.circuits().map(|(study, _)| study.step());
    let step = probe.subject.step();
    if circuits.is_some_and(|circuits| circuits != step) {
        format!("drive and adds, @{step}")
    } else {
        String::new()
    }
}

/// A row. A neuron's contribution is written only at its first path: the value belongs to the neuron, not to one path.
fn row(
    ink: &Ink<'_>,
    app: &App,
    path: &TokenPath,
    (is_chosen, is_first, first): (bool, bool, u16),
) -> [Line<'static>; 6] {
    let off = &app.ablation.off;
    let neuron = NeuronId { layer: path.head.layer, neuron: path.neuron };
    let is_off = off.heads.contains(&path.head) || off.neurons.contains(&neuron);
    let plain = if is_chosen { Role::Strong } else { Role::Plain };
    let of_neuron = if is_chosen { Role::Cursor } else { plain };
    let number = |value: f32| ink.right(signed(value), if value.is_finite() { plain } else { Role::Wrong });
    let [cursor, off] = ink.marks(is_chosen, is_off);
    let room = usize::from(first.saturating_sub(2));
    let token = ink.span(format!("{:>room$}", app.task().vocabulary().name(path.token as Token)), plain);
    [
        Line::from(vec![cursor, off, token]),
        ink.right(format!("{}.{}", path.head.layer, path.head.head), plain),
        ink.right(path.neuron.to_string(), of_neuron),
        number(path.score),
        number(path.drive),
        if is_first { number(path.contribution) } else { ink.right("\"", Role::Faint) },
    ]
}
