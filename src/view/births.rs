//! View 1: when each class was learnt, and since when neurons track it.

use ratatui::layout::Rect;

use super::columns::{of_all, window};
use super::ink::{Ink, lines, tail, width};
use super::number::share;
use super::table::Row;
use super::theme::Role;
use crate::app::App;
use crate::app::births::panel;
use crate::figure::{Panel, State};

/// Width of a class.
const CLASS: u16 = 8;

/// Widths of two steps, a score and its chance level.
const NUMBERS: [u16; 4] = [9, 13, 7, 7];

const HEADING: [&str; 4] = ["learnt at", "tracked since", "score", "chance"];

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(panel) = panel(app) else {
        return ink.without_numbers(area, "classes in the order learnt", "computing");
    };
    let right = match panel.columns[0].figure.state {
        State::Done => String::new(),
        State::Partial(done, steps) => format!("{done} of {steps} snapshots"),
    };
    let room = usize::from(area.height.saturating_sub(2));
    let shown = window(app.curves.selected.min(panel.len() - 1), panel.len(), room);
    let all = of_all(&shown, panel.len());
    ink.rule(area, 0, &format!("classes in the order learnt{all}, by kept step"), &right);
    let head = |name: &str| ink.right(name.to_owned(), Role::Faint);
    let heading = [ink.left(" class", Role::Faint)].into_iter().chain(HEADING.map(head));
    let rows = shown.map(|row| self::row(ink, &panel, row));
    let rows: Vec<Row<'_>> = [Row::new(heading)].into_iter().chain(rows).collect();
    let widths: Vec<u16> = [CLASS].into_iter().chain(NUMBERS).collect();
    ink.table(lines(area, 1, area.height), &widths, rows);
    let text = "from there on: 1/2 right, or half of its final score";
    let used = widths.iter().map(|width| width + 1).sum::<u16>() + 1;
    if used + width(text) < area.width {
        ink.text(lines(area, 1, 1), used, 0, text, Role::Faint);
    }
}

fn row(ink: &Ink<'_>, panel: &Panel, row: usize) -> Row<'static> {
    let name = panel.lead[0].name(panel.entry(row)).to_string();
    let cells = (0..panel.columns.len()).map(|column| {
        let cell = panel.cell(column, row);
        let text = match (column, cell.number()) {
            (_, None) => "-".into(),
            (0 | 1, _) => cell.to_string(),
            (_, score) => share(score),
        };
        ink.right(text, if column == 0 { Role::Strong } else { Role::Plain })
    });
    Row::new([ink.left(format!(" {}", tail(&name, CLASS - 1)), Role::Plain)].into_iter().chain(cells))
}
