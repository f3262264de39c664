//! A head's circuit as a map: query by key, or token by logit or neuron.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, lines, part, tail, width};
use super::map_axes::Frame;
use super::number::{figure, signed};
use super::provenance_of_circuits;
use super::theme::Role;
use super::widgets::{Heat, NUMBER, Scale, SignedMap};
use crate::app::{App, CircuitMap, MapInView, QkScale};
use crate::task::{Token, Vocabulary};

/// Width of the row labels.
const AXIS: u16 = 6;

/// Largest map whose maximum is computed in every frame, in cells.
const MOST_CELLS: usize = 1 << 17;

/// Title of a map, and the names of its rows and columns.
fn axes(kind: CircuitMap) -> (&'static str, &'static str, &'static str) {
    match kind {
        CircuitMap::QkTokens => ("QK of tokens", "query token", "key token"),
        CircuitMap::QkPositions => ("QK of positions", "query", "key"),
        CircuitMap::OvLogits => ("OV to logits, centred", "token", "logit"),
        CircuitMap::OvNeurons => ("OV to neurons, centred", "token", "neuron"),
        CircuitMap::QkTokenPosition => ("QK of token and position", "query token", "key"),
        CircuitMap::QkPositionToken => ("QK of position and token", "query", "key token"),
        CircuitMap::Direct => ("direct path W_E W_U, centred", "token", "logit"),
    }
}

/// Names of rows and of columns.
type Names<'a> = [Option<&'a Vocabulary>; 2];

/// Names of a map's rows and of its columns; numbers where they are positions or neurons.
fn vocabularies(app: &App, kind: CircuitMap) -> Names<'_> {
    let (tokens, classes) = (app.task().vocabulary(), app.task().outputs());
    match kind {
        CircuitMap::QkTokens => [Some(tokens), Some(tokens)],
        CircuitMap::QkPositions => [None, None],
        CircuitMap::OvLogits | CircuitMap::Direct => [Some(tokens), Some(classes)],
        CircuitMap::QkPositionToken => [None, Some(tokens)],
        CircuitMap::OvNeurons | CircuitMap::QkTokenPosition => [Some(tokens), None],
    }
}

fn called(names: Option<&Vocabulary>, index: usize) -> String {
    names.map_or_else(|| index.to_string(), |names| names.name(index as Token))
}

/// Lines around a map: heading, column labels, legend, divisor, cursor value, bias terms, and a gap.
const CHROME: usize = 7;

/// Draws the chosen map and, where there is room, its companion.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let kind = app.circuits.map;
    let both = 2 * (app.options.model.d_vocab + CHROME);
    match kind.companion() {
        Some(other) if both <= usize::from(area.height) => {
            let upper = area.height / 2;
            map(ink, app, kind, lines(area, 0, upper));
            map(ink, app, other, lines(area, upper, area.height));
        }
        _ => map(ink, app, kind, area),
    }
}

/// Draws a map with axes, legend and the value under the cursor.
fn map(ink: &mut Ink<'_>, app: &App, kind: CircuitMap, area: Rect) {
    let (title, row_name, col_name) = axes(kind);
    let names = vocabularies(app, kind);
    let id = app.cursor.head_id();
    let of_head = format!("{title}, head {}.{}", id.layer, id.head);
    let heading = if kind == CircuitMap::Direct { title } else { &of_head };
    ink.rule(area, 0, heading, &provenance_of_circuits(app));
    let Some(map) = app.circuit_map(kind) else {
        ink.text(area, 2, 2, "computing", Role::Faint);
        return;
    };
    let initial = |name: &str| name.chars().next().unwrap_or(' ');
    ink.text(area, 0, 1, &format!("{} \\ {}", initial(row_name), initial(col_name)), Role::Faint);
    let below = if matches!(map.kind, CircuitMap::OvLogits | CircuitMap::Direct) { 3 } else { 4 };
    let body = lines(area, 2, area.height.saturating_sub(2 + below));
    let Drawn { rows, largest, unit } = if map.kind == CircuitMap::QkPositions {
        over_positions(ink, &map, names, body)
    } else {
        over_tokens(ink, &map, names, body)
    };
    let y = (2 + rows).min(area.height.saturating_sub(below));
    let x = if map.kind == CircuitMap::QkPositions {
        ink.heat_legend(area, AXIS, y, largest)
    } else {
        ink.signed_legend(area, AXIS, y, largest)
    };
    if let Some(unit) = unit {
        ink.text(area, x + 2, y, &format!("cells in {unit}"), Role::Faint);
    }
    ink.text(area, 1, y + 1, &scale(app, kind), Role::Faint);
    under_cursor(ink, &map, area, y + 2, (names, [row_name, col_name]));
    if map.kind == CircuitMap::OvNeurons {
        driven(ink, app, area, y + 3);
    } else if let Some(terms) = app.bias_terms(kind).filter(|_| kind.is_of_queries()) {
        let [of_key, of_query, both] = terms.map(figure_signed);
        let text = format!("b_Q.k {of_key} q.b_K {of_query} both {both}");
        ink.text(area, 1, y + 3, &text, Role::Faint);
    }
}

/// The divisor of the values, or how to read them.
fn scale(app: &App, kind: CircuitMap) -> String {
    match (kind, app.circuits.scale) {
        (CircuitMap::OvLogits, _) => "if attended to, before layer norms".into(),
        (CircuitMap::Direct, _) => "without any layer, before the norm".into(),
        (CircuitMap::OvNeurons, _) => "less the mean of tokens, before norms".into(),
        (_, QkScale::Weights) => "products of weights (x: scale)".into(),
        (_, QkScale::Head) => format!("/ sqrt(d_head) {}", root(app)),
        (_, QkScale::HeadAndNorm) => match app.mean_norm_scale() {
            Some(norm) => {
                format!("/ sqrt(d_head) {} / mean norm {}^2", root(app), figure(f64::from(norm)))
            }
            None => format!("/ sqrt(d_head) {}; no layer norm", root(app)),
        },
    }
}

fn root(app: &App) -> String {
    figure((app.options.model.d_head as f64).sqrt())
}

fn under_cursor(
    ink: &mut Ink<'_>,
    map: &MapInView<'_>,
    area: Rect,
    y: u16,
    (names, [row_name, col_name]): (Names<'_>, [&str; 2]),
) {
    let (row, col) = map.cursor;
    let value = map.value(row, col).map_or_else(|| "masked".into(), figure_signed);
    let initials = [row_name, col_name].map(|name| &name[..1]);
    let [row_of, col_of] = [called(names[0], row), called(names[1], map.name_of(col))];
    let place = |[row_name, col_name]: [&str; 2]| format!("{row_name} {row_of}, {col_name} {col_of}: ");
    let whole = place([row_name, col_name]);
    let fits = 1 + width(&whole) + width(&value) <= area.width;
    let x = ink.text(area, 1, y, &if fits { whole } else { place(initials) }, Role::Plain);
    ink.text(area, x, y, &value, Role::Strong);
}

/// [`figure`] with a plus sign for positive numbers.
fn figure_signed(x: f32) -> String {
    let text = figure(f64::from(x));
    if x > 0.0 { format!("+{text}") } else { text }
}

/// Lists the neurons driven most by the token under the cursor.
fn driven(ink: &mut Ink<'_>, app: &App, area: Rect, y: u16) {
    let token = app.cursor.token;
    let mut x = ink.text(
        area,
        1,
        y,
        &format!("token {} drives most", app.task().vocabulary().name(token as Token)),
        Role::Faint,
    );
    for (neuron, drive) in app.driven_by(token, 12) {
        let text = format!("{neuron} {}", signed(drive));
        if x + 2 + width(&text) > area.width {
            return;
        }
        x = ink.text(area, x + 2, y, &text, Role::Plain);
    }
}

/// Width of a map cell in screen columns.
fn cell_width(map: &MapInView<'_>, area: Rect) -> u16 {
    if map.kind == CircuitMap::QkPositions {
        return 1;
    }
    let width = area.width.saturating_sub(AXIS);
    (width / u16::try_from(map.cols()).unwrap_or(u16::MAX).max(1)).clamp(2, NUMBER + 1)
}

/// The drawn part of a map: lines used, end of the scale, unit of the numbers in cells.
struct Drawn {
    rows: u16,
    largest: f32,
    unit: Option<String>,
}

/// One line per row; each cell has room for at least a sign.
fn over_tokens(ink: &mut Ink<'_>, map: &MapInView<'_>, names: Names<'_>, area: Rect) -> Drawn {
    let plot = part(area, AXIS, 0, area.width, area.height);
    let cell = cell_width(map, area);
    let rows = window(map.cursor.0, map.rows(), usize::from(plot.height));
    let cols = window(map.cursor.1, map.cols(), usize::from(plot.width / cell));
    let value = |row: usize, col: usize| map.value(row, col).unwrap_or(f32::NAN);
    // One scale for the whole map, unless finding its maximum would delay the frame.
    let is_small = map.rows().saturating_mul(map.cols()) <= MOST_CELLS;
    let largest =
        if is_small { largest(map, &(0..map.rows()), &(0..map.cols())) } else { largest(map, &rows, &cols) };
    col_ticks(ink, map, names, area, (&cols, cell));
    for (y, row) in (0..).zip(rows.clone()) {
        row_tick(ink, area, y, &called(names[0], row), row == map.cursor.0);
    }
    let shown = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let (ramp, bad_style) = (ink.theme.ramp(Scale::Diverging), ink.theme.style(Role::Wrong));
    let map = SignedMap { rows, cols, cell, cursor: map.cursor, largest, ramp, bad_style, value };
    ink.draw(&map, plot);
    Drawn { rows: shown, largest, unit: map.unit() }
}

/// As many positions as fit; two queries per line if the terminal has half blocks.
fn over_positions(ink: &mut Ink<'_>, map: &MapInView<'_>, names: Names<'_>, area: Rect) -> Drawn {
    let plot = part(area, AXIS, 0, area.width, area.height);
    let per_line = ink.theme.map_rows(1);
    let rows = window(map.cursor.0, map.rows(), ink.theme.map_rows(plot.height));
    let cols = window(map.cursor.1, map.cols(), usize::from(plot.width));
    let largest = largest(map, &rows, &cols);
    col_ticks(ink, map, names, area, (&cols, 1));
    ink.row_ticks(part(area, 0, 0, AXIS, area.height), rows.clone(), (1, map.cursor.0));
    let shown = u16::try_from(rows.len().div_ceil(per_line)).unwrap_or(u16::MAX);
    let heat = |row: usize, col: usize| {
        map.value(row, col).map_or(Heat::Blank, |value| Heat::signed(value, largest))
    };
    let frame = Frame { rows, cols, cell: 1, cursor: Some(map.cursor) };
    ink.heat_map(plot, frame, Scale::Diverging, heat);
    Drawn { rows: shown, largest, unit: None }
}

/// Largest absolute value among some cells.
fn largest(map: &MapInView<'_>, rows: &Range<usize>, cols: &Range<usize>) -> f32 {
    let cells = rows.clone().flat_map(|row| cols.clone().filter_map(move |col| map.value(row, col)));
    cells.filter(|x| x.is_finite()).fold(0.0, |most: f32, x| most.max(x.abs())).max(f32::MIN_POSITIVE)
}

fn row_tick(ink: &mut Ink<'_>, area: Rect, y: u16, name: &str, here: bool) {
    let name = tail(name, AXIS - 1);
    let (text, role) = if here { (format!("{name}▸"), Role::Strong) } else { (name.into(), Role::Faint) };
    ink.text_right(area, if here { AXIS } else { AXIS - 1 }, y, &text, role);
}

/// Column labels that do not touch each other; the cursor's label is always drawn.
fn col_ticks(
    ink: &mut Ink<'_>,
    map: &MapInView<'_>,
    [_, names]: Names<'_>,
    area: Rect,
    (cols, cell): (&Range<usize>, u16),
) {
    let above = Rect { y: area.y.saturating_sub(1), height: 1, ..area };
    let end = |col: usize| AXIS.saturating_add(((col - cols.start) as u16 + 1).saturating_mul(cell));
    let name = |col: usize| called(names, map.name_of(col));
    let here = format!("{}▾", name(map.cursor.1));
    let here_end = if cols.contains(&map.cursor.1) { end(map.cursor.1) } else { 0 };
    // The left edge holds the axis names.
    let mut free = AXIS;
    for col in cols.clone() {
        let text = name(col);
        let start = end(col).saturating_sub(width(&text));
        let is_clear = end(col) + 1 + width(&here) <= here_end || start > here_end;
        let is_tick = cell >= 2 || col % 10 == 0;
        if is_tick && start >= free && is_clear {
            ink.text(above, start, 0, &text, Role::Faint);
            free = end(col) + 1;
        }
    }
    if here_end > 0 {
        ink.text_right(above, here_end.max(width(&here)), 0, &here, Role::Strong);
    }
}
