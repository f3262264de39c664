//! View 2: what a head attends to, query by key.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, beside, lines, part, width};
use super::map_axes::Frame;
use super::measure::Measure;
use super::theme::Role;
use super::widgets::Heat;
use super::{Look, at_another, nothing_yet, provenance_of, readout, replaced};
use crate::app::{App, Zoom};
use crate::inquiry::Probe;

/// Width of the query labels.
const AXIS: u16 = 5;

pub(super) const LOOK: Look = Look { render, moot: |_, _| &[] };

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "attention");
    };
    let mut measure = Measure::new(app, probe);
    // The effect of replaced patterns is shown in the view where patterns are replaced.
    let changed = u16::from(!app.ablation.off.patterns.is_empty() && area.height > 8);
    if changed > 0 {
        replaced::render(ink, app, lines(area, 0, 1));
    }
    let area = lines(area, changed, area.height);
    // A narrow readout would be unreadable: the map has priority.
    let readout_width = if area.width >= 120 { 42 } else { 31 };
    let show_readout = area.width >= 56;
    let map_width = if show_readout { area.width - readout_width - 1 } else { area.width };
    let (left, right) = beside(area, map_width);
    map(ink, app, probe, &mut measure, left);
    if show_readout {
        readout::render(ink, app, probe, &measure, right);
    }
}

/// Positions averaged in one map cell, and the cell's width in columns.
fn cell_size(zoom: Zoom, len: usize, rows: usize, columns: usize) -> (usize, u16) {
    match zoom {
        Zoom::One => (1, 1),
        Zoom::Two => (1, 2),
        Zoom::Fit => (len.div_ceil(rows.max(1)).max(len.div_ceil(columns.max(1))).max(1), 1),
    }
}

fn map(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &mut Measure<'_>, area: Rect) {
    let plot = part(area, AXIS, 2, area.width, area.height.saturating_sub(3));
    let rows = ink.theme.map_rows(plot.height);
    let (factor, cell) = cell_size(app.settings.zoom, measure.len, rows, usize::from(plot.width));
    let cells = measure.len.div_ceil(factor);
    let class =
        measure.class.as_ref().map(|(class, _)| format!(", target {}", app.task().outputs().name(*class)));
    let head = format!("head {}.{}{}", app.cursor.layer, app.cursor.head, class.unwrap_or_default());
    let title = if factor > 1 {
        format!("{}{head} by {factor}x{factor}", if measure.is_mean { "mean of " } else { "" })
    } else {
        format!("{} of {head}", if measure.is_mean { "mean" } else { "attention" })
    };
    let title = if measure.is_mean { title + &at_another(app, measure.step) } else { title };
    ink.rule(area, 0, &title, &provenance_of(app, measure.step, probe.subject.form));
    let query = app.position_in(probe).min(measure.len.saturating_sub(1));
    let key = measure.clamped(query, app.cursor.key);
    let rows = window(query / factor, cells, rows);
    let cols = window(key / factor, cells, usize::from(plot.width / cell));
    let positions =
        |cells: &std::ops::Range<usize>| cells.start * factor..(cells.end * factor).min(measure.len);
    measure.fit(positions(&rows), positions(&cols));
    ink.col_ticks((area, AXIS), "q \\ k", &cols, (factor, cell), key);
    ink.row_ticks(part(area, 0, 2, AXIS, area.height), rows.clone(), (factor, query));
    let frame = Frame { rows, cols, cell, cursor: Some((query / factor, key / factor)) };
    ink.heat_map(plot, frame, measure.scale_of_colors(), |row, col| {
        average(measure, measure.len, factor, row, col)
    });
    legend(ink, area, measure, query);
}

/// Mean over a cell's query-key pairs, without the masked ones.
fn average(measure: &Measure<'_>, len: usize, factor: usize, row: usize, col: usize) -> Heat {
    let queries = row * factor..((row + 1) * factor).min(len);
    let (mut sum, mut count) = (0.0, 0_u32);
    for query in queries {
        for key in (col * factor..((col + 1) * factor).min(len)).filter(|key| measure.sees(query, *key)) {
            sum += measure.value(query, key);
            count += 1;
        }
    }
    if count == 0 { Heat::Blank } else { measure.heat(sum / count as f32) }
}

fn legend(ink: &mut Ink<'_>, area: Rect, measure: &Measure<'_>, query: usize) {
    let y = area.height.saturating_sub(1);
    let (low, high) = measure.ends(ink);
    let x = ink.text(area, AXIS, y, &format!("{low} "), Role::Faint);
    let x = ink.legend(area, x, y, ink.theme.ramp(measure.scale_of_colors()));
    let x = ink.text(area, x, y, &format!(" {high}"), Role::Faint);
    let over = match &measure.class {
        Some((_, queries)) => format!(", {} queries here", queries.get(query).copied().unwrap_or_default()),
        None => format!(", {} seq.", measure.sequences),
    };
    // The list of heads says the number too.
    if measure.is_mean && x + width(&over) <= area.width {
        ink.text(area, x, y, &over, Role::Faint);
    }
}
