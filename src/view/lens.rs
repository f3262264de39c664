//! What the stream would answer after each sublayer: at this position, and over the validation set.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::number::{figure, percent, signed};
use super::theme::Role;
use super::{provenance_of, target};
use crate::app::App;
use crate::app::views::logits::lens_of_stream;
use crate::figure::Datum;
use crate::inquiry::Probe;

/// Columns at which the numbers end: to the target, output, loss, accuracy.
const ENDS: [u16; 4] = [36, 43, 71, 78];

/// Lines it takes: a heading, the names of the columns, a line a place.
pub(super) fn height(app: &App) -> u16 {
    // Before each block, after its attention, and at the end.
    let model = &app.options.model;
    let places = model.n_layers * (1 + usize::from(model.has_mlp())) + 1;
    u16::try_from(places).unwrap_or(u16::MAX).saturating_add(2)
}

/// Draws the panel.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let lens = app.lens_of(probe);
    let position = app.position_in(probe);
    let name = target::short(app, probe, position, 20);
    let of = lens.map_or(probe.subject.step(), |(answer, _)| answer.step());
    let of = provenance_of(app, of, probe.subject.form);
    ink.rule(area, 0, &format!("logit lens at position {position}"), &format!("centred, {of}"));
    let Some(panel) = lens_of_stream(app) else {
        ink.text(area, 1, 1, "computing", Role::Faint);
        return;
    };
    let study = app.studies.lens();
    let sequences =
        study.map_or_else(String::new, |(study, _)| format!("all on, {} loss", super::taken(app, study)));
    let [to, says, loss, accuracy] = ENDS;
    ink.text(area, 1, 1, "read from", Role::Faint);
    ink.text_right(area, to, 1, &format!("to {name}"), Role::Faint);
    ink.text_right(area, says, 1, "output", Role::Faint);
    ink.text_right(area, loss, 1, &sequences, Role::Faint);
    ink.text_right(area, accuracy, 1, "acc", Role::Faint);
    let label = probe.label(position).map(|label| Datum::class(app.task(), label));
    let cell =
        |name: &str, at: usize| panel.column(&[name]).map_or(Datum::Nothing, |column| column.at(&[at]));
    for (y, row) in (2..area.height).zip(0..panel.len()) {
        ink.text(area, 1, y, &panel.lead[0].name(row).to_string(), Role::Plain);
        let value = cell("target", row).number().unwrap_or(f64::NAN);
        let role = if value.is_finite() { Role::Strong } else { Role::Wrong };
        ink.text_right(area, to, y, &signed(value as f32), role);
        let output = cell("prediction", row);
        let (text, role) = match &label {
            _ if output == Datum::Nothing => ("?".into(), Role::Wrong),
            None => (output.to_string(), Role::Plain),
            Some(label) if *label == output => (output.to_string(), Role::Good),
            Some(_) => (format!("!{output}"), Role::Wrong),
        };
        ink.text_right(area, says, y, &text, role);
        for (name, end, text) in [
            ("validation_loss", loss, figure as fn(f64) -> String),
            ("validation_accuracy", accuracy, percent),
        ] {
            if let Some(value) = cell(name, row).number() {
                ink.text_right(area, end, y, &text(value), Role::Plain);
            }
        }
    }
}
