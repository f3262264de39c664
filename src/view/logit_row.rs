//! Logits at the cursor's position, before and after the ablation.

use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::text::Line;

use super::ink::{Ink, lines, width};
use super::number::{probability, signed};
use super::table::{Row, table_width};
use super::theme::Role;
use crate::app::App;
use crate::inquiry::Probe;
use crate::task::Class;

/// The logits at a position.
struct Logits<'a> {
    before: &'a [f32],
    /// With the ablation, if there is one.
    after: Option<&'a [f32]>,
    probabilities: Vec<f32>,
    label: Option<usize>,
    /// `None` if a logit is NaN: there is no largest logit.
    prediction: Option<usize>,
}

impl<'a> Logits<'a> {
    fn of(probe: &'a Probe, position: usize) -> Self {
        Self {
            before: probe.clean.logits(position),
            after: probe.ablated.as_ref().map(|pass| pass.logits(position)),
            probabilities: probe.current().probabilities(position),
            label: probe.label(position).map(usize::from),
            prediction: probe.current().predictions[position].map(usize::from),
        }
    }

    fn current(&self) -> &'a [f32] {
        self.after.unwrap_or(self.before)
    }

    /// The range of the finite logits, extended to 0.
    fn range(&self) -> (f32, f32) {
        let all = self.before.iter().chain(self.after.unwrap_or_default());
        all.copied().filter(|x| x.is_finite()).fold((0.0, 0.0), |(low, high), x| (x.min(low), x.max(high)))
    }

    /// The `room` tokens to show, in index order: label and prediction first, then the highest logits.
    fn shown(&self, room: usize) -> Vec<usize> {
        let must = |token: usize| [self.label, self.prediction].contains(&Some(token));
        let logits = self.current();
        let mut tokens: Vec<usize> = (0..logits.len()).collect();
        let order = |a: &usize, b: &usize| {
            must(*b).cmp(&must(*a)).then(logits[*b].total_cmp(&logits[*a])).then(a.cmp(b))
        };
        // Selection before sorting: sorting a large vocabulary is slow.
        if room < tokens.len() {
            tokens.select_nth_unstable_by(room, order);
            tokens.truncate(room);
        }
        tokens.sort_unstable();
        tokens
    }
}

/// Signed bars with the same unit on both sides of the axis.
struct Bars {
    /// Cells on either side of the axis.
    sides: (u16, u16),
    /// Value per cell.
    unit: f32,
}

impl Bars {
    /// Fits the range into `cells`; `low` is at most 0, `high` at least 0.
    fn new((low, high): (f32, f32), cells: u16) -> Self {
        let all = cells.saturating_sub(1);
        let share = if high > low { -low / (high - low) } else { 0.0 };
        // A side that has any value gets at least one cell.
        let (least, most) = (u16::from(low < 0.0), all.saturating_sub(u16::from(high > 0.0)));
        let left = ((share * f32::from(all)).round() as u16).min(most).max(least.min(all));
        let unit = |end: f32, cells: u16| if cells > 0 { end / f32::from(cells) } else { 0.0 };
        Self { sides: (left, all - left), unit: unit(-low, left).max(unit(high, all - left)) }
    }

    /// The values at both ends.
    fn legend(&self) -> String {
        let end = |cells: u16| f32::from(cells) * self.unit;
        format!("{} to {}", signed(-end(self.sides.0)), signed(end(self.sides.1)))
    }

    /// A bar for the current logit and, with edits, a mark for the clean logit.
    fn draw(&self, ink: &mut Ink<'_>, area: Rect, logits: &Logits<'_>, token: usize) {
        if self.unit > 0.0 {
            let scale = (self.sides.0, 1.0 / self.unit);
            ink.zero_bar(area, scale, logits.current()[token], [Role::Negative, Role::Bar]);
            if logits.after.is_some() {
                ink.mark_before(area, scale, logits.before[token]);
            }
        }
    }
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let logits = Logits::of(probe, position);
    let shown = logits.shown(usize::from(area.height.saturating_sub(2)));
    let which = if shown.len() < logits.before.len() { "highest logits" } else { "logits" };
    ink.rule(area, 0, &format!("{which} at position {position}"), "Label Output");
    let is_ablated = logits.after.is_some();
    let names: &[&str] = if is_ablated { &["raw before", "after", "p after"] } else { &["raw logit", "p"] };
    let mut widths = vec![name_width(app) + 3, 10, 7];
    widths.extend(is_ablated.then_some(7));
    let used = table_width(&widths);
    let [table, plot] = lines(area, 1, area.height)
        .layout(&Layout::horizontal([Constraint::Length(used), Constraint::Min(0)]));
    let plot = plot.inner(Margin::new(1, 0));
    let bars = Bars::new(logits.range(), plot.width);
    if width(&bars.legend()) <= plot.width {
        let legend = Line::from(ink.span(bars.legend(), Role::Faint));
        ink.draw(legend.right_aligned(), lines(plot, 0, 1));
    }
    let names = names.iter().map(|name| ink.right(*name, Role::Faint));
    let mut rows = vec![Row::new([ink.left(" token", Role::Faint)].into_iter().chain(names))];
    rows.extend(shown.iter().map(|token| row(ink, app, &logits, *token)));
    ink.table(table, &widths, rows);
    for (line, token) in lines(plot, 1, plot.height).rows().zip(shown) {
        bars.draw(ink, line, &logits, token);
    }
}

/// Width of the class names.
fn name_width(app: &App) -> u16 {
    (app.task().outputs().width() as u16).max(5)
}

fn row(ink: &Ink<'_>, app: &App, logits: &Logits<'_>, token: usize) -> Row<'static> {
    let is_label = Some(token) == logits.label;
    let is_said = Some(token) == logits.prediction;
    let role = if is_said { Role::Strong } else { Role::Plain };
    // One letter each for lack of room; the heading spells out both.
    let said = if is_label || logits.label.is_none() { Role::Good } else { Role::Wrong };
    let marks = [(is_label, "L", Role::Good), (is_said, "O", said)]
        .map(|(is, mark, role)| ink.span(if is { mark } else { " " }, role));
    let name = app.task().outputs().name(token as Class);
    let blanks = " ".repeat(name_width(app).saturating_sub(width(&name)).into());
    let name = [ink.span(blanks + &name, role), " ".into()].into_iter().chain(marks);
    let numbers =
        [Some(logits.before), logits.after].into_iter().flatten().map(|logits| signed(logits[token]));
    let numbers = numbers.chain([probability(logits.probabilities[token])]);
    let cells = [name.collect::<Line<'_>>()];
    Row::new(cells.into_iter().chain(numbers.map(|number| ink.right(number, role))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stands_for_the_same_on_both_sides_of_zero_and_every_logit_fits() {
        for cells in 3..40 {
            for (low, high) in [(-2.0, 6.0), (-3.56, 11.15), (-11.0, 0.3), (0.0, 6.0), (-6.0, 0.0)] {
                let Bars { sides: (left, right), unit } = Bars::new((low, high), cells);
                assert_eq!(left + right, cells - 1);
                let fits = |end: f32, cells: u16| end <= f32::from(cells) * unit * 1.000_001;
                assert!(
                    fits(-low, left) && fits(high, right),
                    "{cells}: {low} {high}, {left} {right} of {unit}"
                );
            }
        }
        let even = Bars::new((-2.0, 6.0), 17);
        assert_eq!((even.sides, even.unit, even.legend()), ((4, 12), 0.5, "-2.00 to +6.00".into()));
        assert!(Bars::new((0.0, 0.0), 17).unit <= 0.0, "nothing to draw");
        assert_eq!(Bars::new((-1.0, 1.0), 0).sides, (0, 0));
    }
}
