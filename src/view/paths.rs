//! Ranked ways from a token through a head and a neuron to the target, as the weights say and as measured.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, digits, lines, width};
use super::number::signed;
use super::target;
use super::theme::Role;
use crate::app::App;
use crate::inquiry::Probe;
use crate::inquiry::TokenPath;
use crate::model::NeuronId;

/// Columns for the cursor and for what is off.
const MARKS: u16 = 2;
/// The longest number with a sign: `-99.99`.
const SIGNED: u16 = 6;
const DRIVE: usize = 4;
const ADDS: usize = 5;
/// What the columns are.
const SHORT: [&str; 6] = ["tok", "head", "neur", "weights", "drive", "adds"];
const LONG: [&str; 6] = ["token", "head", "neuron", "weights", "drive", "neuron adds"];
/// The same in words.
const LEGEND: [&str; 2] = [
    "weights: by weights alone; drive: of hook_pre here",
    "neuron adds: to the centred logit, all its paths",
];

/// Draws the list.
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
    let ends = ends(app, names, area.width);
    for (end, name) in ends.into_iter().zip(names).filter(|(end, _)| *end > 0) {
        ink.text_right(area, end, 1, name, Role::Faint);
    }
    let below = if is_wide && area.height >= 12 { LEGEND.len() as u16 } else { 0 };
    let body = lines(area, 2, area.height.saturating_sub(2 + below));
    let chosen = app.chosen_path();
    let shown = window(chosen.unwrap_or(0), paths.len(), usize::from(body.height));
    for (y, at) in (0..).zip(shown.clone()) {
        let is_first = !paths[shown.start..at].iter().any(|above| above.neuron == paths[at].neuron);
        row(ink, app, lines(body, y, 1), &paths[at], (chosen == Some(at), is_first, ends));
    }
    for (y, words) in (area.height - below..).zip(LEGEND.iter().take(below.into())) {
        ink.text(area, 1, y, words, Role::Faint);
    }
}

/// Columns at which the names and the numbers end, 0 of one that there is no room for: what a path drives is told by its
/// other numbers.
fn ends(app: &App, names: [&str; 6], room: u16) -> [u16; 6] {
    let model = &app.options.model;
    let largest = |len: usize| digits(len.saturating_sub(1));
    let head = largest(model.n_layers) + 1 + largest(model.n_heads);
    let values = [head, largest(model.d_mlp), SIGNED, SIGNED, SIGNED];
    let widths: Vec<u16> =
        names[1..].iter().zip(values).map(|(name, value)| width(name).max(value)).collect();
    // No mark stands before the first heading.
    let first = (MARKS + largest(model.d_vocab)).max(1 + width(names[0]));
    let of = |drive: bool| {
        let (mut end, mut ends) = (first, [first, 0, 0, 0, 0, 0]);
        for (at, width) in (1..).zip(&widths).filter(|(at, _)| drive || *at != DRIVE) {
            end += width + 1;
            ends[at] = end;
        }
        ends
    };
    let all = of(true);
    if all[ADDS] <= room { all } else { of(false) }
}

/// The step of what is measured, where the weights' column is of another.
fn measured(app: &App, probe: &Probe) -> String {
    let circuits = app.studies.circuits().map(|(study, _)| study.step());
    let step = probe.subject.step();
    if circuits.is_some_and(|circuits| circuits != step) {
        format!("drive and adds, @{step}")
    } else {
        String::new()
    }
}

/// A path; what its neuron adds is said once, for it is not this path's alone.
fn row(
    ink: &mut Ink<'_>,
    app: &App,
    area: Rect,
    path: &TokenPath,
    (is_chosen, is_first, ends): (bool, bool, [u16; 6]),
) {
    let off = &app.ablation.off;
    let neuron = NeuronId { layer: path.head.layer, neuron: path.neuron };
    if is_chosen {
        ink.text(area, 0, 0, "▸", Role::Strong);
    }
    if off.heads.contains(&path.head) || off.neurons.contains(&neuron) {
        ink.text(area, 1, 0, "✕", Role::Off);
    }
    let plain = if is_chosen { Role::Strong } else { Role::Plain };
    let of_neuron = if is_chosen { Role::Cursor } else { plain };
    let head = format!("{}.{}", path.head.layer, path.head.head);
    let names = [(path.token.to_string(), plain), (head, plain), (path.neuron.to_string(), of_neuron)];
    let number = |value: f32| (signed(value), if value.is_finite() { plain } else { Role::Wrong });
    let adds = if is_first { number(path.contribution) } else { ("\"".into(), Role::Faint) };
    let cells = names.into_iter().chain([number(path.score), number(path.drive), adds]);
    for (end, (text, role)) in ends.into_iter().zip(cells).filter(|(end, _)| *end > 0) {
        ink.text_right(area, end, 0, &text, role);
    }
}
