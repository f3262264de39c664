//! Beside the attention map: the cell, its query and the heads in numbers.

use ratatui::layout::Rect;

use super::attention::Measure;
use super::columns::window;
use super::ink::{Ink, lines};
use super::number::figure;
use super::theme::Role;
use crate::analysis::Probe;
use crate::app::{App, AttentionScale};
use crate::model::HeadId;

/// Lines about the cell and its query.
const CELL: u16 = 8;

/// Draws the readout.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    cell(ink, app, probe, lines(area, 0, CELL));
    let config = probe.config();
    let heads = (config.n_layers * config.n_heads) as u16;
    let below = area.height.saturating_sub(CELL);
    // The list of heads gets what it needs, up to half; the ranking of keys the rest.
    let heads_height = (heads + 1).min(below / 2);
    strongest(ink, app, probe, measure, lines(area, CELL, below - heads_height));
    head_list(ink, app, probe, lines(area, area.height - heads_height, heads_height));
}

fn cell(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let query = app.position_in(probe);
    let key = app.cursor.key.min(query);
    let pass = probe.current();
    let (layer, head) = (app.cursor.layer, app.cursor.head);
    let summary = &pass.heads[layer * probe.config().n_heads + head];
    let a = pass.attention(layer, head, query)[key];
    let uniform = 1.0 / (query + 1) as f32;
    let off = app.ablation.off.heads.contains(&app.cursor.head_id());
    ink.rule(area, 0, if off { "this cell  ✕ head is off" } else { "this cell" }, "");
    let tokens = &probe.request.tokens;
    pair(ink, area, 1, "query", &format!("{query} (token {})", tokens[query]));
    pair(ink, area, 2, "key", &format!("{key} (token {})", tokens[key]));
    let number = |x: f32| figure(f64::from(x));
    // An entropy leaves out what is not a number, and so would look like one.
    let broken = pass.attention(layer, head, query).iter().any(|p| p.is_nan());
    let of_query = |x: f32| if broken { "NaN".into() } else { number(x) };
    pair(ink, area, 3, "attention", &number(a));
    pair(ink, area, 4, "uniform", &format!("{}  {:.2} x", number(uniform), a / uniform));
    pair(
        ink,
        area,
        5,
        "A|vW_O|",
        &format!("{} = A x {}", number(a * summary.value_norms[key]), number(summary.value_norms[key])),
    );
    let most = ((query + 1) as f32).ln();
    pair(ink, area, 6, "entropy", &format!("{} of {} nats", of_query(summary.entropy[query]), number(most)));
    pair(ink, area, 7, "KL unif.", &format!("{} nats", of_query(summary.kl_from_uniform[query])));
}

fn pair(ink: &mut Ink<'_>, area: Rect, y: u16, name: &str, value: &str) {
    ink.text(area, 1, y, name, Role::Faint);
    ink.text(area, 11, y, value, Role::Plain);
}

fn strongest(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let query = app.position_in(probe);
    let key_of_cursor = app.cursor.key.min(query);
    let by = match measure.scale {
        AttentionScale::Raw => "attention",
        AttentionScale::RelativeToUniform => "x uniform",
        AttentionScale::InfoWeighted => "A|vW_O|",
    };
    ink.rule(area, 0, &format!("strongest keys, {by}"), "");
    let mut keys: Vec<(usize, f32)> = (0..=query).map(|key| (key, measure.value(query, key))).collect();
    keys.sort_by(|a, b| b.1.total_cmp(&a.1));
    let largest = keys.first().map_or(1.0, |first| first.1).max(f32::MIN_POSITIVE);
    for (y, (key, value)) in (1..area.height).zip(keys) {
        let role = if key == key_of_cursor { Role::Cursor } else { Role::Plain };
        ink.text_right(area, 5, y, &key.to_string(), role);
        ink.text(area, 6, y, &format!("({})", probe.request.tokens[key]), Role::Faint);
        ink.text_right(area, 18, y, &figure(f64::from(value)), role);
        ink.bar(area, 19, y, area.width.saturating_sub(20), value / largest, Role::Bar);
    }
}

fn head_list(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    ink.rule(area, 0, "heads, mean", "entropy  KL");
    let config = probe.config();
    let all = &probe.current().heads;
    let selected = app.cursor.layer * config.n_heads + app.cursor.head;
    let shown = window(selected, all.len(), usize::from(area.height.saturating_sub(1)));
    for (y, at) in (1..).zip(shown) {
        let id = HeadId { layer: at / config.n_heads, head: at % config.n_heads };
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        let mark = if at == selected { "▸" } else { " " };
        let x = ink.text(area, 1, y, mark, Role::Strong);
        let x = ink.text(area, x, y, &format!("{}.{}", id.layer, id.head), role);
        if app.ablation.off.heads.contains(&id) {
            ink.text(area, x + 1, y, "✕ off", Role::Off);
        }
        let broken = probe.current().attention(id.layer, id.head, probe.len() - 1)[0].is_nan();
        let number = |x: f32| if broken { "NaN".into() } else { figure(f64::from(x)) };
        let end = area.width.saturating_sub(3);
        ink.text_right(area, end.saturating_sub(7), y, &number(all[at].mean_entropy()), Role::Plain);
        ink.text_right(area, end, y, &number(all[at].mean_kl()), Role::Plain);
    }
}
