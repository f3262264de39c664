//! The loss at each position of the sequence, before and after the ablation, under the strip's columns.

use ratatui::layout::Rect;

use super::bars::column;
use super::columns::Columns;
use super::ink::Ink;
use super::number::figure;
use super::theme::Role;
use crate::app::App;
use crate::inquiry::Probe;

/// Lines it takes.
pub(super) const HEIGHT: u16 = 3;

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let Some(after) = &probe.ablated else { return };
    let both = probe.clean.losses.iter().chain(&after.losses);
    let largest = both.flatten().copied().filter(|loss| loss.is_finite()).fold(0.0, f32::max);
    ink.rule(area, 0, "loss at each position", &format!("0 to {} nats", figure(f64::from(largest))));
    let columns = Columns::new(app, area.width);
    for (y, name, losses, role) in
        [(1, "before", &probe.clean.losses, Role::Bar), (2, "after", &after.losses, Role::Second)]
    {
        ink.text(area, 1, y, name, Role::Faint);
        for position in columns.shown.clone().filter(|position| *position < losses.len()) {
            let Some(loss) = losses[position] else { continue };
            let x = columns.x(position);
            let glyph = if loss.is_finite() { column(loss / largest.max(f32::MIN_POSITIVE)) } else { '?' };
            for part in 0..columns.pitch {
                ink.put(area, x + part, y, glyph, ink.theme.style(role));
            }
        }
    }
}
