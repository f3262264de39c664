//! View 4: neurons of a layer at the cursor's position.

use ratatui::layout::{Constraint, Layout, Rect};

use super::ink::{Ink, beside, lines, tail};
use super::neuron_lines::{Line, in_view, name_list};
use super::number::{figure, signed};
use super::table::{Row, table_width};
use super::theme::Role;
use super::{Look, examples, neuron_ablations, neuron_map, nothing_yet, pairs, provenance, target, traces};
use crate::analysis::NeuronHook;
use crate::app::keymap::Key;
use crate::app::views::neurons::neurons;
use crate::app::{App, LowerPanel, Sort};
use crate::figure::{Column, Datum, Panel};
use crate::inquiry::Probe;

/// The key that chooses traces or map: without effect if both are in view.
const CHOICE: &[Key] = &[Key::ch('v')];

pub(super) const LOOK: Look =
    Look { render, moot: |app, area| if shows_all(area) && !app.has_data() { CHOICE } else { &[] } };

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
        let (left, right) = beside(top, 64);
        list(ink, app, probe, &panel, left);
        match app.settings.lower {
            LowerPanel::Pairs => pairs::render(ink, app, right),
            LowerPanel::Examples => examples::render(ink, app, right),
            LowerPanel::Traces | LowerPanel::Map => neuron_map::render(ink, app, probe, &order, right, false),
        }
        traces::render(ink, app, probe, bottom);
        return;
    }
    list(ink, app, probe, &panel, top);
    match app.settings.lower {
        LowerPanel::Pairs => pairs::render(ink, app, bottom),
        LowerPanel::Examples => examples::render(ink, app, bottom),
        LowerPanel::Traces => traces::render(ink, app, probe, bottom),
        LowerPanel::Map => neuron_map::render(ink, app, probe, &order, bottom, true),
    }
}

/// Lines of the list above a map of pairs.
const LEAST_LIST: u16 = 5;

/// Longer names of classes are cut.
const MOST_OF_A_NAME: u16 = 12;

/// Whether both the map and the traces fit.
fn shows_all(area: Rect) -> bool {
    area.width >= 120
}

fn lower_height(app: &App, area: Rect) -> u16 {
    let most = area.height / 2;
    match app.settings.lower {
        _ if area.height < 8 => 0,
        LowerPanel::Map | LowerPanel::Examples if !shows_all(area) => most,
        LowerPanel::Pairs if !shows_all(area) => area.height - LEAST_LIST.min(most),
        _ => traces::height(app).min(most),
    }
}

struct Columns<'a> {
    /// Clean, and with the current edits.
    activation: [Option<&'a Column>; 2],
    contribution: [Option<&'a Column>; 2],
    favours: Option<&'a Column>,
    tracks: Option<&'a Column>,
    effect: Option<&'a Column>,
}

impl<'a> Columns<'a> {
    fn of(panel: &'a Panel, hook: NeuronHook) -> Self {
        let both = |[clean, edited]: [&str; 2]| [panel.column(&[clean]), panel.column(&[edited, clean])];
        let one = |name: &str| panel.column(&[name]);
        Self {
            activation: match hook {
                NeuronHook::Post => both(["activation_clean", "activation_edited"]),
                NeuronHook::Pre => both(["pre_clean", "pre_edited"]),
            },
            contribution: both(["contribution_clean", "contribution_edited"]),
            favours: one("favours"),
            tracks: one("tracks"),
            effect: one("effect"),
        }
    }
}

impl Line {
    /// The numbers of a row; brackets mark a clean value among edited ones.
    fn cells(self, ink: &Ink<'_>, columns: &Columns<'_>) -> Row<'static> {
        let plain = if self.is_off { Role::Faint } else { Role::Plain };
        let clean = |text: String| if self.is_off { format!("({text})") } else { text };
        let cell =
            |column: Option<&Column>| column.map_or(Datum::Nothing, |column| column.at(&[self.neuron]));
        let favours = match cell(columns.favours) {
            // A direction that contains NaN has no largest logit.
            Datum::Nothing => "?".into(),
            class => tail(&class.to_string(), MOST_OF_A_NAME).into_owned(),
        };
        let effect = cell(columns.effect).number();
        let tracks = effect.map(|effect| {
            format!("{} {}", tail(&cell(columns.tracks).to_string(), MOST_OF_A_NAME), signed(effect as f32))
        });
        Row::new([
            ink.right(clean(decimals(self.number(columns.activation))), plain),
            ink.right(clean(signed(self.number(columns.contribution))), plain),
            ink.right(favours, Role::Plain),
            ink.right(tracks.unwrap_or_default(), Role::Plain),
        ])
    }

    /// The current value; for an ablated neuron the clean value, so that its place in the sorted list stays.
    fn number(self, columns: [Option<&Column>; 2]) -> f32 {
        columns[usize::from(!self.is_off)].map_or(f32::NAN, |column| column.number(&[self.neuron]) as f32)
    }
}

fn list(ink: &mut Ink<'_>, app: &App, probe: &Probe, panel: &Panel, area: Rect) {
    let position = app.position_in(probe);
    let by = match app.settings.sort {
        Sort::Contribution => "|contribution|",
        Sort::Activation => "|activation|",
        Sort::Damage => return neuron_ablations::render(ink, app, panel, area),
        Sort::Index => "index",
    };
    let clean = if probe.ablated.is_some() { "clean " } else { "" };
    let title = format!("layer {} at {position}, by {clean}{by}", app.cursor.layer);
    ink.rule(area, 0, &title, &provenance(app, probe));
    // The logits view has room for long names.
    let (target, tracks) = (target::short(app, probe, position, 14), tracks(app));
    let columns = Columns::of(panel, app.settings.hook);
    let names = (app.task().outputs().width() as u16).min(MOST_OF_A_NAME);
    let tracked = (names + 7).max(9).max(super::ink::width(&tracks));
    let widths = [10, super::ink::width(&target) + 3, names.max(7), tracked];
    let line = |neuron: usize| Line::of(app, neuron);
    let sizes = (0..panel.len()).map(|row| line(row).number(columns.activation).abs());
    let largest = sizes.filter(|a| a.is_finite()).fold(0.0, f32::max);
    let shown = in_view(app, panel, area);
    let numbers = Constraint::Length(table_width(&widths));
    let parts = Layout::horizontal([Constraint::Length(10), Constraint::Min(0), numbers]).spacing(1);
    let body = Rect { width: area.width.saturating_sub(2), ..lines(area, 1, area.height) };
    let [names, bars, numbers] = body.layout(&parts);
    name_list(ink, app, &shown, names);
    let heading = [app.settings.hook.name().into(), format!("to {target}"), "favours".into(), tracks];
    let heading = Row::new(heading.map(|name| ink.right(name, Role::Faint)));
    let rows = shown.iter().map(|line| line.cells(ink, &columns));
    let rows: Vec<Row<'_>> = [heading].into_iter().chain(rows).collect();
    ink.table(numbers, &widths, rows);
    if largest > 0.0 && area.width >= 60 {
        let legend = format!("bars to {}", figure(f64::from(largest)));
        if super::ink::width(&legend) <= bars.width {
            ink.draw(ink.span(legend, Role::Faint), lines(bars, 0, 1));
        }
        for (row, line) in lines(bars, 1, bars.height).rows().zip(&shown) {
            bar(ink, row, *line, line.number(columns.activation) / largest);
        }
    }
}

fn bar(ink: &mut Ink<'_>, area: Rect, line: Line, share: f32) {
    let role = match (line.is_off, share < 0.0) {
        (true, _) => Role::Faint,
        (false, true) => Role::Negative,
        (false, false) => Role::Bar,
    };
    ink.bar(area, share.abs(), role);
}

/// Two decimals, or four digits for a large number.
fn decimals(x: f32) -> String {
    match x {
        // Rounding must not leave a sign before zero.
        x if x.abs() < 0.005 => "0.00".into(),
        x if x.abs() < 1e4 => format!("{x:.2}"),
        x => figure(f64::from(x)),
    }
}

/// Heading of the tracked classes, with their step if another step is in view.
fn tracks(app: &App) -> String {
    let is_last = app.cursor.layer + 1 == app.options.model.n_layers;
    let current = app.timeline.current().map(|snapshot| snapshot.step);
    match app.studies.trackers().filter(|_| is_last).map(|(study, _)| study.step()) {
        Some(step) if Some(step) != current => format!("tracks @{step}"),
        _ => "tracks".into(),
    }
}
