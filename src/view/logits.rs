//! View 3: what each writer to the residual stream adds to the target.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, beside, lines};
use super::number::{figure, signed};
use super::theme::Role;
use super::{logit_row, nothing_yet, profile, provenance, target, writer_map};
use crate::analysis::{Probe, Writer};
use crate::app::App;

/// Lines of the panel over positions.
const PROFILE: u16 = 5;

/// Draws the view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "logits");
    };
    // What does not push out the writers and their sum.
    let list = probe.clean.attribution.writers.len() as u16 + 5;
    let low = match area.height {
        height if height >= list + PROFILE + writer_map::height(probe) => PROFILE + writer_map::height(probe),
        height if height >= PROFILE + 8 => PROFILE,
        _ => 0,
    };
    let top = lines(area, 0, area.height - low);
    if area.width >= 64 {
        let (left, right) = beside(top, area.width * 11 / 20);
        writers(ink, app, probe, left);
        logit_row::render(ink, app, probe, right);
    } else {
        writers(ink, app, probe, top);
    }
    let below = lines(area, top.height, low);
    let map = low.saturating_sub(PROFILE);
    if map > 0 {
        writer_map::render(ink, app, probe, lines(below, 0, map));
    }
    profile::render(ink, app, probe, lines(below, map, PROFILE));
}

fn writers(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let target = app.target_at(probe, position);
    let attribution = &probe.current().attribution;
    let values: Vec<f32> = (0..attribution.writers.len())
        .map(|writer| target.value(attribution.row(writer, position)))
        .collect();
    let largest = values.iter().copied().filter(|v| v.is_finite()).fold(0.0, |a: f32, v| a.max(v.abs()));
    let title = format!("to {} at position {position}", target::name(app, probe, position));
    ink.rule(area, 0, &title, &format!("{}, bars to {}", provenance(app, probe), figure(f64::from(largest))));
    let room = usize::from(area.height.saturating_sub(4));
    let selected = app.cursor.writer.min(values.len().saturating_sub(1));
    let shown = window(selected, values.len(), room);
    for (y, at) in (1..).zip(shown.clone()) {
        writer(ink, app, area, y, attribution.writers[at], values[at], largest, at == selected);
    }
    let y = shown.len() as u16 + 1;
    let whole = target.value(attribution.whole(position));
    let sum: f32 = values.iter().sum();
    total(ink, area, y, "sum", &signed(sum), "of all writers");
    total(ink, area, y + 1, "logit", &signed(whole), "centred over tokens");
    let residual = format!("anywhere ≤{}", scientific(attribution.residual));
    total(ink, area, y + 2, "sum - logit", &scientific(sum - whole), &residual);
}

/// As small numbers are compared.
fn scientific(x: f32) -> String {
    if x == 0.0 { "0".into() } else { format!("{x:.1e}") }
}

fn total(ink: &mut Ink<'_>, area: Rect, y: u16, name: &str, value: &str, meaning: &str) {
    ink.text(area, 3, y, name, Role::Strong);
    ink.text_right(area, 23, y, value, Role::Strong);
    ink.text(area, 24, y, meaning, Role::Faint);
}

#[expect(clippy::too_many_arguments, reason = "a line of the list is all of these")]
fn writer(
    ink: &mut Ink<'_>,
    app: &App,
    area: Rect,
    y: u16,
    writer: Writer,
    value: f32,
    largest: f32,
    selected: bool,
) {
    if selected {
        ink.text(area, 0, y, "▸", Role::Strong);
    }
    let off = matches!(writer, Writer::Head(id) if app.ablation.off.heads.contains(&id));
    if off {
        ink.text(area, 1, y, "✕", Role::Off);
    }
    let role = if selected { Role::Cursor } else { Role::Plain };
    ink.text(area, 3, y, &writer.to_string(), role);
    let value_role = if value.is_finite() { Role::Plain } else { Role::Wrong };
    ink.text_right(area, 23, y, &signed(value), value_role);
    if largest > 0.0 {
        ink.signed_bar(area, 24, y, area.width.saturating_sub(25), value / largest);
    }
}
