//! The logits of every token at the cursor's position, before and after the ablation.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::Ink;
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
    ink.rule(area, 0, &format!("logits at position {position}"), "Label Output");
    let label = usize::from(probe.labels[position]);
    let (low, high) = range(&[before, after.unwrap_or_default()]);
    let probabilities = probe.current().probabilities(position);
    let columns =
        if after.is_some() { "token      before   after  p after" } else { "token       logit       p" };
    ink.text(area, 1, 1, columns, Role::Faint);
    let shown = window(label, before.len(), usize::from(area.height.saturating_sub(2)));
    let prediction = usize::from(probe.current().predictions[position]);
    for (y, token) in (2..).zip(shown) {
        let role = if token == prediction { Role::Strong } else { Role::Plain };
        ink.text_right(area, 6, y, &token.to_string(), role);
        // One letter each, for there is no room for words: the heading spells them.
        if token == label {
            ink.text(area, 7, y, "L", Role::Good);
        }
        if token == prediction {
            ink.text(area, 8, y, "O", if token == label { Role::Good } else { Role::Wrong });
        }
        ink.text_right(area, 18, y, &signed(before[token]), role);
        let (end, value) = after.map_or((18, before[token]), |after| (26, after[token]));
        if after.is_some() {
            ink.text_right(area, end, y, &signed(value), role);
        }
        ink.text_right(area, end + 8, y, &format!("{:.3}", probabilities[token]), role);
        let room = area.width.saturating_sub(end + 10);
        let filled = if high > low { (value - low) / (high - low) } else { 0.0 };
        ink.bar(area, end + 9, y, room, filled, Role::Bar);
    }
}
