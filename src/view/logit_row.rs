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
    let bars = if is_ablated { AFTER } else { BEFORE } + PROBABILITY + 1;
    let (low, high) = logits.range();
    let legend = format!("{} to {}", signed(low), signed(high));
    if bars + width(&legend) + 2 < area.width {
        ink.text_right(area, area.width - 1, 1, &legend, Role::Faint);
    }
    for (y, token) in (2..).zip(shown) {
        row(ink, app, area, y, &logits, token);
        let value = logits.current()[token];
        let filled = if high > low { (value - low) / (high - low) } else { 0.0 };
        ink.bar(area, bars, y, area.width.saturating_sub(bars + 1), filled, Role::Bar);
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
