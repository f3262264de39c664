//! View 2: what a head attends to, query by key.

use ratatui::layout::Rect;

use super::columns::window;
use super::heat::{Heat, HeatMap};
use super::ink::{Ink, beside, part, width};
use super::number::figure;
use super::theme::{Role, Scale};
use super::{nothing_yet, provenance, readout};
use crate::analysis::{Pass, Probe};
use crate::app::{App, AttentionScale, Zoom};

/// Columns for the queries' numbers.
const AXIS: u16 = 5;

/// What a scale makes of an attention probability.
pub(super) struct Measure<'a> {
    pub(super) scale: AttentionScale,
    pass: &'a Pass,
    layer: usize,
    head: usize,
    norms: &'a [f32],
    /// What the scale's top colour stands for.
    top: f32,
}

impl<'a> Measure<'a> {
    fn new(app: &App, probe: &'a Probe) -> Self {
        let pass = probe.current();
        let (layer, head) = (app.cursor.layer, app.cursor.head);
        let norms = &pass.heads[layer * probe.config().n_heads + head].value_norms;
        let mut measure = Self { scale: app.settings.attention, pass, layer, head, norms, top: 1.0 };
        measure.top = measure.top();
        measure
    }

    /// A cell in units of the scale.
    pub(super) fn value(&self, query: usize, key: usize) -> f32 {
        let attention = self.pass.attention(self.layer, self.head, query)[key];
        match self.scale {
            AttentionScale::Raw => attention,
            AttentionScale::RelativeToUniform => attention * (query + 1) as f32,
            AttentionScale::InfoWeighted => attention * self.norms[key],
        }
    }

    /// The value that one in a hundred exceeds: the first queries, which have little choice, would darken all the rest.
    fn top(&self) -> f32 {
        let len = self.norms.len();
        let cells = (0..len).flat_map(|query| (0..=query).map(move |key| (query, key)));
        let mut values: Vec<f32> =
            cells.map(|(query, key)| self.value(query, key)).filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            return 1.0;
        }
        let at = (values.len() - 1) * 99 / 100;
        let (_, top, _) = values.select_nth_unstable_by(at, f32::total_cmp);
        top.max(f32::MIN_POSITIVE)
    }

    fn colors(&self) -> Scale {
        match self.scale {
            AttentionScale::RelativeToUniform => Scale::Diverging,
            AttentionScale::Raw | AttentionScale::InfoWeighted => Scale::Sequential,
        }
    }

    /// On the colours, from 0 to 1.
    fn heat(&self, value: f32) -> Heat {
        match self.scale {
            // From an eighth of uniform to eight times it.
            AttentionScale::RelativeToUniform => Heat::of(value, |x| x.max(1e-6).log2() / 6.0 + 0.5),
            AttentionScale::Raw | AttentionScale::InfoWeighted => Heat::of(value, |x| x / self.top),
        }
    }

    /// The numbers at the ends of the scale.
    fn ends(&self) -> (String, String) {
        match self.scale {
            AttentionScale::RelativeToUniform => ("1/8 x".into(), "8 x uniform".into()),
            AttentionScale::Raw => ("0".into(), format!("≥{}", figure(f64::from(self.top)))),
            AttentionScale::InfoWeighted => ("0".into(), format!("≥{} A|vW_O|", figure(f64::from(self.top)))),
        }
    }
}

/// Draws the view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "attention");
    };
    let measure = Measure::new(app, probe);
    // The queries beside a narrow map would say little: the map goes first.
    let readout_width = if area.width >= 120 { 42 } else { 31 };
    let show_readout = area.width >= 56;
    let map_width = if show_readout { area.width - readout_width - 1 } else { area.width };
    let (left, right) = beside(area, map_width);
    map(ink, app, probe, &measure, left);
    if show_readout {
        readout::render(ink, app, probe, &measure, right);
    }
}

/// Positions a cell of the map averages over, and the columns it takes.
fn cell_size(zoom: Zoom, len: usize, rows: usize, columns: usize) -> (usize, u16) {
    match zoom {
        Zoom::One => (1, 1),
        Zoom::Two => (1, 2),
        Zoom::Fit => (len.div_ceil(rows.max(1)).max(len.div_ceil(columns.max(1))).max(1), 1),
    }
}

fn map(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let title = format!("attention of head {}.{}", app.cursor.layer, app.cursor.head);
    ink.rule(area, 0, &title, &provenance(app, probe.request.snapshot.step));
    let plot = part(area, AXIS, 2, area.width, area.height.saturating_sub(3));
    let rows = ink.heat_rows(plot.height);
    let (factor, cell) = cell_size(app.settings.zoom, probe.len(), rows, usize::from(plot.width));
    let cells = probe.len().div_ceil(factor);
    let query = app.position_in(probe);
    let key = app.cursor.key.min(query);
    let rows = window(query / factor, cells, rows);
    let cols = window(key / factor, cells, usize::from(plot.width / cell));
    key_ticks(ink, area, &cols, factor, cell, key);
    for (line, row) in rows.clone().step_by(ink.heat_rows(1)).enumerate() {
        query_tick(ink, area, line as u16 + 2, row, factor, query);
    }
    let map = HeatMap {
        rows,
        cols,
        cell,
        scale: measure.colors(),
        cursor: Some((query / factor, key / factor)),
        value: |row, col| average(measure, probe.len(), factor, row, col),
    };
    ink.heat(plot, &map);
    legend(ink, area, measure, factor);
}

/// The mean over a cell's queries and keys, of those that may attend.
fn average(measure: &Measure<'_>, len: usize, factor: usize, row: usize, col: usize) -> Heat {
    let queries = row * factor..((row + 1) * factor).min(len);
    let (mut sum, mut count) = (0.0, 0_u32);
    for query in queries {
        for key in col * factor..((col + 1) * factor).min(query + 1) {
            sum += measure.value(query, key);
            count += 1;
        }
    }
    if count == 0 { Heat::Blank } else { measure.heat(sum / count as f32) }
}

fn key_ticks(
    ink: &mut Ink<'_>,
    area: Rect,
    cols: &std::ops::Range<usize>,
    factor: usize,
    cell: u16,
    key: usize,
) {
    ink.text(area, 0, 1, "q \\ k", Role::Faint);
    let x = |col: usize| AXIS + (col - cols.start) as u16 * cell;
    for col in cols.clone().filter(|col| (col * factor) % 10 < factor) {
        ink.text(area, x(col), 1, &(col * factor).to_string(), Role::Faint);
    }
    if cols.contains(&(key / factor)) {
        let text = format!("▾{key}");
        // A label that would be cut goes to the left of its column.
        let at = x(key / factor);
        if at + width(&text) > area.width {
            ink.text_right(area, at + 1, 1, &format!("{key}▾"), Role::Strong);
        } else {
            ink.text(area, at, 1, &text, Role::Strong);
        }
    }
}

fn query_tick(ink: &mut Ink<'_>, area: Rect, y: u16, row: usize, factor: usize, query: usize) {
    let lines = row..row + ink.heat_rows(1);
    if lines.contains(&(query / factor)) {
        ink.text_right(area, AXIS, y, &format!("{query}▸"), Role::Strong);
    } else if let Some(tick) = lines.map(|row| row * factor).find(|first| first % 10 < factor) {
        ink.text_right(area, AXIS - 1, y, &tick.to_string(), Role::Faint);
    }
}

fn legend(ink: &mut Ink<'_>, area: Rect, measure: &Measure<'_>, factor: usize) {
    let y = area.height.saturating_sub(1);
    let (low, high) = measure.ends();
    let x = ink.text(area, AXIS, y, &format!("{low} "), Role::Faint);
    let x = ink.legend(area, x, y, measure.colors());
    let x = ink.text(area, x, y, &format!(" {high}"), Role::Faint);
    if factor > 1 {
        ink.text(area, x + 2, y, &format!("a cell: mean of {factor}x{factor}"), Role::Strong);
    }
}
