//! The neurons in view of a list, and the column of their numbers.

use ratatui::layout::Rect;
use ratatui::text;

use super::columns::window;
use super::ink::{Ink, lines};
use super::table::Row;
use super::theme::Role;
use crate::app::App;
use crate::figure::Panel;
use crate::model::NeuronId;

#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) neuron: usize,
    pub(super) is_off: bool,
}

impl Line {
    pub(super) fn of(app: &App, neuron: usize) -> Self {
        let id = NeuronId { layer: app.cursor.layer, neuron };
        Self { neuron, is_off: app.ablation.off.neurons.contains(&id) }
    }
}

/// The rows that fit below a heading and its columns' names.
pub(super) fn in_view(app: &App, panel: &Panel, area: Rect) -> Vec<Line> {
    let room = usize::from(area.height.saturating_sub(2));
    let rows = window(selected(app, panel), panel.len(), room);
    rows.map(|at| Line::of(app, panel.entry(at))).collect()
}

fn selected(app: &App, panel: &Panel) -> usize {
    (0..panel.len()).find(|row| panel.entry(*row) == app.cursor.neuron).unwrap_or_default()
}

/// The neurons' numbers, each after its marks: cursor, switched off, picked.
pub(super) fn name_list(ink: &mut Ink<'_>, app: &App, shown: &[Line], area: Rect) {
    let row = |line: &Line| {
        let id = NeuronId { layer: app.cursor.layer, neuron: line.neuron };
        let is_selected = line.neuron == app.cursor.neuron;
        let [cursor, off] = ink.marks(is_selected, line.is_off);
        let picked = ink.span(if app.settings.picked.contains(&id) { " ◆" } else { "  " }, Role::Second);
        let role = if is_selected { Role::Cursor } else { Role::Plain };
        let marks = text::Line::from(vec![cursor, off, picked]);
        Row::new([marks, ink.right(line.neuron.to_string(), role)])
    };
    let rows: Vec<Row<'_>> = shown.iter().map(row).collect();
    ink.table(lines(area, 1, area.height), &[4, area.width.saturating_sub(5)], rows);
    ink.text_right(area, area.width, 0, "neuron", Role::Faint);
}
