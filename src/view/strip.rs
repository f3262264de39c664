//! The strip: tokens, labels and predictions of the sequence.

use ratatui::layout::Rect;

use super::columns::Columns;
use super::ink::{Ink, lines, width};
use super::theme::Role;
use crate::analysis::Pass;
use crate::app::App;
use crate::inquiry::Probe;
use crate::model::AttentionDirection;

/// Height of the strip: ruler, tokens, labels, predictions, and predictions with the ablation.
pub(super) fn height(app: &App) -> u16 {
    if has_diff(app) { 5 } else { 4 }
}

fn has_diff(app: &App) -> bool {
    app.settings.diff && !app.ablation.off.is_empty()
}

/// A cell of a line: text, style, and a mark on each side.
struct Cell {
    text: String,
    left: char,
    right: char,
    role: Role,
}

fn cell(text: String, role: Role) -> Cell {
    Cell { text, left: ' ', right: ' ', role }
}

/// Draws as many lines of the strip as fit.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let columns = Columns::new(app, area.width);
    ruler(ink, app, area, &columns);
    tokens(ink, app, area, &columns);
    let Some(probe) = app.probe.as_deref() else {
        ink.text(area, 1, 2, "label", Role::Faint);
        ink.text(area, 1, 3, "output    (nothing computed yet)", Role::Faint);
        return;
    };
    // With causal attention, predictions before the first changed token are still valid.
    let same = probe.tokens().iter().zip(app.tokens()).take_while(|(a, b)| a == b).count();
    let is_whole = same == probe.len() && same == app.tokens().len();
    let is_causal = app.options.model.attention_dir == AttentionDirection::Causal;
    let known = if is_causal || is_whole { same } else { 0 };
    row(ink, app, area, 2, "label", &columns, |position| {
        let label = probe.label(position).filter(|_| position < known);
        label.map(|label| cell(app.task().outputs().name(label), Role::Plain))
    });
    row(ink, app, area, 3, "output", &columns, |position| {
        (position < known).then(|| output(app, probe, position, &probe.clean))
    });
    if has_diff(app) {
        row(ink, app, area, 4, "ablated", &columns, |position| {
            (position < known).then(|| ablated(app, probe, position)).flatten()
        });
    }
}

fn output(app: &App, probe: &Probe, position: usize, pass: &Pass) -> Cell {
    // Logits with NaN have no largest one.
    let Some(prediction) = pass.predictions[position] else {
        return Cell { left: '!', ..cell("?".into(), Role::Wrong) };
    };
    let name = app.task().outputs().name(prediction);
    match probe.label(position) {
        // The position is not scored.
        None => cell(name, Role::Faint),
        Some(label) if label == prediction => cell(name, Role::Plain),
        Some(_) => Cell { left: '!', ..cell(name, Role::Wrong) },
    }
}

fn ablated(app: &App, probe: &Probe, position: usize) -> Option<Cell> {
    let pass = probe.ablated.as_ref()?;
    let plain = output(app, probe, position, pass);
    let changed = pass.predictions[position] != probe.clean.predictions[position];
    Some(if changed { Cell { left: '[', right: ']', role: Role::Changed, ..plain } } else { plain })
}

/// The sequence's name, and the number of every tenth position and of the cursor's position.
fn ruler(ink: &mut Ink<'_>, app: &App, area: Rect, columns: &Columns) {
    let name = match app.edit_state() {
        Some(edit) if edit.insert => "inserting".into(),
        Some(_) => "typing".into(),
        None => {
            let filter = app.filter.map_or(String::new(), |filter| format!(" {}", filter.words(app.task())));
            format!("{}{filter}", app.sequence.source)
        }
    };
    let free = ink.text(area, 1, 0, &name, Role::Title);
    let digits = columns.pitch - 1;
    let at = app.edit_state().map_or(app.cursor.position, |edit| edit.at);
    // Leave out numbers that would touch the cursor's.
    let is_clear = |position: usize| position.abs_diff(at) * usize::from(columns.pitch) > 5;
    for position in columns.shown.clone().filter(|position| position % 10 == 0 && is_clear(*position)) {
        let (number, end) = (position.to_string(), columns.x(position) + 1 + digits);
        if end > free + width(&number) {
            ink.text_right(area, end, 0, &number, Role::Faint);
        }
    }
    if columns.shown.contains(&at) {
        let (number, end) = (format!(" {at}"), columns.x(at) + 1 + digits);
        ink.text_right(area, end.max(free + width(&number)), 0, &number, Role::Strong);
    }
}

fn tokens(ink: &mut Ink<'_>, app: &App, area: Rect, columns: &Columns) {
    let tokens = app.tokens();
    row(ink, app, area, 1, "token", columns, |position| {
        let entry = app.edit_state().filter(|edit| edit.at == position);
        match (entry.filter(|edit| !edit.entry.is_empty()), tokens.get(position)) {
            (Some(edit), _) => {
                let (left, role) = if edit.is_refused() { ('!', Role::Wrong) } else { (' ', Role::Cursor) };
                Some(Cell { left, ..cell(edit.entry.clone(), role) })
            }
            (None, Some(&token)) => Some(cell(app.task().vocabulary().name(token), Role::Strong)),
            (None, None) => entry.map(|_| cell("_".into(), Role::Cursor)),
        }
    });
}

fn row(
    ink: &mut Ink<'_>,
    app: &App,
    area: Rect,
    y: u16,
    label: &str,
    columns: &Columns,
    of: impl Fn(usize) -> Option<Cell>,
) {
    ink.text(area, 1, y, label, Role::Faint);
    let cursor = app.edit_state().map_or(app.cursor.position, |edit| edit.at);
    let (open, close) = ink.brackets();
    let mut right = ' ';
    for position in columns.shown.clone() {
        let x = columns.x(position);
        let Some(cell) = of(position) else {
            ink.put(area, x, y, right, ink.theme.style(Role::Plain));
            right = ' ';
            continue;
        };
        let here = position == cursor;
        let left = match (cell.left, right) {
            (' ', ' ') if here => open,
            (' ', right) => right,
            (left, _) => left,
        };
        mark(ink, area, x, y, left);
        // Only some views have a key cursor.
        let key = app.view.room().has_key && position == app.cursor.key && app.edit_state().is_none();
        let over = match (here, key && y == 1) {
            (true, _) => Some(Role::Cursor),
            (false, true) => Some(Role::Changed),
            (false, false) => None,
        };
        digits(ink, lines(area, y, 1), x + 1, &cell, columns.pitch - 1, over);
        right = match cell.right {
            ' ' if here => close,
            right => right,
        };
        if position + 1 == columns.shown.end {
            ink.put(area, x + columns.pitch, y, right, ink.theme.style(Role::Strong));
        }
    }
}

/// Draws the mark between two cells.
fn mark(ink: &mut Ink<'_>, area: Rect, x: u16, y: u16, mark: char) {
    let (open, close) = ink.brackets();
    let role = match mark {
        '!' => Role::Wrong,
        '[' | ']' => Role::Changed,
        mark if mark == open || mark == close => Role::Strong,
        _ => Role::Plain,
    };
    ink.put(area, x, y, mark, ink.theme.style(role));
}

/// Draws a cell's text, right-aligned.
fn digits(ink: &mut Ink<'_>, line: Rect, x: u16, cell: &Cell, room: u16, over: Option<Role>) {
    let style = ink.theme.style(cell.role);
    let style = over.map_or(style, |over| style.patch(ink.theme.style(over)));
    let blanks = " ".repeat(room.saturating_sub(width(&cell.text)).into());
    ink.styled(line, x, 0, &(blanks + &cell.text), style);
}
