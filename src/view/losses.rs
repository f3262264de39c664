//! The loss at each position of the sequence, before and after the ablation, under the strip's columns.

use ratatui::layout::Rect;

use super::bars::column;
use super::columns::Columns;
use super::ink::Ink;
use super::number::figure;
use super::theme::Role;
use crate::app::App;
use crate::app::views::edits::positions;

/// Lines it takes.
pub(super) const HEIGHT: u16 = 3;

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(panel) = positions(app) else { return };
    let [before, after] = ["loss_clean", "loss_edited"].map(|name| panel.values(name));
    let both = before.iter().chain(&after).flatten();
    let largest = both.copied().filter(|loss| loss.is_finite()).fold(0.0, f64::max);
    ink.rule(area, 0, "loss at each position", &format!("0 to {} nats", figure(largest)));
    let columns = Columns::new(app, area.width);
    for (y, name, losses, role) in [(1, "before", &before, Role::Bar), (2, "after", &after, Role::Second)] {
        ink.text(area, 1, y, name, Role::Faint);
        for position in columns.shown.clone().filter(|position| *position < losses.len()) {
            let Some(loss) = losses[position] else { continue };
            let x = columns.x(position);
            let share = loss / largest.max(f64::MIN_POSITIVE);
            let glyph = if loss.is_finite() { column(share as f32) } else { '?' };
            for part in 0..columns.pitch {
                ink.put(area, x + part, y, glyph, ink.theme.style(role));
            }
        }
    }
}
