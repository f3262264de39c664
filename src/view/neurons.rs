//! View 4: a layer's neurons at the cursor's position.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, beside, digits, lines, part};
use super::number::{figure, signed};
use super::theme::Role;
use super::{Look, neuron_map, nothing_yet, provenance, target, traces};
use crate::app::keymap::Key;
use crate::app::views::neurons::neurons;
use crate::app::{App, LowerPanel, Sort};
use crate::figure::{Column, Datum, Panel};
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// Traces or map: where both are in view, there is nothing to choose.
const CHOICE: &[Key] = &[Key::ch('v')];

pub(super) const LOOK: Look = Look { render, moot: |_, area| if shows_all(area) { CHOICE } else { &[] } };

/// Draws the view.
fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "neurons");
    };
    if !probe.config().has_mlp() {
        ink.rule(area, 0, "neurons", "");
        ink.text(area, 2, 2, "this model has attention only: there are no neurons", Role::Plain);
        return;
    }
    let Some(panel) = neurons(app) else { return };
    let order: Vec<usize> = (0..panel.len()).map(|row| panel.entry(row)).collect();
    let lower = lower_height(app, area);
    let top = lines(area, 0, area.height - lower);
    let bottom = lines(area, top.height, lower);
    if shows_all(area) {
        // The map beside the list, the traces below.
        let (left, right) = beside(top, 64);
        list(ink, app, probe, &panel, left);
        neuron_map::render(ink, app, probe, &order, right, false);
        traces::render(ink, app, probe, bottom);
        return;
    }
    list(ink, app, probe, &panel, top);
    match app.settings.lower {
        LowerPanel::Traces => traces::render(ink, app, probe, bottom),
        LowerPanel::Map => neuron_map::render(ink, app, probe, &order, bottom, true),
    }
}

/// Whether there is room for the map and the traces, and nothing to choose.
fn shows_all(area: Rect) -> bool {
    area.width >= 120
}

fn lower_height(app: &App, area: Rect) -> u16 {
    let most = area.height / 2;
    match app.settings.lower {
        _ if area.height < 8 => 0,
        LowerPanel::Map if !shows_all(area) => most,
        _ => traces::height(app).min(most),
    }
}

/// Column of the bars, and above them of what they say.
const LEGEND: u16 = 11;

/// Columns at which a row's cells end: they share what the bars leave.
struct Cells {
    activation: u16,
    target: u16,
    favours: u16,
    tracks: u16,
}

impl Cells {
    fn new(width: u16, target: &str, tracks: u16) -> Self {
        let end = width.saturating_sub(2);
        let favours = end.saturating_sub(tracks.max(9) + 1);
        let to = favours.saturating_sub(8);
        Self {
            activation: to.saturating_sub(super::ink::width(target) + 6),
            target: to,
            favours,
            tracks: end,
        }
    }
}

/// The columns of the panel.
struct Columns<'a> {
    /// Clean, and as things are.
    activation: [Option<&'a Column>; 2],
    contribution: [Option<&'a Column>; 2],
    favours: Option<&'a Column>,
    tracks: Option<&'a Column>,
    effect: Option<&'a Column>,
}

impl<'a> Columns<'a> {
    fn of(panel: &'a Panel) -> Self {
        let both = |[clean, edited]: [&str; 2]| [panel.column(&[clean]), panel.column(&[edited, clean])];
        let one = |name: &str| panel.column(&[name]);
        Self {
            activation: both(["activation_clean", "activation_edited"]),
            contribution: both(["contribution_clean", "contribution_edited"]),
            favours: one("favours"),
            tracks: one("tracks"),
            effect: one("effect"),
        }
    }
}

/// A neuron of the list.
#[derive(Clone, Copy)]
struct Line {
    neuron: usize,
    is_off: bool,
}

impl Line {
    /// A number, clean or as things are: a neuron that is off is shown as it would be, so that it keeps its place.
    fn number(self, columns: [Option<&Column>; 2]) -> f32 {
        columns[usize::from(!self.is_off)].map_or(f32::NAN, |column| column.number(&[self.neuron]) as f32)
    }
}

fn list(ink: &mut Ink<'_>, app: &App, probe: &Probe, panel: &Panel, area: Rect) {
    let position = app.position_in(probe);
    let by = match app.settings.sort {
        Sort::Contribution => "|contribution|",
        Sort::Activation => "|activation|",
        Sort::Index => "index",
    };
    let clean = if probe.ablated.is_some() { "clean " } else { "" };
    let title = format!("layer {} at {position}, by {clean}{by}", app.cursor.layer);
    ink.rule(area, 0, &title, &provenance(app, probe));
    // A long name has its place in the logits view.
    let (target, tracks) = (target::short(app, probe, position, 14), tracks(app));
    let tracked = digits(probe.config().d_vocab.saturating_sub(1)) + 7;
    let cells = Cells::new(area.width, &target, super::ink::width(&tracks).max(tracked));
    ink.text(area, 4, 1, "neuron", Role::Faint);
    let heading = format!("activation   to {target}");
    ink.text_right(area, cells.target, 1, &heading, Role::Faint);
    ink.text_right(area, cells.favours, 1, "favours", Role::Faint);
    ink.text_right(area, cells.tracks, 1, &tracks, Role::Faint);
    let columns = Columns::of(panel);
    let line = |neuron: usize| {
        let id = NeuronId { layer: app.cursor.layer, neuron };
        Line { neuron, is_off: app.ablation.off.neurons.contains(&id) }
    };
    let sizes = (0..panel.len()).map(|row| line(row).number(columns.activation).abs());
    let largest = sizes.filter(|a| a.is_finite()).fold(0.0, f32::max);
    let scale = if largest > 0.0 && area.width >= 60 {
        format!("bars to {}", figure(f64::from(largest)))
    } else {
        String::new()
    };
    let legends = if app.ablation.off.neurons.iter().any(|id| id.layer == app.cursor.layer) {
        // What is off says what it would do, or there would be nothing to choose by.
        ["✕ clean, ".to_owned() + &scale, "✕ clean".into()]
    } else {
        [scale, String::new()]
    };
    let room = cells.target.saturating_sub(super::ink::width(&heading) + LEGEND + 1);
    let legend = legends.iter().find(|legend| super::ink::width(legend) <= room);
    ink.text(area, LEGEND, 1, legend.map_or("", |legend| legend.trim_end_matches(", ")), Role::Faint);
    let rows = usize::from(area.height.saturating_sub(2));
    for (y, at) in (2..).zip(window(selected(app, panel), panel.len(), rows)) {
        let (area, line) = (lines(area, y, 1), line(panel.entry(at)));
        marks(ink, app, area, line);
        if largest > 0.0 && area.width >= 60 {
            let share = line.number(columns.activation) / largest;
            bar(ink, area, line, cells.activation.saturating_sub(12 + 7), share);
        }
        numbers(ink, area, line, &columns, &cells);
    }
}

/// The row of the cursor's neuron.
fn selected(app: &App, panel: &Panel) -> usize {
    (0..panel.len()).find(|row| panel.entry(*row) == app.cursor.neuron).unwrap_or_default()
}

fn bar(ink: &mut Ink<'_>, area: Rect, line: Line, room: u16, share: f32) {
    let role = match (line.is_off, share < 0.0) {
        (true, _) => Role::Faint,
        (false, true) => Role::Negative,
        (false, false) => Role::Bar,
    };
    ink.bar(part(area, LEGEND, 0, room, 1), share.abs(), role);
}

fn numbers(ink: &mut Ink<'_>, area: Rect, line: Line, columns: &Columns<'_>, cells: &Cells) {
    let plain = if line.is_off { Role::Faint } else { Role::Plain };
    ink.text_right(area, cells.activation, 0, &decimals(line.number(columns.activation)), plain);
    ink.text_right(area, cells.target, 0, &signed(line.number(columns.contribution)), plain);
    let cell = |column: Option<&Column>| column.map_or(Datum::Nothing, |column| column.at(&[line.neuron]));
    let favours = match cell(columns.favours) {
        // Of directions that are no numbers none is the largest.
        Datum::Nothing => "?".into(),
        class => class.to_string(),
    };
    ink.text_right(area, cells.favours, 0, &favours, Role::Plain);
    if let Some(effect) = cell(columns.effect).number() {
        let text = format!("{} {}", cell(columns.tracks), signed(effect as f32));
        ink.text_right(area, cells.tracks, 0, &text, Role::Plain);
    }
}

/// Two decimals, where they say anything.
fn decimals(x: f32) -> String {
    if x.abs() < 1e4 { format!("{x:.2}") } else { figure(f64::from(x)) }
}

/// The heading of what each neuron tracks, with the step it is of if that is not the one in view.
fn tracks(app: &App) -> String {
    let is_last = app.cursor.layer + 1 == app.options.model.n_layers;
    let current = app.timeline.current().map(|snapshot| snapshot.step);
    match app.studies.trackers().filter(|_| is_last).map(|(study, _)| study.step()) {
        Some(step) if Some(step) != current => format!("tracks @{step}"),
        _ => "tracks".into(),
    }
}

/// The neuron's number, and before it: the cursor, switched off, picked.
fn marks(ink: &mut Ink<'_>, app: &App, area: Rect, line: Line) {
    let id = NeuronId { layer: app.cursor.layer, neuron: line.neuron };
    let is_selected = line.neuron == app.cursor.neuron;
    if is_selected {
        ink.text(area, 0, 0, "▸", Role::Strong);
    }
    if line.is_off {
        ink.text(area, 1, 0, "✕", Role::Off);
    }
    if app.settings.picked.contains(&id) {
        ink.text(area, 3, 0, "◆", Role::Second);
    }
    let role = if is_selected { Role::Cursor } else { Role::Plain };
    ink.text_right(area, 10, 0, &line.neuron.to_string(), role);
}
