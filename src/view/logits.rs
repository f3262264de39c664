//! View 3: what each writer to the residual stream adds to the target.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::{of_all, window};
use super::ink::{Ink, beside, lines, width};
use super::number::{figure, signed};
use super::theme::Role;
use super::{Look, lens, logit_row, nothing_yet, profile, provenance, target, writer_map};
use crate::analysis::attribution::ResolvedTarget;
use crate::app::keymap::Key;
use crate::app::{App, LogitPanel, WriterRow};
use crate::inquiry::Probe;

/// Lines of the panel over positions.
const PROFILE: u16 = 5;

/// Profile or lens: where both are in view, there is nothing to choose.
const CHOICE: &[Key] = &[Key::ch('v')];

pub(super) const LOOK: Look =
    Look { render, moot: |app, area| if shows_all(app, area) { CHOICE } else { &[] } };

/// Draws the view.
fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "logits");
    };
    let panels = panels(app, probe, area.height);
    let low = panels.iter().map(|panel| panel.height(app, probe)).sum::<u16>().min(area.height);
    let top = lines(area, 0, area.height - low);
    if area.width >= 64 {
        let (left, right) = beside(top, area.width * 11 / 20);
        writers(ink, app, probe, left);
        logit_row::render(ink, app, probe, right);
    } else {
        writers(ink, app, probe, top);
    }
    let mut y = top.height;
    for panel in panels {
        let height = panel.height(app, probe);
        panel.render(ink, app, probe, lines(area, y, height));
        y += height;
    }
}

/// A panel below the list of writers.
#[derive(Clone, Copy, PartialEq)]
enum Lower {
    Map,
    Lens,
    Profile,
}

impl Lower {
    fn height(self, app: &App, probe: &Probe) -> u16 {
        match self {
            Self::Map => writer_map::height(probe),
            Self::Lens => lens::height(app),
            Self::Profile => PROFILE,
        }
    }

    fn render(self, ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
        match self {
            Self::Map => writer_map::render(ink, app, probe, area),
            Self::Lens => lens::render(ink, app, probe, area),
            Self::Profile => profile::render(ink, app, probe, area),
        }
    }
}

/// The panels below the list: what does not push out the writers and their sum.
fn panels(app: &App, probe: &Probe, height: u16) -> Vec<Lower> {
    let asked = if app.settings.logits == LogitPanel::Lens { Lower::Lens } else { Lower::Profile };
    let list = u16::try_from(app.writer_rows(probe).len() + 5).unwrap_or(u16::MAX);
    let choices: [&[Lower]; 3] =
        [&[Lower::Map, Lower::Lens, Lower::Profile], &[Lower::Map, asked], &[Lower::Lens, Lower::Profile]];
    let needed = |panels: &[Lower]| {
        panels.iter().fold(list, |sum, panel| sum.saturating_add(panel.height(app, probe)))
    };
    let chosen = choices.into_iter().find(|panels| needed(panels) <= height);
    let one = || if height >= asked.height(app, probe).saturating_add(8) { vec![asked] } else { Vec::new() };
    chosen.map_or_else(one, <[Lower]>::to_vec)
}

/// Whether the panels that one could choose between are both in view.
fn shows_all(app: &App, area: Rect) -> bool {
    let probe = app.probe.as_deref().filter(|probe| !probe.is_empty());
    let shown = probe.map(|probe| panels(app, probe, area.height)).unwrap_or_default();
    shown.contains(&Lower::Lens) && shown.contains(&Lower::Profile)
}

fn writers(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let target = app.target_at(probe, position);
    let rows = app.writer_rows(probe);
    let values = rows.iter().flat_map(|row| [row.clean, row.current]);
    let largest = values.filter(|v| v.is_finite()).fold(0.0, |a: f32, v| a.max(v.abs()));
    let selected = rows.iter().position(|row| row.writer == Some(app.cursor.writer)).unwrap_or_default();
    let shown = in_view(&rows, selected, usize::from(area.height.saturating_sub(4)));
    let mut title = format!("to {} at {position}", target::name(app, probe, position));
    let both = ", before and after";
    if probe.ablated.is_some() && width(&title) + width(both) + 4 <= area.width {
        title.push_str(both);
    }
    // The sum is of all of them.
    if shown.len() < rows.len() {
        title.push_str(", writers");
        title.push_str(&of_all(&shown, rows.len()));
    }
    ink.rule(area, 0, &title, &format!("bars to {}, {}", figure(f64::from(largest)), provenance(app, probe)));
    let is_ablated = probe.ablated.is_some();
    for (y, at) in (1..).zip(shown.clone()) {
        writer(ink, area, y, &rows[at], Line { largest, selected: at == selected, is_ablated });
    }
    let below = shown.len() as u16 + 1;
    sums(ink, probe, &rows, (target, position), lines(area, below, area.height));
}

/// The rows to show: the parts of a split MLP stay in view as long as the cursor does too.
fn in_view(rows: &[WriterRow], selected: usize, room: usize) -> Range<usize> {
    let around = |at: usize| window(at, rows.len(), room);
    let last_part = rows.iter().rposition(|row| row.writer.is_none());
    let shown = last_part.map(around).filter(|shown| shown.contains(&selected));
    shown.unwrap_or_else(|| around(selected))
}

/// The sum of the writers, the logit, and how far they are apart.
fn sums(
    ink: &mut Ink<'_>,
    probe: &Probe,
    rows: &[WriterRow],
    (target, position): (ResolvedTarget, usize),
    area: Rect,
) {
    // A part of an MLP is not added twice.
    let sum = |of: fn(&WriterRow) -> f32| rows.iter().filter(|row| row.writer.is_some()).map(of).sum::<f32>();
    let passes = [(&*probe.clean, sum(|row| row.clean)), (probe.current(), sum(|row| row.current))];
    let is_ablated = probe.ablated.is_some();
    let passes = if is_ablated { &passes[..] } else { &passes[1..] };
    for ((pass, sum), end) in passes.iter().zip(ENDS) {
        let whole = target.value(pass.attribution.whole(position));
        for (y, text) in (0..).zip([signed(*sum), signed(whole), scientific(sum - whole)]) {
            ink.text_right(area, end, y, &text, Role::Strong);
        }
    }
    let residual = scientific(probe.current().attribution.residual);
    let meanings = if is_ablated {
        [String::new(), "centred".into(), format!("≤{residual}")]
    } else {
        ["of all writers".into(), "centred over tokens".into(), format!("anywhere ≤{residual}")]
    };
    for (y, (name, meaning)) in (0..).zip(["sum", "logit", "sum - logit"].into_iter().zip(meanings)) {
        ink.text(area, 3, y, name, Role::Strong);
        ink.text(area, ENDS[passes.len() - 1] + 1, y, &meaning, Role::Faint);
    }
}

/// Columns at which the numbers end: the only ones, or those before and those after the ablation.
const ENDS: [u16; 2] = [23, 31];

/// As small numbers are compared.
fn scientific(x: f32) -> String {
    if x == 0.0 { "0".into() } else { format!("{x:.1e}") }
}

/// How a row is drawn.
#[derive(Clone, Copy)]
struct Line {
    largest: f32,
    selected: bool,
    /// Whether the numbers before and after an ablation stand side by side.
    is_ablated: bool,
}

fn writer(ink: &mut Ink<'_>, area: Rect, y: u16, row: &WriterRow, line: Line) {
    if line.selected {
        ink.text(area, 0, y, "▸", Role::Strong);
    }
    if row.off {
        ink.text(area, 1, y, "✕", Role::Off);
    }
    let plain = if row.writer.is_some() { Role::Plain } else { Role::Faint };
    ink.text(area, 3, y, &row.name, if line.selected { Role::Cursor } else { plain });
    let values: &[f32] = if line.is_ablated { &[row.clean, row.current] } else { &[row.current] };
    let mut end = 0;
    for (value, at) in values.iter().zip(ENDS) {
        let role = if value.is_finite() { plain } else { Role::Wrong };
        ink.text_right(area, at, y, &signed(*value), role);
        end = at;
    }
    if line.largest > 0.0 {
        let cells = area.width.saturating_sub(end + 2);
        ink.signed_bar(area, end + 1, y, cells, row.current / line.largest);
    }
}
