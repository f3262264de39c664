//! The heads' circuits in a few numbers each.

use ratatui::layout::Rect;

use super::columns::{of_all, window};
use super::ink::Ink;
use super::number::{figure, signed};
use super::provenance_of_circuits;
use super::theme::Role;
use crate::analysis::circuits::HeadCircuits;
use crate::app::App;

/// Lines about the head under the cursor, with a heading.
const HEAD: u16 = 4;

/// Lines it wants.
pub(super) fn height(app: &App) -> u16 {
    let heads = app.studies.circuits().map_or(0, |(_, heads)| heads.len());
    HEAD.saturating_add(if heads > 1 { u16::try_from(heads + 1).unwrap_or(u16::MAX) } else { 0 })
}

/// Draws them.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (Some((_, heads)), Some(head)) = (app.studies.circuits(), app.head_circuits()) else { return };
    let off = app.ablation.off.heads.contains(&head.id);
    let mark = if off { "  ✕ off" } else { "" };
    ink.rule(
        area,
        0,
        &format!("head {}.{}{mark}", head.id.layer, head.id.head),
        &provenance_of_circuits(app),
    );
    let is_of_tokens = app.options.model.outputs() == app.options.model.d_vocab;
    fact(ink, area, 1, "copying", &copying(head, is_of_tokens));
    fact(ink, area, 2, "QK sing.", &leading(&head.qk_singular, area.width));
    fact(ink, area, 3, "OV sing.", &leading(&head.ov_singular, area.width));
    if heads.len() < 2 || area.height <= HEAD + 1 {
        return;
    }
    let selected = heads.iter().position(|other| other.id == head.id).unwrap_or_default();
    let shown = window(selected, heads.len(), usize::from(area.height - HEAD - 1));
    ink.rule(area, HEAD, &format!("heads{}", of_all(&shown, heads.len())), "copying, QK, OV");
    for (y, at) in (HEAD + 1..).zip(shown) {
        let head = &heads[at];
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        ink.text(area, 1, y, if at == selected { "▸" } else { " " }, Role::Strong);
        ink.text(area, 2, y, &format!("{}.{}", head.id.layer, head.id.head), role);
        let largest = |values: &[f32]| values.first().map_or_else(|| "NaN".into(), |x| figure(f64::from(*x)));
        let end = area.width.saturating_sub(2);
        ink.text_right(area, end.saturating_sub(16), y, &signed(head.copying_score), Role::Plain);
        ink.text_right(area, end.saturating_sub(8), y, &largest(&head.qk_singular), Role::Plain);
        ink.text_right(area, end, y, &largest(&head.ov_singular), Role::Plain);
    }
}

/// A fact: what it is, and its number.
fn fact(ink: &mut Ink<'_>, area: Rect, y: u16, name: &str, value: &str) {
    ink.text(area, 1, y, name, Role::Faint);
    ink.text(area, 11, y, value, Role::Plain);
}

/// The copying score, or why a head of finite weights has none.
fn copying(head: &HeadCircuits, is_of_tokens: bool) -> String {
    let is_finite = head.ov_singular.iter().all(|x| x.is_finite()) && !head.ov_singular.is_empty();
    match head.copying_score.is_nan() && is_finite {
        true if is_of_tokens => "not converged".into(),
        true => "none: not of tokens".into(),
        false => format!("{} of -1 to 1", signed(head.copying_score)),
    }
}

/// The leading singular values, as many as fit.
fn leading(values: &[f32], width: u16) -> String {
    if values.is_empty() {
        return "NaN".into();
    }
    let room = usize::from(width.saturating_sub(11) / 7);
    let values: Vec<String> = values.iter().take(room).map(|x| figure(f64::from(*x))).collect();
    values.join(" ")
}
