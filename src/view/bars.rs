//! Bars and sparklines out of eighths of a cell.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::theme::Role;

/// From nothing to a full cell, growing upwards.
const UP: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// From nothing to a full cell, growing to the right.
const RIGHT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Eighths of `cells` that `x` of 0 to 1 fills. What is there at all, shows.
fn eighths(x: f32, cells: u16) -> usize {
    let whole = f32::from(cells) * 8.0;
    let filled = (x.clamp(0.0, 1.0) * whole).round();
    if x > 0.0 { filled.max(1.0) as usize } else { 0 }
}

/// One column of a sparkline, for `x` of 0 to 1; a NaN is a gap.
pub(super) fn column(x: f32) -> char {
    UP[eighths(x, 1).min(8)]
}

impl Ink<'_> {
    /// A bar to the right, of 0 to 1 of `cells`.
    pub(super) fn bar(&mut self, area: Rect, x: u16, y: u16, cells: u16, value: f32, role: Role) {
        let filled = eighths(value, cells);
        let style = self.theme.style(role);
        for cell in 0..cells {
            let left = filled.saturating_sub(usize::from(cell) * 8).min(8);
            if left > 0 {
                self.put(area, x + cell, y, RIGHT[left], style);
            }
        }
    }

    /// A bar from the middle of `cells`, of -1 to 1: to the right what is positive, to the left what is negative.
    pub(super) fn signed_bar(&mut self, area: Rect, x: u16, y: u16, cells: u16, value: f32) {
        let half = cells.saturating_sub(1) / 2;
        let axis = x + half;
        self.put(area, axis, y, '│', self.theme.style(Role::Faint));
        if value >= 0.0 {
            self.bar(area, axis + 1, y, half, value, Role::Positive);
        } else if value < 0.0 {
            // There are no left-growing eighths: half cells must do.
            let halves = (value.abs().min(1.0) * f32::from(half) * 2.0).round().max(1.0) as u16;
            let style = self.theme.style(Role::Negative);
            for cell in 0..halves / 2 {
                self.put(area, (axis - 1).saturating_sub(cell), y, '█', style);
            }
            if halves % 2 == 1 {
                self.put(area, (axis - 1).saturating_sub(halves / 2), y, '▐', style);
            }
        }
    }

    /// A curve of columns as high as the area, of 0 to 1 each; `None` and NaN leave a gap.
    pub(super) fn columns(&mut self, area: Rect, values: impl Iterator<Item = (u16, f32)>, role: Role) {
        let style = self.theme.style(role);
        for (x, value) in values {
            let filled = eighths(value, area.height);
            for line in 0..area.height {
                let below = usize::from(area.height - 1 - line) * 8;
                let here = filled.saturating_sub(below).min(8);
                if here > 0 {
                    self.put(area, x, line, UP[here], style);
                }
            }
        }
    }
}
