//! Dose-response: loss and accuracy with the edited heads and neurons at each dose, beside random sets.

use ratatui::layout::{Constraint, Layout, Rect};

use super::ink::{Ink, lines};
use super::number::{figure, percent};
use super::table::{Row, table_width};
use super::theme::Role;
use super::widgets::{Dot, Dots};
use crate::analysis::dose::Doses;
use crate::app::App;
use crate::app::views::edits::dose_response;
use crate::figure::{Column, Panel};

/// Widths of the numbers: the dose, two of the edits, two of the random sets.
const WIDTHS: [u16; 5] = [11, 8, 8, 8, 8];

/// Draws the table, with accuracies as marks from 0 to 1 in each row.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, doses: Doses, area: Rect) {
    let Some((panel, (answer, report))) = dose_response(app).zip(app.dose_figures()) else {
        let why = if app.has_data() { "computing" } else { "there is no validation set" };
        return ink.without_numbers(area, "dose-response", why);
    };
    let (edited, random) = (of(&panel, "edited"), of(&panel, "random"));
    let sets = match random.len() / 2 {
        0 if app.ablation.off.neurons.is_empty() => "random sets: neurons only".into(),
        0 => "no random set".into(),
        sets => format!("{} of {}", super::number::count(sets, "random set"), report.pool.words()),
    };
    ink.rule(area, 0, &format!("dose-response, {sets}"), &super::taken(app, answer));
    let parts = Layout::horizontal([Constraint::Length(table_width(&WIDTHS)), Constraint::Min(0)]);
    let [numbers, plot] = lines(area, 1, area.height.saturating_sub(1)).layout(&parts.spacing(2));
    let heading = ["values", "loss", "accuracy", "rnd loss", "rnd acc."];
    let heading = Row::new(heading.map(|name| ink.right(name, Role::Faint)));
    let row = |at: usize| {
        let dose = format!("{} {}", doses.word(), panel.lead[0].name(at));
        let mean = |columns: &[&Column]| {
            let values: Vec<f64> = columns.iter().filter_map(|column| column.at(&[at]).number()).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let [loss, accuracy] =
            [true, false].map(|is_loss| [&edited, &random].map(|of| mean(&part(of, is_loss))));
        let text = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| "-".into(), text);
        Row::new([
            ink.right(dose, Role::Faint),
            ink.right(text(loss[0], figure), Role::Strong),
            ink.right(text(accuracy[0], percent), Role::Strong),
            ink.right(text(loss[1], figure), Role::Plain),
            ink.right(text(accuracy[1], percent), Role::Plain),
        ])
    };
    let rows: Vec<Row<'_>> = [heading].into_iter().chain((0..panel.len()).map(row)).collect();
    ink.table(numbers, &WIDTHS, rows);
    let legend = "acc. ○ clean ● edited · random";
    ink.text(plot, 0, 0, legend, Role::Faint);
    let clean = of(&panel, "clean");
    let marks = [(&random, '·', Role::Plain), (&clean, '○', Role::Bar), (&edited, '●', Role::Second)];
    for (at, line) in lines(plot, 1, plot.height).rows().enumerate().take(panel.len()) {
        let dots = marks.iter().flat_map(|(columns, mark, role)| {
            let values = part(columns, false).into_iter().filter_map(move |column| column.at(&[at]).number());
            let style = ink.theme.style(*role);
            values.map(move |value| Dot { value, mark: *mark, style })
        });
        let dots: Vec<Dot> = dots.collect();
        ink.draw(&Dots { low: 0.0, high: 1.0, marks: &dots }, line);
    }
}

/// The columns of clean, edited or random sets.
fn of<'a>(panel: &'a Panel, set: &str) -> Vec<&'a Column> {
    panel.columns.iter().filter(|column| column.name.split('_').nth(1) == Some(set)).collect()
}

/// The losses, or the accuracies.
fn part<'a>(columns: &[&'a Column], is_loss: bool) -> Vec<&'a Column> {
    columns.iter().copied().filter(|column| column.name.starts_with("loss") == is_loss).collect()
}
