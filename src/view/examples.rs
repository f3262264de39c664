//! The positions of the validation set where a neuron is most or least active.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::columns::{of_all, window};
use super::ink::{Ink, lines};
use super::number::figure;
use super::table::{Row, table_width};
use super::theme::Role;
use crate::app::App;
use crate::app::views::neurons::inputs::top_examples;
use crate::figure::Panel;
use crate::task::{Split, Token};

/// Most tokens shown on either side of an example.
const AROUND: usize = 4;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let end = ["highest", "lowest"][app.settings.end as usize];
    let title = format!("neuron {}, {end} by sequence (JK, L)", app.cursor.neuron);
    let known = top_examples(app).zip(app.studies.examples(app.cursor.neuron_id(), app.settings.hook));
    let Some((panel, (answer, _))) = known else {
        return ink.without_numbers(area, &title, "computing");
    };
    let here = app.example_here();
    let shown = window(here.unwrap_or_default(), panel.len(), usize::from(area.height.saturating_sub(3)));
    let of = of_all(&shown, panel.len());
    ink.rule(area, 0, &format!("{title}{of}"), &super::taken(app, answer));
    if panel.is_empty() {
        return ink.without_numbers(area, &title, "no number at any position");
    }
    let names =
        [app.task().vocabulary(), app.task().outputs()].map(|names| (names.width() as u16).clamp(5, 12));
    let mut widths = vec![1, 9, 5, 4, names[0], names[1], names[1]];
    widths.push(area.width.saturating_sub(table_width(&widths) + 1));
    let heading = ["", app.settings.hook.name(), "seq.", "pos.", "token", "label", "pred."];
    let heading = heading.map(|name| ink.right(name, Role::Faint));
    let [mean, deviation] = [6, 7].map(|column| panel.columns[column].number(&[0]));
    let spread = format!("all scored positions: mean {}, sd {}", figure(mean), figure(deviation));
    ink.text(area, 2, 1, &spread, Role::Faint);
    let heading = Row::new(heading);
    let rows = shown.map(|rank| row(ink, app, &panel, rank, here == Some(rank)));
    let rows: Vec<_> = [heading].into_iter().chain(rows).collect();
    ink.table(lines(area, 2, area.height), &widths, rows);
}

fn row<'t>(ink: &Ink<'_>, app: &App, panel: &Panel, rank: usize, is_here: bool) -> Row<'t> {
    let role = if is_here { Role::Strong } else { Role::Plain };
    let [mark, _] = ink.marks(is_here, false);
    let text = |column: usize| panel.columns[column].at(&[rank]).to_string();
    let value = figure(panel.columns[0].number(&[rank]));
    let [target, prediction] = [text(4), text(5)];
    let is_wrong = !target.is_empty() && prediction != target;
    let of_prediction = if is_wrong { Role::Wrong } else { role };
    let prediction = if is_wrong { format!("!{prediction}") } else { prediction };
    let cells = [value, text(1), text(2), text(3), target].map(|cell| ink.right(cell, role));
    let cells = [Line::from(mark)].into_iter().chain(cells);
    let around = ink.left(around(app, panel, rank), Role::Faint);
    Row::new(cells.chain([ink.right(prediction, of_prediction), around]))
}

/// The tokens around an example, which is in brackets.
fn around(app: &App, panel: &Panel, rank: usize) -> String {
    let [sequence, position] = [1, 2].map(|column| panel.columns[column].number(&[rank]) as usize);
    let tokens = app.options.dataset.example(Split::Validation, sequence).tokens();
    let name = |(at, token): (usize, &Token)| {
        let name = app.task().vocabulary().name(*token);
        if at == position { format!("[{name}]") } else { name }
    };
    let first = position.saturating_sub(AROUND);
    let shown = tokens.iter().enumerate().take(position + AROUND + 1).skip(first).map(name);
    let mark = |is_cut: bool| if is_cut { "…" } else { "" };
    let shown: Vec<String> = shown.collect();
    format!(" {}{}{}", mark(first > 0), shown.join(" "), mark(position + AROUND + 1 < tokens.len()))
}
