//! Logit lens after each sublayer: at this position, and over the validation set.

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width};
use super::number::{figure, percent, signed};
use super::table::Row;
use super::theme::Role;
use super::{provenance_of, target};
use crate::app::App;
use crate::app::views::logits::lens_of_stream;
use crate::figure::Datum;
use crate::inquiry::Probe;

/// Height of the panel: heading, column names, one line per place.
pub(super) fn height(app: &App) -> u16 {
    // Before each block, after its attention, and at the end.
    let model = &app.options.model;
    let places = model.n_layers * (1 + usize::from(model.has_mlp())) + 1;
    u16::try_from(places).unwrap_or(u16::MAX).saturating_add(2)
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let lens = app.lens_of(probe);
    let position = app.position_in(probe);
    let name = target::short(app, probe, position, 8);
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
    let heading = [format!("to {name}"), "output".into(), sequences, "acc".into()];
    let heading = heading.map(|name| ink.right(name, Role::Faint));
    let mut rows = vec![Row::new([ink.left(" read from", Role::Faint)].into_iter().chain(heading))];
    let label = probe.label(position).map(|label| Datum::class(app.task(), label));
    let cell =
        |name: &str, at: usize| panel.column(&[name]).map_or(Datum::Nothing, |column| column.at(&[at]));
    for row in 0..panel.len() {
        let value = cell("target", row).number().unwrap_or(f64::NAN);
        let role = if value.is_finite() { Role::Strong } else { Role::Wrong };
        let output = cell("prediction", row);
        let (text, said) = match &label {
            _ if output == Datum::Nothing => ("?".into(), Role::Wrong),
            None => (output.to_string(), Role::Plain),
            Some(label) if *label == output => (output.to_string(), Role::Good),
            Some(_) => (format!("!{output}"), Role::Wrong),
        };
        let of_data = |name, text: fn(f64) -> String| cell(name, row).number().map(text).unwrap_or_default();
        rows.push(Row::new([
            ink.left(format!(" {}", panel.lead[0].name(row)), Role::Plain),
            ink.right(signed(value as f32), role),
            ink.right(text, said),
            ink.right(of_data("validation_loss", figure), Role::Plain),
            ink.right(of_data("validation_accuracy", percent), Role::Plain),
        ]));
    }
    let names = (0..panel.len()).map(|row| width(&panel.lead[0].name(row).to_string())).max();
    // A wrong output has a mark before its name.
    let output = (app.task().outputs().width() as u16 + 1).clamp(7, 13);
    let widths = [1 + names.unwrap_or_default(), 11, output, 26, 6];
    ink.table(lines(area, 1, area.height), &widths, rows);
}
