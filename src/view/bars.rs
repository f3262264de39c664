//! Bars in theme roles: horizontal shares, signed bars around an axis, and sparklines.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Sparkline, SparklineBar};

use super::ink::Ink;
use super::theme::Role;
use super::widgets::{ZeroBar, share_of_cells};
use crate::term::Glyphs;

/// A sparkline column: height (0 to 1) and style. NaN is drawn as `?`.
pub(super) type Bar = (f32, Style);

impl Ink<'_> {
    /// A horizontal bar on the first line of the area; `share` is 0 to 1.
    pub(super) fn bar(&mut self, area: Rect, share: f32, role: Role) {
        self.zero_bar(area, (0, f32::from(area.width)), share, [role, role]);
    }

    /// A signed bar: the axis is `left` cells from the edge, a value of 1 is `unit` cells long.
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

    /// Marks the clean value on the line of a [`zero_bar`](Self::zero_bar).
    pub(super) fn mark_before(&mut self, area: Rect, (left, unit): (u16, f32), value: f32) {
        // At least one cell from the axis, which must stay visible.
        let cells = (value * unit).abs().ceil().max(1.0) as u16;
        let x = if value < 0.0 { left.saturating_sub(cells) } else { left.saturating_add(cells) };
        if value.is_finite() {
            let style = self.theme.style(Role::Strong);
            self.put(area, x.min(area.width.saturating_sub(1)), 0, '○', style);
        }
    }

    /// A sparkline over the whole area, one column per bar.
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
