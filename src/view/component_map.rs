//! Heat map of contributions to the target, component by position, aligned with the strip.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::ink::{Ink, part};
use super::map_axes::Frame;
use super::theme::Role;
use super::widgets::{Heat, Scale};
use crate::analysis::Component;
use crate::app::App;
use crate::app::views::logits::component_map;
use crate::inquiry::Probe;

/// Width of the component names, equal to the strip's line names.
const NAMES: u16 = 10;

/// Height of the panel: heading, one line per component, legend.
pub(super) fn height(probe: &Probe) -> u16 {
    u16::try_from(probe.clean.attribution.components.len()).unwrap_or(u16::MAX).saturating_add(2)
}

/// A component's name, abbreviated if it would not fit with its layer.
fn short(component: Component) -> String {
    let name = component.to_string();
    if name.len() < usize::from(NAMES) {
        name
    } else {
        name.replace("attn_bias", "attn_b").replace("mlp_bias", "mlp_b")
    }
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let components = &probe.current().attribution.components;
    let columns = Columns::new(app, area.width);
    let cols = columns.shown.start.min(probe.len())..columns.shown.end.min(probe.len());
    let Some(panel) = component_map(app) else { return };
    let Some(contribution) = panel.column(&["edited", "clean"]) else { return };
    let value = |component: usize, at: usize| contribution.number(&[component, at]) as f32;
    let all = (0..components.len()).flat_map(|component| cols.clone().map(move |at| (component, at)));
    let finite = all.map(|(component, at)| value(component, at)).filter(|value| value.is_finite());
    let largest = finite.fold(0.0, |a: f32, value| a.max(value.abs())).max(f32::MIN_POSITIVE);
    ink.rule(area, 0, "every component to each position's target", "");
    let names = part(area, 0, 1, NAMES - 1, components.len() as u16);
    for (at, (line, component)) in names.rows().zip(components).enumerate() {
        let role = if at == app.cursor.component { Role::Strong } else { Role::Faint };
        ink.draw(ink.span(short(*component), role), line);
    }
    // One line per component, for its name: both half-cell rows of a line show the same value.
    let per_line = ink.theme.map_rows(1);
    let frame = Frame { rows: 0..components.len() * per_line, cols, cell: columns.pitch, cursor: None };
    let plot = part(area, NAMES, 1, area.width, area.height.saturating_sub(2));
    ink.heat_map(plot, frame, Scale::Diverging, |row, col| Heat::signed(value(row / per_line, col), largest));
    ink.heat_legend(area, NAMES, area.height.saturating_sub(1), largest);
}
