//! Any view while another subject is remembered: the view's panels, each less that subject's.

use ratatui::layout::Rect;

use super::ink::{Ink, beginning, beside, lines};
use super::theme::Role;
use super::{difference_map, difference_table};
use crate::app::App;
use crate::app::panels::PanelInView;

/// Least useful height of a table: heading, names of columns, a row.
const LEAST: u16 = 3;

/// The same of a map: heading, columns, a row, scale, cell.
const LEAST_MAP: u16 = 5;

/// From this width on panels are in two columns.
const WIDE: u16 = 64;

/// Rows from which on cells over two axes are a map.
const MAP: usize = 64;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let mut panels = app.panels_in_view();
    if panels.is_empty() {
        return super::nothing_yet(ink, app, area, &app.less());
    }
    // First the focused panel, unless it has no difference, and a map: maps have the most to show.
    panels.sort_by_key(|shown| shown.as_it_is.is_some());
    if let Some(map) = panels.iter().skip(1).position(|shown| shown.as_it_is.is_none() && is_map(shown)) {
        panels[1..=map + 1].rotate_right(1);
    }
    let body = lines(area, 0, area.height - 1);
    let columns = if area.width >= WIDE && panels.len() > 1 {
        let (left, right) = beside(body, area.width / 2);
        vec![left, right]
    } else {
        vec![body]
    };
    let left_out = fill(ink, app, &panels, &columns).join(", ");
    if !left_out.is_empty() {
        let text = format!("no room, but e exports: {left_out}");
        ink.text(lines(area, area.height - 1, 1), 1, 0, &text, Role::Faint);
    }
}

/// Draws the panels one below the other, column by column. Returns the names of those without room.
fn fill<'p>(ink: &mut Ink<'_>, app: &App, panels: &'p [PanelInView], columns: &[Rect]) -> Vec<&'p str> {
    let mut left: Vec<&PanelInView> = panels.iter().collect();
    for (at, column) in columns.iter().enumerate() {
        let (mut y, is_last) = (0, at + 1 == columns.len());
        while let Some(next) = left.iter().position(|shown| least(shown) <= column.height - y) {
            let (shown, room) = (left.remove(next), column.height - y);
            // In the last column, long panels leave room for those after them, maps less.
            let after = u16::try_from(left.len()).unwrap_or(u16::MAX).min(room / LEAST / 2);
            let after = if is_map(shown) { after.min(1) } else { after };
            let most = if is_last { room.saturating_sub(after * LEAST).max(least(shown)) } else { room };
            let height = height(ink, shown).min(most);
            panel(ink, app, shown, lines(*column, y, height));
            y += height;
        }
    }
    left.iter().map(|shown| shown.panel.name).collect()
}

/// Least useful height of a panel.
fn least(shown: &PanelInView) -> u16 {
    if is_map(shown) { LEAST_MAP } else { LEAST }
}

fn is_map(shown: &PanelInView) -> bool {
    shown.panel.lead.len() > 1 && shown.panel.len() > MAP
}

/// Lines that show all of a panel.
fn height(ink: &Ink<'_>, shown: &PanelInView) -> u16 {
    let panel = &shown.panel;
    let rows =
        if is_map(shown) { difference_map::height(ink, panel) } else { difference_table::height(panel) };
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(1 + u16::from(shown.as_it_is.is_some()))
}

fn panel(ink: &mut Ink<'_>, app: &App, shown: &PanelInView, area: Rect) {
    let panel = &shown.panel;
    let mut body = lines(area, 1, area.height);
    if let Some(why) = &shown.as_it_is {
        ink.rule(area, 0, panel.name, "");
        ink.text(area, 1, 1, &format!("as it is: {why}"), Role::Faint);
        body = lines(area, 2, area.height);
    } else {
        let title = beginning(&format!("{} {}", panel.name, app.less()), usize::from(area.width) - 4);
        ink.rule(area, 0, &title, &step(app, shown));
    }
    if is_map(shown) {
        difference_map::render(ink, app, panel, body);
    } else {
        difference_table::render(ink, app, (panel, shown.as_it_is.is_none()), body);
    }
}

/// The step of the numbers, if another is in view.
fn step(app: &App, shown: &PanelInView) -> String {
    let of = shown.panel.columns.first().map(|column| column.figure.of.step());
    of.map_or(String::new(), |step| super::at_another(app, step).trim().into())
}
