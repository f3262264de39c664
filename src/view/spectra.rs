//! Spectra of weights and logits over the task's circle of tokens.

use std::ops::Range;

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, lines, part, width};
use super::number::{figure, percent};
use super::provenance_of;
use super::theme::Role;
use crate::app::App;
use crate::app::views::circuits::plots::spectra_of_parts;
use crate::figure::{Datum, Panel};
use crate::inquiry::spectra::PARTS;

/// Width of the names of parts.
const NAME: u16 = 8;

/// The frequencies on screen, and the columns of each.
struct Columns {
    shown: Range<usize>,
    cell: u16,
}

impl Columns {
    fn new(app: &App, count: usize, room: u16) -> Self {
        let cell = (room / u16::try_from(count).unwrap_or(u16::MAX).max(1)).clamp(1, 3);
        Self { shown: window(app.frequency() - 1, count, usize::from(room / cell)), cell }
    }

    fn width(&self) -> u16 {
        self.shown.len() as u16 * self.cell
    }
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let title = format!("spectra over {} tokens round the circle", app.cycle().map_or(0, |cycle| cycle.len));
    let Some((panel, (answer, _))) = spectra_of_parts(app).zip(app.studies.spectra()) else {
        return ink.without_numbers(area, &title, "computing");
    };
    ink.rule(area, 0, &title, &provenance_of(app, answer.step(), answer.form()));
    let count = panel.lead[1].len();
    let is_known = |part: &usize| panel.columns[0].at(&[*part, 0]) != Datum::Nothing;
    let parts: Vec<usize> = (0..PARTS.len()).filter(is_known).collect();
    let columns = Columns::new(app, count, area.width.saturating_sub(NAME));
    let below = parts.len() as u16 + 1;
    let each = (area.height.saturating_sub(below + 1) / parts.len().max(1) as u16).min(8);
    for (part, y) in parts.iter().zip((1..).step_by(usize::from(each.max(1)))) {
        bars(ink, app, &panel, *part, (&columns, lines(area, y, each)));
    }
    let below = lines(area, 1 + each * parts.len() as u16, below);
    ticks(ink, app, &columns, below);
    for (part, y) in parts.iter().zip(1..) {
        ink.text(below, 1, y, &under_cursor(app, &panel, *part), Role::Plain);
    }
}

/// Name, scale and key frequencies of a part above its bars.
fn bars(ink: &mut Ink<'_>, app: &App, panel: &Panel, of: usize, (columns, area): (&Columns, Rect)) {
    let count = panel.lead[1].len();
    let share = |at: usize| panel.columns[1].number(&[of, at]);
    // NaN stays NaN.
    let most = (0..count)
        .map(share)
        .fold(0.0, |most: f64, share| if share > most || share.is_nan() { share } else { most });
    let chance = panel.columns[2].number(&[of, 0]);
    let keys = (0..count).filter(|at| panel.columns[3].at(&[of, *at]) == Datum::Flag(true));
    let keys: Vec<String> = keys.map(|at| (at + 1).to_string()).collect();
    let keys = if keys.is_empty() { "none".into() } else { keys.join(" ") };
    let said = format!("to {}, chance {}; key: {keys}", percent(most), percent(chance));
    ink.text(area, 1, 0, PARTS[of], Role::Title);
    ink.text(area, NAME, 0, &said, Role::Faint);
    let [here, plain] = [Role::Second, Role::Bar].map(|role| ink.theme.style(role));
    let height = |at: usize| if most > 0.0 { (share(at) / most) as f32 } else { share(at) as f32 };
    let gap = usize::from(columns.cell > 1);
    let cells = columns.shown.clone().flat_map(|at| {
        let style = if at + 1 == app.frequency() { here } else { plain };
        let bar = std::iter::repeat_n((height(at), style), usize::from(columns.cell) - gap);
        bar.chain(std::iter::repeat_n((0.0, style), gap))
    });
    let cells: Vec<_> = cells.collect();
    ink.curve(part(area, NAME, 1, columns.width(), area.height), cells.into_iter());
}

/// Every tenth frequency, and that of the cursor.
fn ticks(ink: &mut Ink<'_>, app: &App, columns: &Columns, area: Rect) {
    ink.text(area, 1, 0, "freq.", Role::Faint);
    let x = |at: usize| NAME + (at - columns.shown.start) as u16 * columns.cell;
    let here = format!("↑{}", app.frequency());
    let from = x(app.frequency() - 1);
    for at in columns.shown.clone().filter(|at| (at + 1) % 10 == 0 || *at == 0) {
        let name = (at + 1).to_string();
        let is_clear = x(at) + width(&name) < from || x(at) > from + width(&here);
        if is_clear {
            ink.text(area, x(at), 0, &name, Role::Faint);
        }
    }
    ink.text(area, from, 0, &here, Role::Strong);
}

fn under_cursor(app: &App, panel: &Panel, of: usize) -> String {
    let at = [of, app.frequency() - 1];
    let [norm, share] = [0, 1].map(|column| panel.columns[column].number(&at));
    let key = if panel.columns[3].at(&at) == Datum::Flag(true) { ", key" } else { "" };
    format!(
        "{:6} at {}: norm {}, {} of the power{key}",
        PARTS[of],
        app.frequency(),
        figure(norm),
        percent(share)
    )
}
