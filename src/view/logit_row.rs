//! The logits of every token at the cursor's position, before and after the ablation.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::Ink;
use super::logits::provenance_of;
use super::number::signed;
use super::theme::Role;
use crate::analysis::Probe;
use crate::app::App;

/// The smallest and the largest finite value, 0 among them.
fn range(rows: &[&[f32]]) -> (f32, f32) {
    let finite = rows.iter().flat_map(|row| row.iter().copied()).filter(|x| x.is_finite());
    finite.fold((0.0, 0.0), |(low, high), x| (x.min(low), x.max(high)))
}

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let before = probe.clean.logits(position);
    let after = probe.ablated.as_ref().map(|pass| pass.logits(position));
    ink.rule(area, 0, &format!("logits at position {position}"), &provenance_of(app, probe));
    let label = usize::from(probe.labels[position]);
    let (low, high) = range(&[before, after.unwrap_or_default()]);
    let probabilities = probe.current().probabilities(position);
    let columns = if after.is_some() { "token   before   after  p after" } else { "token    logit       p" };
    ink.text(area, 1, 1, columns, Role::Faint);
    let shown = window(label, before.len(), usize::from(area.height.saturating_sub(2)));
    let prediction = usize::from(probe.current().predictions[position]);
    for (y, token) in (2..).zip(shown) {
        let role = if token == prediction { Role::Strong } else { Role::Plain };
        ink.text_right(area, 6, y, &token.to_string(), role);
        ink.text_right(area, 15, y, &signed(before[token]), role);
        let mut x = 15;
        let mut value = before[token];
        if let Some(after) = after {
            ink.text_right(area, 23, y, &signed(after[token]), role);
            (x, value) = (23, after[token]);
        }
        ink.text_right(area, x + 8, y, &format!("{:.3}", probabilities[token]), role);
        let mark = match (token == label, token == prediction) {
            (true, true) => "label, output",
            (true, false) => "label",
            (false, true) => "!output",
            (false, false) => "",
        };
        let bar_x = x + 9;
        let room = area.width.saturating_sub(bar_x + if mark.is_empty() { 0 } else { 1 + mark.len() as u16 });
        let filled = if high > low { (value - low) / (high - low) } else { 0.0 };
        let end = bar_x + room;
        ink.bar(area, bar_x, y, room.min(area.width.saturating_sub(bar_x + 15)), filled, Role::Bar);
        if !mark.is_empty() {
            let role = if token == label { Role::Good } else { Role::Wrong };
            ink.text(area, end + 1, y, mark, role);
        }
    }
}
