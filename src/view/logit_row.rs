//! The logits of the tokens at the cursor's position, before and after the ablation.

use ratatui::layout::Rect;

use super::ink::{Ink, width};
use super::number::{probability, signed};
use super::theme::Role;
use crate::app::App;
use crate::inquiry::Probe;
use crate::task::Class;

/// Columns at which the numbers end: before, after, the probability after these many more.
const BEFORE: u16 = 18;
const AFTER: u16 = 26;
const PROBABILITY: u16 = 8;

/// The logits at a position.
struct Logits<'a> {
    before: &'a [f32],
    /// With the ablation, if there is one.
    after: Option<&'a [f32]>,
    probabilities: Vec<f32>,
    label: Option<usize>,
    /// `None` where logits are no numbers: the largest of them is none.
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

    /// The smallest and the largest finite value, 0 among them.
    fn range(&self) -> (f32, f32) {
        let all = self.before.iter().chain(self.after.unwrap_or_default());
        all.copied().filter(|x| x.is_finite()).fold((0.0, 0.0), |(low, high), x| (x.min(low), x.max(high)))
    }

    /// As many tokens as there is room for, in their order: the label, the prediction, then the highest.
    fn shown(&self, room: usize) -> Vec<usize> {
        let must = |token: usize| [self.label, self.prediction].contains(&Some(token));
        let logits = self.current();
        let mut tokens: Vec<usize> = (0..logits.len()).collect();
        let order = |a: &usize, b: &usize| {
            must(*b).cmp(&must(*a)).then(logits[*b].total_cmp(&logits[*a])).then(a.cmp(b))
        };
        // Of a large vocabulary only the top is put in order.
        if room < tokens.len() {
            tokens.select_nth_unstable_by(room, order);
            tokens.truncate(room);
        }
        tokens.sort_unstable();
        tokens
    }
}

/// Bars from zero, as far apart as the logits are: a logit of 0 has none.
struct Bars {
    low: f32,
    high: f32,
    /// Cells on either side of the axis.
    sides: (u16, u16),
}

impl Bars {
    fn new((low, high): (f32, f32), cells: u16) -> Self {
        let all = cells.saturating_sub(1);
        let share = if high > low { -low / (high - low) } else { 0.0 };
        let left = (share * f32::from(all)).round() as u16;
        Self { low, high, sides: (left, all - left) }
    }

    fn legend(&self) -> String {
        format!("{} to {}", signed(self.low), signed(self.high))
    }

    fn draw(&self, ink: &mut Ink<'_>, area: Rect, at: (u16, u16), value: f32) {
        if self.sides.0 + self.sides.1 > 0 {
            let share = |end: f32| if end > 0.0 { value / end } else { 0.0 };
            let shares = [share(-self.low), share(self.high)];
            ink.bar_from_zero(area, at, self.sides, shares, [Role::Negative, Role::Bar]);
        }
    }
}

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let position = app.position_in(probe);
    let logits = Logits::of(probe, position);
    let shown = logits.shown(usize::from(area.height.saturating_sub(2)));
    let which = if shown.len() < logits.before.len() { "highest logits" } else { "logits" };
    ink.rule(area, 0, &format!("{which} at position {position}"), "Label Output");
    let is_ablated = logits.after.is_some();
    let names = if is_ablated { "token  raw before   after  p after" } else { "token   raw logit       p" };
    ink.text(area, 1, 1, names, Role::Faint);
    let x = if is_ablated { AFTER } else { BEFORE } + PROBABILITY + 1;
    let bars = Bars::new(logits.range(), area.width.saturating_sub(x + 1));
    if x + width(&bars.legend()) + 2 < area.width {
        ink.text_right(area, area.width - 1, 1, &bars.legend(), Role::Faint);
    }
    for (y, token) in (2..).zip(shown) {
        row(ink, app, area, y, &logits, token);
        bars.draw(ink, area, (x, y), logits.current()[token]);
    }
}

fn row(ink: &mut Ink<'_>, app: &App, area: Rect, y: u16, logits: &Logits<'_>, token: usize) {
    let is_label = Some(token) == logits.label;
    let is_said = Some(token) == logits.prediction;
    let role = if is_said { Role::Strong } else { Role::Plain };
    ink.text_right(area, 6, y, &app.task().outputs().name(token as Class), role);
    // One letter each, for there is no room for words: the heading spells them.
    if is_label {
        ink.text(area, 7, y, "L", Role::Good);
    }
    if is_said {
        ink.text(area, 8, y, "O", if is_label || logits.label.is_none() { Role::Good } else { Role::Wrong });
    }
    ink.text_right(area, BEFORE, y, &signed(logits.before[token]), role);
    let end = logits.after.map_or(BEFORE, |after| {
        ink.text_right(area, AFTER, y, &signed(after[token]), role);
        AFTER
    });
    ink.text_right(area, end + PROBABILITY, y, &probability(logits.probabilities[token]), role);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_begin_at_zero_and_are_as_long_as_the_logits_on_both_sides() {
        let bars = Bars::new((-2.0, 6.0), 17);
        assert_eq!(bars.sides, (4, 12));
        assert_eq!(Bars::new((0.0, 6.0), 17).sides, (0, 16));
        assert_eq!(Bars::new((-6.0, 0.0), 17).sides, (16, 0));
        assert_eq!(Bars::new((0.0, 0.0), 0).sides, (0, 0));
    }
}
