//! Every component's contribution to the target at every position, as a heat map under the strip's columns.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::heat::{Heat, HeatMap};
use super::ink::{Ink, part};
use super::theme::{Role, Scale};
use crate::analysis::Component;
use crate::app::App;
use crate::app::views::logits::component_map;
use crate::inquiry::Probe;

/// Columns for the components' names: as wide as the strip's.
const NAMES: u16 = 10;

/// Lines it takes: a heading, a line per component, the scale.
pub(super) fn height(probe: &Probe) -> u16 {
    u16::try_from(probe.clean.attribution.components.len()).unwrap_or(u16::MAX).saturating_add(2)
}

/// A component's name, shortened where its layer would be cut off.
fn short(component: Component) -> String {
    let name = component.to_string();
    if name.len() < usize::from(NAMES) {
        name
    } else {
        name.replace("attn_bias", "attn_b").replace("mlp_out", "mlp")
    }
}

/// Draws the map.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let attribution = &probe.current().attribution;
    let columns = Columns::new(app, area.width);
    let shown = columns.shown.start.min(probe.len())..columns.shown.end.min(probe.len());
    let Some(panel) = component_map(app) else { return };
    let Some(contribution) = panel.column(&["edited", "clean"]) else { return };
    let value = |component: usize, at: usize| contribution.number(&[component, at]) as f32;
    let all =
        (0..attribution.components.len()).flat_map(|component| shown.clone().map(move |at| (component, at)));
    let finite = all.map(|(component, at)| value(component, at)).filter(|value| value.is_finite());
    let largest = finite.fold(0.0, |a: f32, value| a.max(value.abs())).max(f32::MIN_POSITIVE);
    ink.rule(area, 0, "every component to each position's target", "");
    for (y, component) in (1..).zip(&attribution.components) {
        let role = if usize::from(y - 1) == app.cursor.component { Role::Strong } else { Role::Faint };
        ink.text(part(area, 0, 0, NAMES - 1, area.height), 0, y, &short(*component), role);
    }
    // A line each, so that the names fit: both halves of a line show the same.
    let per_line = ink.heat_rows(1);
    let map = HeatMap {
        rows: 0..attribution.components.len() * per_line,
        cols: shown,
        cell: columns.pitch,
        scale: Scale::Diverging,
        cursor: None,
        value: |row: usize, col: usize| Heat::of(value(row / per_line, col), |x| x / largest / 2.0 + 0.5),
    };
    let plot = part(area, NAMES, 1, area.width, area.height.saturating_sub(2));
    ink.heat(plot, &map);
    let y = area.height.saturating_sub(1);
    ink.heat_legend(area, NAMES, y, largest);
}
