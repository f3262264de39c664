//! Curves over the steps of the run.

use std::ops::RangeInclusive;

use ratatui::layout::Rect;

use super::ink::{Ink, part};
use super::number::figure;
use super::theme::Role;
use crate::app::{Bucket, LossScale};
use crate::term::Glyphs;

/// Columns for the numbers of the vertical axis.
const AXIS: u16 = 8;

/// Two curves on one pair of axes.
pub(super) struct Chart<'a> {
    /// Each with the step it begins at, rising.
    pub(super) line: &'a [(usize, Bucket)],
    /// Few, each shown as a mark.
    pub(super) marks: &'a [(usize, Bucket)],
    pub(super) steps: RangeInclusive<usize>,
    pub(super) scale: LossScale,
    /// What to say while there is nothing.
    pub(super) empty: &'a str,
}

/// The vertical axis, in units of the scale.
struct Axis {
    low: f64,
    high: f64,
    scale: LossScale,
}

impl Axis {
    /// Room for every finite value; `None` if there is none.
    fn of(points: &[(usize, Bucket)], marks: &[(usize, Bucket)], scale: LossScale) -> Option<Self> {
        let buckets = points.iter().chain(marks).map(|(_, bucket)| bucket).filter(|bucket| bucket.count > 0);
        let unit = |x: f64| to_unit(x, scale);
        let ends = buckets.map(|bucket| (unit(bucket.min), unit(bucket.max)));
        let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        // A flat curve runs through the middle.
        let (low, high) = if high - low < 1e-9 { (low - 0.5, high + 0.5) } else { (low, high) };
        Some(Self { low, high, scale })
    }

    /// The dot of a value, from 0 at the top.
    fn dot(&self, value: f64, dots: usize) -> usize {
        let share = (self.high - to_unit(value, self.scale)) / (self.high - self.low);
        ((share * (dots.saturating_sub(1)) as f64).round().max(0.0) as usize).min(dots.saturating_sub(1))
    }

    /// The value at a share of the height, from the top.
    fn value(&self, share: f64) -> f64 {
        let unit = self.high - share * (self.high - self.low);
        match self.scale {
            LossScale::Log => 10_f64.powf(unit),
            LossScale::Linear => unit,
        }
    }
}

fn to_unit(x: f64, scale: LossScale) -> f64 {
    match scale {
        LossScale::Log => x.max(1e-12).log10(),
        LossScale::Linear => x,
    }
}

/// Braille dots of a cell: `[column][row]`.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

impl Ink<'_> {
    /// Draws curves with their axes.
    pub(super) fn chart(&mut self, area: Rect, chart: &Chart<'_>) {
        let plot = part(area, AXIS, 0, area.width, area.height.saturating_sub(1));
        if plot.is_empty() {
            return;
        }
        let Some(axis) = Axis::of(chart.line, chart.marks, chart.scale) else {
            self.text(area, 2, area.height / 2, chart.empty, Role::Faint);
            return;
        };
        self.axes(area, plot, chart, &axis);
        self.curve(plot, chart, &axis);
        self.marks(plot, chart, &axis);
    }

    /// Marks, not so dense that they hide the curve; the newest always. Values up to the next mark that have none of their own
    /// and lie far from this one are shown as its range: no spike vanishes.
    fn marks(&mut self, plot: Rect, chart: &Chart<'_>, axis: &Axis) {
        let line = |value: f64| (axis.dot(value, usize::from(plot.height) * 4) / 4) as u16;
        let style = self.theme.style(Role::Second);
        for (column, newest, all) in marked(chart, plot.width) {
            let (top, here, bottom) = (line(all.max), line(newest), line(all.min));
            if here - top > 1 || bottom - here > 1 {
                (top..=bottom).for_each(|y| self.put(plot, column, y, '│', style));
            }
            self.put(plot, column, here, self.mark(), style);
        }
    }

    /// The mark of the second curve.
    pub(super) fn mark(&self) -> char {
        if self.theme.glyphs == Glyphs::Ascii { 'o' } else { '◆' }
    }

    /// The sample of the first curve.
    pub(super) fn sample(&self) -> &'static str {
        if self.theme.glyphs == Glyphs::Utf8 { "⠤⠤" } else { "." }
    }

    fn axes(&mut self, area: Rect, plot: Rect, chart: &Chart<'_>, axis: &Axis) {
        for line in 0..plot.height {
            self.put(area, AXIS - 1, line, '│', self.theme.style(Role::Faint));
        }
        let last = plot.height - 1;
        for line in (0..plot.height).filter(|line| line % 3 == 0 && line + 2 <= last || *line == last) {
            let share = if last == 0 { 0.0 } else { f64::from(line) / f64::from(last) };
            self.text_right(area, AXIS - 1, line, &figure(axis.value(share)), Role::Faint);
            self.put(area, AXIS - 1, line, '┤', self.theme.style(Role::Faint));
        }
        let (first, last) = (chart.steps.start(), chart.steps.end());
        self.text(area, AXIS, plot.height, &format!("step {first}"), Role::Faint);
        self.text_right(area, area.width, plot.height, &last.to_string(), Role::Faint);
    }

    fn curve(&mut self, plot: Rect, chart: &Chart<'_>, axis: &Axis) {
        let unicode = self.theme.glyphs == Glyphs::Utf8;
        let (across, down) = if unicode { (2, 4) } else { (1, 1) };
        let width = usize::from(plot.width) * across;
        let dots = usize::from(plot.height) * down;
        let mut cells = vec![0_u32; usize::from(plot.width) * usize::from(plot.height)];
        let mut before: Option<(usize, usize)> = None;
        for (column, bucket) in per_column(chart, width) {
            let Some(mean) = bucket.mean().filter(|_| bucket.bad == 0) else {
                self.put(plot, (column / across) as u16, 0, '×', self.theme.style(Role::Wrong));
                before = None;
                continue;
            };
            let here = axis.dot(mean, dots);
            let mut ink_column = |column: usize, top: usize, bottom: usize| {
                for dot in top..=bottom {
                    let cell = dot / down * usize::from(plot.width) + column / across;
                    cells[cell] |= if unicode { DOTS[column % 2][dot % 4] } else { 1 };
                }
            };
            ink_column(column, axis.dot(bucket.max, dots), axis.dot(bucket.min, dots));
            if let Some((from, dot)) = before {
                join((from, dot), (column, here), &mut ink_column);
            }
            before = Some((column, here));
        }
        for (at, dots) in cells.into_iter().enumerate().filter(|(_, dots)| *dots > 0) {
            let (x, y) = (at % usize::from(plot.width), at / usize::from(plot.width));
            let glyph = if unicode { char::from_u32(0x2800 + dots).unwrap_or('.') } else { '.' };
            self.put(plot, x as u16, y as u16, glyph, self.theme.style(Role::Bar));
        }
    }
}

/// A straight line between two dots, without the first: a fall is a line and not a scatter.
fn join(from: (usize, usize), to: (usize, usize), ink_column: &mut impl FnMut(usize, usize, usize)) {
    let span = (to.0 - from.0).max(1);
    let at = |column: usize| {
        let share = (column - from.0) as f64 / span as f64;
        (from.1 as f64 + share * (to.1 as f64 - from.1 as f64)).round() as usize
    };
    for column in from.0 + 1..=to.0 {
        let (before, here) = (at(column - 1), at(column));
        // From beside the dot before, so that a flat line is one dot thick.
        let start =
            if before < here { before + 1 } else { before.saturating_sub(usize::from(before > here)) };
        ink_column(column, start.min(here), start.max(here));
    }
}

/// The column of a step, among so many.
fn place(step: usize, chart: &Chart<'_>, width: u16) -> u16 {
    let (first, last) = (*chart.steps.start(), *chart.steps.end());
    let span = last.saturating_sub(first).max(1);
    let share = step.saturating_sub(first) as f64 / span as f64;
    let column = (share * f64::from(width.saturating_sub(1))).round() as u16;
    column.min(width.saturating_sub(1))
}

/// The columns of the marks, two free ones between them, each with the newest value and all values that it stands for.
fn marked(chart: &Chart<'_>, width: u16) -> Vec<(u16, f64, Bucket)> {
    let mut marks: Vec<(u16, f64, Bucket)> = Vec::new();
    for (step, bucket) in chart.marks.iter().rev() {
        let Some(mean) = bucket.mean() else { continue };
        let column = place(*step, chart, width);
        match marks.last_mut() {
            Some((last, _, all)) if column + 2 >= *last => *all = all.and(*bucket),
            _ => marks.push((column, mean, *bucket)),
        }
    }
    marks
}

/// The buckets, put together by the column they fall on.
fn per_column(chart: &Chart<'_>, width: usize) -> Vec<(usize, Bucket)> {
    let mut columns: Vec<(usize, Bucket)> = Vec::new();
    for (step, bucket) in chart.line.iter().filter(|(step, _)| chart.steps.contains(step)) {
        let column = usize::from(place(*step, chart, u16::try_from(width).unwrap_or(u16::MAX)));
        match columns.last_mut() {
            Some((last, whole)) if *last == column => *whole = whole.and(*bucket),
            _ => columns.push((column, *bucket)),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::term::{ColorDepth, Ground};
    use crate::view::theme::Theme;

    #[test]
    fn a_spike_among_marks_too_dense_to_show_is_still_seen() {
        let area = Rect::new(0, 0, 40, 12);
        let mut buffer = Buffer::empty(area);
        let theme = Theme { depth: ColorDepth::None, glyphs: Glyphs::Utf8, ground: Ground::Dark };
        let loss = |step: usize| if step == 51 { 7.0 } else { 0.1 };
        let marks: Vec<(usize, Bucket)> = (0..100).map(|step| (step, Bucket::of(loss(step)))).collect();
        let chart =
            Chart { line: &[], marks: &marks, steps: 0..=99, scale: LossScale::Linear, empty: "nothing" };
        Ink::new(&mut buffer, theme).chart(area, &chart);
        let top = (AXIS..40).filter(|x| buffer[(*x, 0)].symbol() == "│").count();
        assert_eq!(top, 1, "{buffer:?}");
    }
}
