//! The loss at each position of the sequence, before and after the edits, under the strip's columns.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::ink::{Ink, lines};
use super::number::figure;
use super::theme::Role;
use crate::app::App;
use crate::app::views::edits::positions;

/// Lines it takes.
pub(super) const HEIGHT: u16 = 3;

/// Bottom of the scale, in nats: what lies below has the lowest bar.
const FLOOR: f64 = 1e-3;

/// Height of a loss on a logarithmic scale from [`FLOOR`] to `top`, of 0 to 1; more than nothing, for 0 is no gap.
fn height(loss: f64, top: f64) -> f32 {
    if loss.is_nan() { f32::NAN } else { ((loss / FLOOR).ln() / (top / FLOOR).ln()).clamp(0.01, 1.0) as f32 }
}

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(panel) = positions(app) else { return };
    let [before, after] = ["loss_clean", "loss_edited"].map(|name| panel.values(name));
    let both = before.iter().chain(&after).flatten();
    let top = both.copied().filter(|loss| loss.is_finite()).fold(2.0 * FLOOR, f64::max);
    let scale = format!("log, {}{} to {} nats", ink.at_most(), figure(FLOOR), figure(top));
    ink.rule(area, 0, "loss at each position", &scale);
    let columns = Columns::new(app, area.width);
    for (y, name, losses, role) in [(1, "before", &before, Role::Bar), (2, "after", &after, Role::Second)] {
        ink.text(area, 1, y, name, Role::Faint);
        let style = ink.theme.style(role);
        columns.curve(ink, lines(area, y, 1), |position| {
            losses.get(position).copied().flatten().map(|loss| (height(loss, top), style))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_losses_differ_beside_a_large_one() {
        let heights = [0.0, 0.001, 0.03, 0.3, 4.0].map(|loss| height(loss, 4.0));
        assert!(heights[1..].is_sorted_by(|a, b| b - a > 0.2), "{heights:?}");
        assert!(heights[0] > 0.0 && heights[4] >= 1.0 && height(f64::NAN, 4.0).is_nan());
        assert!(height(f64::INFINITY, 4.0) >= 1.0);
    }
}
