//! One component's contribution to the target at every position, under the strip's columns.

use ratatui::layout::Rect;

use super::bars::column;
use super::columns::Columns;
use super::ink::{Ink, lines, width};
use super::number::{figure, signed};
use super::theme::Role;
use crate::app::App;
use crate::app::views::logits::profile;
use crate::inquiry::Probe;

/// Draws the panel: above the line what is positive, below it what is negative.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let Some(panel) = profile(app) else { return };
    let Some(shown) = panel.column(&["edited", "clean"]) else { return };
    let component = app.cursor.component.min(shown.figure.axes[1].len().saturating_sub(1));
    let value = |position: usize| shown.number(&[position]) as f32;
    let columns = Columns::new(app, area.width);
    let all = (0..probe.len()).map(value).filter(|x| x.is_finite());
    let largest = all.fold(0.0, |a: f32, x| a.max(x.abs()));
    let title = format!("{} to each position's target", shown.figure.axes[1].name(component));
    ink.rule(area, 0, &title, &format!("bars to {}", figure(f64::from(largest))));
    let body = lines(area, 1, area.height);
    for (y, label) in ["+", "-", "value"].into_iter().enumerate() {
        ink.text(body, 1, y as u16, label, Role::Faint);
    }
    for position in columns.shown.clone().filter(|position| *position < probe.len()) {
        let x = columns.x(position) + columns.pitch - 1;
        let value = value(position);
        if !value.is_finite() {
            ink.text(body, x, 0, "?", Role::Wrong);
            continue;
        }
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        let up = ink.theme.style(Role::Positive);
        ink.put(body, x, 0, column(share.max(0.0)), up);
        let down = ink.theme.style(Role::Negative);
        ink.put(body, x, 1, hanging(-share), down);
        if position == app.position_in(probe) {
            let text = signed(value);
            ink.text(body, x.min(body.width.saturating_sub(width(&text))), 2, &text, Role::Strong);
        }
    }
}

/// A column that hangs down, for 0 to 1: there are only three such characters.
fn hanging(x: f32) -> char {
    match x {
        x if x <= 0.0 => ' ',
        x if x < 0.33 => '▔',
        x if x < 0.75 => '▀',
        _ => '█',
    }
}
