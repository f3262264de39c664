//! View 7: the patching grid of two sequences.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, lines, part, tail, width};
use super::number::signed;
use super::theme::Role;
use super::widgets::{NUMBER, Scale, SignedMap};
use super::{Look, nothing_yet, provenance_of};
use crate::analysis::patching::{By, Direction, Metric};
use crate::app::App;
use crate::inquiry::{Answer, Patching, PatchingReport, Probe};
use crate::task::{Class, Token};

pub(super) const LOOK: Look = Look { render, moot: |_, _| &[] };

/// Width of the row labels.
const AXIS: u16 = 7;

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    if app.probe.as_deref().is_none_or(Probe::is_empty) {
        return nothing_yet(ink, app, area, "patching");
    }
    let plan = app.settings.patching.plan;
    let known = app.patched();
    let cut = match plan.by {
        By::Position => "layer by position",
        By::Index if plan.site.is_of_heads() => "layer by head",
        By::Index => "layer by neuron",
        By::IndexPosition => "head by position",
    };
    let way = match plan.direction {
        Direction::Denoise => "clean into corrupted",
        Direction::Noise => "corrupted into clean",
    };
    let right = known.map_or(String::new(), |(answer, ..)| of(app, answer));
    ink.rule(area, 0, &format!("{}, {cut}, {way}", plan.site.site()), &right);
    let is_mean = app.settings.patching.is_mean;
    let what = if is_mean { pairs(app) } else { corrupted(app, area.width) };
    ink.text(area, 1, 1, &what, Role::Plain);
    let Some((_, found, asked)) = known.filter(|(_, found, _)| found.pairs > 0) else {
        let has_none = app.flip_point().is_some_and(|(_, flip)| flip.found.is_none());
        let is_empty = known.is_some_and(|(_, found, _)| found.pairs == 0);
        let waits = if is_mean { !is_empty } else { !has_none || app.is_corrupted_chosen() };
        ink.text(area, 1, 2, if waits { "computing" } else { "" }, Role::Faint);
        return;
    };
    ink.text(area, 1, 2, &runs(app, found, asked), Role::Plain);
    map(ink, app, found, lines(area, 3, area.height));
}

fn of(app: &App, answer: &Answer) -> String {
    provenance_of(app, answer.step(), answer.form())
}

/// The pairs that are averaged.
fn pairs(app: &App) -> String {
    match app.patched().map(|(_, found, _)| found.pairs) {
        Some(0) => "no two validation sequences of this length have different targets here".into(),
        Some(found) => format!("mean over {} of validation sequences", super::number::count(found, "pair")),
        None => "pairs of validation sequences".into(),
    }
}

/// The differences between the two sequences.
fn corrupted(app: &App, room: u16) -> String {
    let (names, probe) = (app.task().vocabulary(), app.probe.as_deref());
    let Some((tokens, probe)) = app.corrupted().zip(probe) else {
        return match app.flip_point() {
            None => "corrupted: looking for the smallest change that turns the answer".into(),
            Some((_, flip)) if flip.tried == 0 => {
                "corrupted: too many changes to try: s takes a sequence".into()
            }
            Some((_, flip)) => {
                format!("corrupted: none of {} changes of one or two tokens turns the answer", flip.tried)
            }
        };
    };
    let pairs = probe.tokens().iter().zip(&*tokens).enumerate();
    let differences: Vec<String> = pairs
        .filter(|(_, (clean, corrupted))| clean != corrupted)
        .map(|(at, (clean, corrupted))| {
            format!("{} for {} at {at}", names.name(*corrupted), names.name(*clean))
        })
        .collect();
    let kind = if app.is_corrupted_chosen() { "" } else { " (flip point)" };
    let all = differences.len();
    let text = |shown: usize| {
        let more = if shown < all { format!(" and {} more", all - shown) } else { String::new() };
        let what = if all == 0 { "the same sequence".into() } else { differences[..shown].join(", ") };
        format!("corrupted{kind}: {what}{more}")
    };
    let fits = (1..=all).rev().map(text).find(|text| width(text) + 2 <= room);
    fits.unwrap_or_else(|| text(all.min(1)))
}

/// The metric of both runs, and where they lie on the scale of the cells.
fn runs(app: &App, found: &PatchingReport, asked: &Patching) -> String {
    let name = |class: Class| app.task().outputs().name(class);
    let metric = asked.plan.metric;
    let of = match (metric, found.classes) {
        (Metric::LogitDiff, Some([answer, wrong])) => format!("{} - {}", name(answer), name(wrong)),
        (Metric::Loss | Metric::Prob, Some([answer, _])) => format!("of {}", name(answer)),
        (Metric::LogitDiff, None) => "of the targets".into(),
        (_, None) => "of the clean target".into(),
    };
    let [one, zero] = if app.settings.patching.is_raw { ["", ""] } else { [" = 1", " = 0"] };
    let [clean, corrupted] = [found.grid.clean, found.grid.corrupted].map(signed);
    let at = asked.position;
    format!("{} {of} at {at}: clean {clean}{one}, corrupted {corrupted}{zero}", metric.name())
}

fn map(ink: &mut Ink<'_>, app: &App, found: &PatchingReport, area: Rect) {
    let (rows, cols, cursor) = app.patched_cell();
    let plot = part(area, AXIS, 1, area.width, area.height.saturating_sub(2));
    let room = usize::from(plot.width);
    let cell = u16::try_from(room / cols.max(1)).unwrap_or(u16::MAX).clamp(2, NUMBER + 1);
    let shown = window(cursor.0, rows, usize::from(plot.height));
    let across = window(cursor.1, cols, room / usize::from(cell));
    let (start, span) = (found.grid.corrupted, found.grid.clean - found.grid.corrupted);
    let is_raw = app.settings.patching.is_raw;
    let value = |row: usize, col: usize| {
        let value = found.grid.values.get(row * cols + col).copied().unwrap_or(f32::NAN);
        if is_raw { value } else { (value - start) / span }
    };
    let all = found.grid.values.len();
    let largest = (0..all).map(|at| value(at / cols, at % cols).abs()).filter(|x| x.is_finite());
    let largest = largest.fold(f32::MIN_POSITIVE, f32::max);
    ticks(ink, area, (&across, cell), cursor.1);
    for (y, row) in (1..).zip(shown.clone()) {
        let (name, role) = (row_name(app, row), if row == cursor.0 { Role::Strong } else { Role::Faint });
        ink.text_right(area, AXIS - 1, y, &name, role);
    }
    let height = shown.len() as u16;
    let (ramp, bad_style) = (ink.theme.ramp(Scale::Diverging), ink.theme.style(Role::Wrong));
    let map = SignedMap { rows: shown, cols: across, cell, cursor, largest, ramp, bad_style, value };
    ink.draw(&map, lines(plot, 0, height));
    let y = (1 + height).min(area.height.saturating_sub(1));
    let x = ink.signed_legend(area, AXIS, y, largest);
    let here = format!("{}: {}", place(app, cursor), signed((map.value)(cursor.0, cursor.1)));
    ink.text(area, x + 2, y, &here, Role::Strong);
}

/// Names of columns that have room; that of the cursor always.
fn ticks(ink: &mut Ink<'_>, area: Rect, (cols, cell): (&Range<usize>, u16), here: usize) {
    let end = |col: usize| AXIS + (col - cols.start + 1) as u16 * cell;
    let is_near = |col: usize| here != col && here.abs_diff(col) * usize::from(cell) < 5;
    let step = (4 / usize::from(cell)).max(1);
    for col in
        cols.clone().filter(|col| *col == here || (*col % (5 * step) == 0 || cell >= 4) && !is_near(*col))
    {
        let role = if col == here { Role::Strong } else { Role::Faint };
        ink.text_right(area, end(col), 0, &col.to_string(), role);
    }
}

fn row_name(app: &App, row: usize) -> String {
    let heads = app.options.model.n_heads;
    match app.settings.patching.plan.by {
        By::IndexPosition => format!("{}.{}", row / heads, row % heads),
        By::Index | By::Position => format!("layer {row}"),
    }
}

/// The cell under the cursor in words, with the tokens of a position.
fn place(app: &App, (row, col): (usize, usize)) -> String {
    let plan = app.settings.patching.plan;
    let row = row_name(app, row);
    let row = if plan.by == By::IndexPosition { format!("head {row}") } else { row };
    match plan.by {
        By::Index if plan.site.is_of_heads() => format!("{row}, head {col}"),
        By::Index => format!("{row}, neuron {col}"),
        By::Position | By::IndexPosition => {
            let token = |token: Option<&Token>| {
                token.map_or(String::new(), |token| app.task().vocabulary().name(*token))
            };
            let clean = token(app.probe.as_deref().and_then(|probe| probe.tokens().get(col)));
            let corrupted = token(app.corrupted().as_deref().and_then(|tokens| tokens.get(col)));
            let tokens = if clean == corrupted { clean } else { format!("{clean}/{corrupted}") };
            format!("{row}, position {col} ({})", tail(&tokens, 12))
        }
    }
}
