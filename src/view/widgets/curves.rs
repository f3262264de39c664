//! Curves of buckets over training steps: mean and range of each column, with gaps at NaN.

use std::ops::RangeInclusive;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use crate::app::Bucket;
use crate::view::number::figure;

/// Width of the vertical axis with its numbers.
const AXIS: u16 = 8;

/// A line and a series of marks on the same axes.
pub(in crate::view) struct Curves<'a> {
    /// Buckets, each with its first step, in ascending order.
    pub(in crate::view) line: &'a [(usize, Bucket)],
    /// Sparse buckets, drawn as marks.
    pub(in crate::view) marks: &'a [(usize, Bucket)],
    pub(in crate::view) steps: RangeInclusive<usize>,
    /// Steps with a tick at the upper edge.
    pub(in crate::view) ticks: &'a [usize],
    /// Makes the vertical axis logarithmic.
    pub(in crate::view) is_log: bool,
    /// Text to show without any data.
    pub(in crate::view) empty: &'a str,
    pub(in crate::view) look: CurveLook,
}

#[derive(Clone, Copy)]
pub(in crate::view) struct CurveLook {
    /// Whether the font has Braille characters, which draw 2x4 dots per cell; otherwise a point is drawn as `.`.
    pub(in crate::view) has_braille: bool,
    pub(in crate::view) mark: char,
    pub(in crate::view) tick: char,
    pub(in crate::view) line: Style,
    pub(in crate::view) marks: Style,
    pub(in crate::view) axis: Style,
    pub(in crate::view) bad: Style,
}

/// The vertical axis, in log units if the axis is logarithmic.
struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Axis {
    /// An axis for all finite values; `None` if there are none.
    fn of(points: &[(usize, Bucket)], marks: &[(usize, Bucket)], is_log: bool) -> Option<Self> {
        let buckets = points.iter().chain(marks).map(|(_, bucket)| bucket).filter(|bucket| bucket.count > 0);
        let unit = |x: f64| to_unit(x, is_log);
        let ends = buckets.map(|bucket| (unit(bucket.min), unit(bucket.max)));
        let (low, high) = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        // Centre a flat curve.
        let (low, high) = if high - low < 1e-9 { (low - 0.5, high + 0.5) } else { (low, high) };
        Some(Self { low, high, is_log })
    }

    /// Dot row of a value, 0 at the top.
    fn dot(&self, value: f64, dots: usize) -> usize {
        let share = (self.high - to_unit(value, self.is_log)) / (self.high - self.low);
        ((share * (dots.saturating_sub(1)) as f64).round().max(0.0) as usize).min(dots.saturating_sub(1))
    }

    /// Value at a share of the height, measured from the top.
    fn value(&self, share: f64) -> f64 {
        let unit = self.high - share * (self.high - self.low);
        if self.is_log { 10_f64.powf(unit) } else { unit }
    }
}

fn to_unit(x: f64, is_log: bool) -> f64 {
    if is_log { x.max(1e-12).log10() } else { x }
}

/// Braille dots of a cell: `[column][row]`.
const DOTS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

impl Widget for &Curves<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        let [above, steps] = area.layout(&Layout::vertical([Constraint::Min(0), Constraint::Length(1)]));
        let columns = [Constraint::Length(AXIS - 1), Constraint::Length(1), Constraint::Min(0)];
        let [numbers, line, plot] = above.layout(&Layout::horizontal(columns));
        if plot.is_empty() {
            return;
        }
        let Some(axis) = Axis::of(self.line, self.marks, self.is_log) else {
            let middle = Rect { y: area.y + area.height / 2, height: 1, ..area };
            return Line::styled(format!("  {}", self.empty), self.look.axis).render(middle, buffer);
        };
        self.axes(numbers, line, Rect { x: plot.x, width: plot.width, ..steps }, &axis, buffer);
        self.curve(plot, &axis, buffer);
        self.marked(plot, &axis, buffer);
        for step in self.ticks.iter().filter(|step| self.steps.contains(step)) {
            let at = (plot.x + place(*step, self, plot.width), plot.y);
            buffer[at].set_char(self.look.tick).set_style(self.look.marks);
        }
    }
}

impl Curves<'_> {
    /// Draws marks, thinned so that they do not hide the curve; the newest value always has one. A mark has a range bar for
    /// the values that it replaces, so that no spike vanishes.
    fn marked(&self, plot: Rect, axis: &Axis, buffer: &mut Buffer) {
        let line = |value: f64| (axis.dot(value, usize::from(plot.height) * 4) / 4) as u16;
        for (column, newest, all) in marked(self, plot.width) {
            let (top, here, bottom) = (line(all.max), line(newest), line(all.min));
            let mut put = |y: u16, glyph: char| {
                buffer[(plot.x + column, plot.y + y)].set_char(glyph).set_style(self.look.marks);
            };
            if here - top > 1 || bottom - here > 1 {
                (top..=bottom).for_each(|y| put(y, '│'));
            }
            put(here, self.look.mark);
        }
    }

    fn axes(&self, numbers: Rect, line: Rect, steps: Rect, axis: &Axis, buffer: &mut Buffer) {
        let last = line.height - 1;
        for (at, row) in (0..).zip(line.rows()) {
            let has_number = (at % 3 == 0 && at + 2 <= last) || at == last;
            Line::styled(if has_number { "┤" } else { "│" }, self.look.axis).render(row, buffer);
            if has_number {
                let share = if last == 0 { 0.0 } else { f64::from(at) / f64::from(last) };
                let number = Line::styled(figure(axis.value(share)), self.look.axis).right_aligned();
                number.render(Rect { y: row.y, height: 1, ..numbers }, buffer);
            }
        }
        let (first, last) = (self.steps.start(), self.steps.end());
        Line::styled(format!("step {first}"), self.look.axis).render(steps, buffer);
        Line::styled(last.to_string(), self.look.axis).right_aligned().render(steps, buffer);
    }

    fn curve(&self, plot: Rect, axis: &Axis, buffer: &mut Buffer) {
        let braille = self.look.has_braille;
        let (across, down) = if braille { (2, 4) } else { (1, 1) };
        let width = usize::from(plot.width) * across;
        let dots = usize::from(plot.height) * down;
        let mut cells = vec![0_u32; usize::from(plot.width) * usize::from(plot.height)];
        let mut before: Option<(usize, usize)> = None;
        for (column, bucket) in per_column(self, width) {
            let Some(mean) = bucket.mean().filter(|_| bucket.bad == 0) else {
                let at = (plot.x + (column / across) as u16, plot.y);
                buffer[at].set_char('×').set_style(self.look.bad);
                before = None;
                continue;
            };
            let here = axis.dot(mean, dots);
            let mut ink_column = |column: usize, top: usize, bottom: usize| {
                for dot in top..=bottom {
                    let cell = dot / down * usize::from(plot.width) + column / across;
                    cells[cell] |= if braille { DOTS[column % 2][dot % 4] } else { 1 };
                }
            };
            ink_column(column, axis.dot(bucket.max, dots), axis.dot(bucket.min, dots));
            if let Some((from, dot)) = before {
                join((from, dot), (column, here), &mut ink_column);
            }
            before = Some((column, here));
        }
        for (position, dots) in plot.positions().zip(cells).filter(|(_, dots)| *dots > 0) {
            let glyph = if braille { char::from_u32(0x2800 + dots).unwrap_or('.') } else { '.' };
            buffer[position].set_char(glyph).set_style(self.look.line);
        }
    }
}

/// Draws a straight line between two dots, without the first: a steep fall stays connected.
fn join(from: (usize, usize), to: (usize, usize), ink_column: &mut impl FnMut(usize, usize, usize)) {
    let span = (to.0 - from.0).max(1);
    let at = |column: usize| {
        let share = (column - from.0) as f64 / span as f64;
        (from.1 as f64 + share * (to.1 as f64 - from.1 as f64)).round() as usize
    };
    for column in from.0 + 1..=to.0 {
        let (before, here) = (at(column - 1), at(column));
        // Start one dot after the previous column's dot, so that the line is one dot thick.
        let start =
            if before < here { before + 1 } else { before.saturating_sub(usize::from(before > here)) };
        ink_column(column, start.min(here), start.max(here));
    }
}

/// The column of a step in a plot of `width`.
fn place(step: usize, chart: &Curves<'_>, width: u16) -> u16 {
    let (first, last) = (*chart.steps.start(), *chart.steps.end());
    let span = last.saturating_sub(first).max(1);
    let share = step.saturating_sub(first) as f64 / span as f64;
    let column = (share * f64::from(width.saturating_sub(1))).round() as u16;
    column.min(width.saturating_sub(1))
}

/// The columns of the marks, two free columns apart, each with its newest value and all values that it replaces.
fn marked(chart: &Curves<'_>, width: u16) -> Vec<(u16, f64, Bucket)> {
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

/// Merges the buckets that share a column.
fn per_column(chart: &Curves<'_>, width: usize) -> Vec<(usize, Bucket)> {
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
    use super::*;

    fn drawn(line: &[(usize, Bucket)], marks: &[(usize, Bucket)]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 40, 12));
        let style = Style::new();
        let look = CurveLook {
            has_braille: true,
            mark: '◆',
            tick: '▾',
            line: style,
            marks: style,
            axis: style,
            bad: style,
        };
        let curves = Curves { line, marks, steps: 0..=99, ticks: &[], is_log: false, empty: "nothing", look };
        curves.render(buffer.area, &mut buffer);
        buffer
    }

    #[test]
    fn a_spike_among_marks_too_dense_to_show_is_still_seen() {
        let loss = |step: usize| if step == 51 { 7.0 } else { 0.1 };
        let marks: Vec<(usize, Bucket)> = (0..100).map(|step| (step, Bucket::of(loss(step)))).collect();
        let buffer = drawn(&[], &marks);
        let top = (AXIS..40).filter(|x| buffer[(*x, 0)].symbol() == "│").count();
        assert_eq!(top, 1, "{buffer:?}");
    }

    #[test]
    fn what_is_no_number_is_a_gap_with_a_mark() {
        let loss = |step: usize| if (40..60).contains(&step) { f64::NAN } else { 1.0 };
        let line: Vec<(usize, Bucket)> = (0..100).map(|step| (step, Bucket::of(loss(step)))).collect();
        let buffer = drawn(&line, &[]);
        let middle = |x: u16| (1..11).any(|y| buffer[(x, y)].symbol() != " ");
        assert!(middle(AXIS + 2) && !middle(AXIS + 16) && middle(38), "{buffer:?}");
        assert_eq!(buffer[(AXIS + 16, 0)].symbol(), "×");
    }

    #[test]
    fn without_points_there_are_no_axes() {
        let text: String = drawn(&[], &[]).content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text.trim(), "nothing");
    }
}
