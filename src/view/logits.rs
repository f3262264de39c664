//! View 3: the contribution of each component to the target.

use std::ops::Range;

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text;

use super::columns::{of_all, window};
use super::ink::{Ink, beside, lines, part, width};
use super::number::{figure, signed};
use super::table::{Row, table_width};
use super::theme::Role;
use super::{Look, component_map, lens, logit_row, nothing_yet, probes, profile, provenance, target};
use crate::analysis::Component;
use crate::app::keymap::Key;
use crate::app::views::logits::{components, mlp_parts, relative_components, sums};
use crate::app::{App, ContributionsFrom, LogitPanel, MlpRow, StreamReader};
use crate::figure::Panel;
use crate::inquiry::Probe;

/// Height of the profile over positions.
const PROFILE: u16 = 4;

/// The key that chooses profile or lens: without effect if both are in view.
const CHOICE: &[Key] = &[Key::ch('v')];

pub(super) const LOOK: Look =
    Look { render, moot: |app, area| if shows_all(app, area) { CHOICE } else { &[] } };

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "logits");
    };
    let panels = panels(app, probe, area.height);
    let low = panels.iter().map(|panel| panel.height(app, probe)).sum::<u16>().min(area.height);
    let top = lines(area, 0, area.height - low);
    if area.width >= 64 {
        let (left, right) = beside(top, area.width * 11 / 20);
        component_list(ink, app, probe, left);
        logit_row::render(ink, app, probe, right);
    } else {
        component_list(ink, app, probe, top);
    }
    let mut y = top.height;
    for panel in panels {
        let height = panel.height(app, probe);
        panel.render(ink, app, probe, lines(area, y, height));
        y += height;
    }
}

/// A panel below the list of components.
#[derive(Clone, Copy, PartialEq)]
enum Lower {
    Map,
    Lens,
    Probes,
    FeatureProbes,
    Profile,
}

impl Lower {
    fn height(self, app: &App, probe: &Probe) -> u16 {
        match self {
            Self::Map => component_map::height(probe),
            Self::Lens | Self::Probes | Self::FeatureProbes => lens::height(app),
            Self::Profile => PROFILE,
        }
    }

    fn render(self, ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
        match self {
            Self::Map => component_map::render(ink, app, probe, area),
            Self::Lens => lens::render(ink, app, probe, area),
            Self::Probes => probes::render(ink, app, area),
            Self::FeatureProbes => probes::of_features(ink, app, area),
            Self::Profile => profile::render(ink, app, probe, area),
        }
    }
}

/// The panels that fit below the list of components and its sum.
fn panels(app: &App, probe: &Probe, height: u16) -> Vec<Lower> {
    let read = match app.settings.reader {
        StreamReader::Probes => Lower::Probes,
        StreamReader::FeatureProbes => Lower::FeatureProbes,
        StreamReader::Lens => Lower::Lens,
    };
    let asked = if app.settings.logits == LogitPanel::Lens { read } else { Lower::Profile };
    let parts = if app.settings.mlp == MlpRow::Split && probe.config().has_mlp() { 2 } else { 0 };
    let list = u16::try_from(probe.clean.attribution.components.len() + parts + 5).unwrap_or(u16::MAX);
    let choices: [&[Lower]; 3] =
        [&[Lower::Map, read, Lower::Profile], &[Lower::Map, asked], &[read, Lower::Profile]];
    let needed = |panels: &[Lower]| {
        panels.iter().fold(list, |sum, panel| sum.saturating_add(panel.height(app, probe)))
    };
    let chosen = choices.into_iter().find(|panels| needed(panels) <= height);
    let one = || if height >= asked.height(app, probe).saturating_add(8) { vec![asked] } else { Vec::new() };
    chosen.map_or_else(one, <[Lower]>::to_vec)
}

/// Whether profile and lens, or probes, are both in view.
fn shows_all(app: &App, area: Rect) -> bool {
    let probe = app.probe.as_deref().filter(|probe| !probe.is_empty());
    let shown = probe.map(|probe| panels(app, probe, area.height)).unwrap_or_default();
    shown.contains(&Lower::Profile) && (shown.contains(&Lower::Lens) || shown.contains(&Lower::Probes))
}

/// A line of the list: a component, or a part of an MLP.
struct Line {
    name: String,
    /// Index among the components; `None` for a part.
    component: Option<usize>,
    /// Clean, and with the current edits.
    values: [f32; 2],
    is_off: bool,
}

/// A contribution, clean and with the current edits.
fn both(panel: &Panel, at: usize) -> [f32; 2] {
    let number = |names: &[&str]| panel.column(names).map_or(f32::NAN, |column| column.number(&[at]) as f32);
    [number(&["clean"]), number(&["edited", "clean"])]
}

/// Every component in order; below a split MLP the cursor's neuron and the rest of the MLP.
fn rows(app: &App, probe: &Probe) -> Vec<Line> {
    let relative = relative(app);
    // The parts of an MLP have no means of their own.
    let is_split = app.settings.mlp == MlpRow::Split && relative.is_none();
    let off = &app.ablation.off;
    let Some(panel) = relative.or_else(|| components(app)) else { return Vec::new() };
    let split = Some(Component::Mlp(app.cursor.layer)).filter(|_| is_split);
    let parts = mlp_parts(app).filter(|_| split.is_some());
    let mut rows = Vec::new();
    for (at, component) in probe.clean.attribution.components.iter().enumerate() {
        let is_head_off = matches!(component, Component::Head(id) if off.heads.contains(id));
        let is_off = is_head_off || app.is_switched(*component);
        let name = component.to_string();
        rows.push(Line { name, component: Some(at), values: both(&panel, at), is_off });
        let parts = parts.iter().filter(|_| Some(*component) == split);
        rows.extend(parts.flat_map(|parts| {
            (0..parts.len()).map(move |part| Line {
                name: format!(" {}", parts.lead[0].name(part)),
                component: None,
                values: both(parts, part),
                is_off: part == 0 && off.neurons.contains(&app.cursor.neuron_id()),
            })
        }));
    }
    rows
}

/// Contributions less their means, if chosen and known.
fn relative(app: &App) -> Option<Panel> {
    relative_components(app).filter(|_| app.settings.contributions == ContributionsFrom::Mean)
}

fn component_list(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let rows = rows(app, probe);
    let values = rows.iter().flat_map(|row| row.values);
    let largest = values.filter(|v| v.is_finite()).fold(0.0, |a: f32, v| a.max(v.abs()));
    let selected =
        rows.iter().position(|row| row.component == Some(app.cursor.component)).unwrap_or_default();
    let shown = in_view(&rows, selected, usize::from(area.height.saturating_sub(4)));
    let is_relative = relative(app).is_some();
    let less = if is_relative { ", less means" } else { "" };
    let mut title = format!("to {} at {position}{less}", target::name(app, probe, position));
    let both = ", before and after";
    if probe.ablated.is_some() && width(&title) + width(both) + 4 <= area.width {
        title.push_str(both);
    }
    // The sum below is over all components, not only the listed ones.
    if shown.len() < rows.len() {
        title.push_str(", components");
        title.push_str(&of_all(&shown, rows.len()));
    }
    ink.rule(area, 0, &title, &format!("bars to {}, {}", figure(f64::from(largest)), provenance(app, probe)));
    let drawn = Drawn { largest, selected, is_ablated: probe.ablated.is_some() };
    let [table, plot] = drawn.columns(area);
    let body: Vec<Row<'_>> = shown.clone().map(|at| drawn.row(ink, &rows[at], at)).collect();
    ink.table(lines(table, 1, shown.len() as u16), drawn.widths(), body);
    for (line, at) in lines(plot, 1, plot.height).rows().zip(shown.clone()) {
        drawn.bar(ink, line, &rows[at]);
    }
    let below = lines(area, shown.len() as u16 + 1, area.height);
    match app.studies.component_means().filter(|_| is_relative) {
        Some((answer, _)) => {
            let text = format!("   less each component's mean, {}", super::taken(app, answer));
            ink.text(below, 0, 0, &text, Role::Faint);
        }
        None => sum(ink, app, &drawn, below),
    }
}

/// The rows to show: the cursor's row and, if possible, the parts of a split MLP.
fn in_view(rows: &[Line], selected: usize, room: usize) -> Range<usize> {
    let around = |at: usize| window(at, rows.len(), room);
    let last_part = rows.iter().rposition(|row| row.component.is_none());
    let shown = last_part.map(around).filter(|shown| shown.contains(&selected));
    shown.unwrap_or_else(|| around(selected))
}

/// The sum of the components, the logit, and their difference.
fn sum(ink: &mut Ink<'_>, app: &App, drawn: &Drawn, area: Rect) {
    let Some(panel) = sums(app) else { return };
    let residual = scientific(both(&panel, 3)[1]);
    let most = ink.at_most();
    let meanings = if drawn.is_ablated {
        [String::new(), "centred".into(), format!("{most}{residual}")]
    } else {
        ["of all components".into(), "centred over tokens".into(), format!("anywhere {most}{residual}")]
    };
    let texts: [fn(f32) -> String; 3] = [signed, signed, scientific];
    let names = ["sum", "logit", "sum - logit"].into_iter().enumerate().zip(texts).zip(meanings);
    let rows: Vec<Row<'_>> = names
        .map(|(((part, name), text), meaning)| {
            let values = both(&panel, part);
            let values = if drawn.is_ablated { &values[..] } else { &values[1..] };
            let numbers = values.iter().map(|value| ink.right(text(*value), Role::Strong));
            let name = [ink.left(format!("   {name}"), Role::Strong)].into_iter();
            Row::new(name.chain(numbers).chain([ink.left(meaning, Role::Faint)]))
        })
        .collect();
    let rest = drawn.columns(area)[1].width;
    let widths: Vec<u16> = drawn.widths().iter().copied().chain([rest]).collect();
    ink.table(area, &widths, rows);
}

/// Exponent notation: the size of rounding errors matters, not their digits.
fn scientific(x: f32) -> String {
    if x == 0.0 { "0".into() } else { format!("{x:.1e}") }
}

/// Scale, selection and columns of the list.
struct Drawn {
    largest: f32,
    /// The row under the cursor.
    selected: usize,
    /// Whether the numbers before and after the edits stand side by side.
    is_ablated: bool,
}

impl Drawn {
    /// Column widths: the component with its marks, then its numbers.
    fn widths(&self) -> &'static [u16] {
        if self.is_ablated { &[15, 7, 7] } else { &[15, 7] }
    }

    /// The areas of the table and of the bars beside it.
    fn columns(&self, area: Rect) -> [Rect; 2] {
        let table = table_width(self.widths()) + 1;
        area.layout(&Layout::horizontal([Constraint::Length(table), Constraint::Min(0)]))
    }

    fn row(&self, ink: &Ink<'_>, row: &Line, at: usize) -> Row<'static> {
        let plain = if row.component.is_some() { Role::Plain } else { Role::Faint };
        let [cursor, off] = ink.marks(at == self.selected, row.is_off);
        let name = ink.span(row.name.clone(), if at == self.selected { Role::Cursor } else { plain });
        let name = text::Line::from(vec![cursor, off, " ".into(), name]);
        let values = if self.is_ablated { &row.values[..] } else { &row.values[1..] };
        let numbers = values
            .iter()
            .map(|value| ink.right(signed(*value), if value.is_finite() { plain } else { Role::Wrong }));
        Row::new([name].into_iter().chain(numbers))
    }

    /// A bar for the current contribution and, with edits, a mark for the clean contribution.
    fn bar(&self, ink: &mut Ink<'_>, line: Rect, row: &Line) {
        if self.largest > 0.0 {
            let left = line.width.saturating_sub(2) / 2;
            let scale = (left, f32::from(left) / self.largest);
            let line = part(line, 0, 0, 2 * left + 1, 1);
            ink.zero_bar(line, scale, row.values[1], [Role::Negative, Role::Positive]);
            if self.is_ablated {
                ink.mark_before(line, scale, row.values[0]);
            }
        }
    }
}
