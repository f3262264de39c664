//! The neurons of a layer by what each costs alone.

use ratatui::layout::{Constraint, Layout, Rect};

use super::ink::{Ink, lines, tail};
use super::neuron_lines::{in_view, name_list};
use super::number::{signed_figure, signed_fraction};
use super::table::{Row, table_width};
use super::theme::Role;
use crate::analysis::SingleSums;
use crate::app::App;
use crate::app::views::neurons::ablations;
use crate::figure::{Column, Panel};

/// Widths of the numbers: two of loss, two of accuracy, and the favoured class.
const WIDTHS: [u16; 5] = [9, 9, 7, 7, 7];

const HEADING: [&str; 5] = ["loss zero", "loss mean", "acc.", "mean", "favours"];

/// `neurons` is the list in the order of the screen.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, neurons: &Panel, area: Rect) {
    let study = app.studies.single_neurons(app.cursor.layer);
    let right = study.map_or_else(String::new, |(answer, _)| super::taken(app, answer));
    let title = format!("layer {}: each neuron alone ablated, change of", app.cursor.layer);
    ink.rule(area, 0, &title, &right);
    let Some(panel) = ablations(app) else {
        let text = match (app.has_data(), SingleSums::fits(&app.options.model)) {
            (false, _) => "there is no validation set",
            (_, false) => "too many classes",
            _ => "computing",
        };
        ink.text(area, 2, 1, text, Role::Faint);
        return;
    };
    let shown = in_view(app, neurons, area);
    let columns = ["loss_zero", "loss_mean", "accuracy_zero", "accuracy_mean"];
    let [zero, mean, accuracy, accuracy_mean] = columns.map(|name| panel.column(&[name]));
    let favours = neurons.column(&["favours"]);
    let parts = Layout::horizontal([
        Constraint::Length(10),
        Constraint::Min(0),
        Constraint::Length(table_width(&WIDTHS)),
    ]);
    let body = Rect { width: area.width.saturating_sub(2), ..lines(area, 1, area.height) };
    let [names, bars, numbers] = body.layout(&parts.spacing(1));
    name_list(ink, app, &shown, names);
    let of = |column: Option<&Column>, neuron: usize| column.and_then(|column| column.at(&[neuron]).number());
    let heading = Row::new(HEADING.map(|name| ink.right(name, Role::Faint)));
    let row = |neuron: usize| {
        let loss = |column| of(column, neuron).map_or_else(|| "-".into(), signed_figure);
        let share = |column| of(column, neuron).map_or_else(|| "-".into(), |x| signed_fraction(x as f32));
        let favours = favours.map_or_else(String::new, |column| column.at(&[neuron]).to_string());
        let texts =
            [loss(zero), loss(mean), share(accuracy), share(accuracy_mean), tail(&favours, 7).into_owned()];
        Row::new(texts.map(|text| ink.right(text, Role::Plain)))
    };
    let rows: Vec<Row<'_>> = [heading].into_iter().chain(shown.iter().map(|line| row(line.neuron))).collect();
    ink.table(numbers, &WIDTHS, rows);
    let largest = (0..panel.len()).filter_map(|at| of(zero, at)).fold(0.0, |a: f64, x| a.max(x.abs()));
    for (area, line) in lines(bars, 1, bars.height).rows().zip(&shown) {
        let Some(loss) = of(zero, line.neuron).filter(|loss| largest > 0.0 && loss.is_finite()) else {
            continue;
        };
        let role = if loss < 0.0 { Role::Negative } else { Role::Bar };
        ink.bar(area, (loss.abs() / largest) as f32, role);
    }
}
