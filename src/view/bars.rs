//! Bars in roles: a share, a signed value from zero, and a bar a column as a sparkline.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Sparkline, SparklineBar};

use super::ink::Ink;
use super::theme::Role;
use super::widgets::{ZeroBar, share_of_cells};
use crate::term::Glyphs;

/// A bar of a curve: its height, of 0 to 1, and its style. NaN is drawn as `?`.
pub(super) type Bar = (f32, Style);

impl Ink<'_> {
    /// A bar over the first line of the area, for a share of 0 to 1.
    pub(super) fn bar(&mut self, area: Rect, share: f32, role: Role) {
        self.zero_bar(area, (0, f32::from(area.width)), share, [role, role]);
    }

    /// A bar from an axis after `left` cells, `unit` cells for a value of 1.
    pub(super) fn zero_bar(
        &mut self,
        area: Rect,
        (left, unit): (u16, f32),
        value: f32,
        [negative, positive]: [Role; 2],
    ) {
        let [negative, positive, axis] = [negative, positive, Role::Faint].map(|role| self.theme.style(role));
        let has_eighths = self.theme.glyphs == Glyphs::Utf8;
        self.draw(ZeroBar { left, unit, value, negative, positive, axis, has_eighths }, area);
    }

    /// On the line of a [`zero_bar`](Self::zero_bar), the value before the edits.
    pub(super) fn mark_before(&mut self, area: Rect, (left, unit): (u16, f32), value: f32) {
        // A cell on either side of the axis is the first of that side.
        let cells = (value * unit).abs().ceil().max(1.0) as u16;
        let x = if value < 0.0 { left.saturating_sub(cells) } else { left.saturating_add(cells) };
        if value.is_finite() {
            let style = self.theme.style(Role::Strong);
            self.put(area, x.min(area.width.saturating_sub(1)), 0, '○', style);
        }
    }

    /// Bars as high as the area, a column each, from its left edge on.
    pub(super) fn curve(&mut self, area: Rect, bars: impl Iterator<Item = Bar>) {
        let height = area.height;
        let bars: Vec<SparklineBar> = bars
            .map(|(value, style)| {
                let value = (!value.is_nan()).then(|| share_of_cells(value, height));
                SparklineBar::from(value).style(Some(style))
            })
            .collect();
        let curve = Sparkline::default()
            .max(u64::from(height) * 8)
            .absent_value_symbol("?")
            .absent_value_style(self.theme.style(Role::Wrong))
            .data(bars);
        self.draw(curve, area);
    }
}
