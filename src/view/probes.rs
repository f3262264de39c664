//! Linear probes of the residual stream.

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width};
use super::number::percent;
use super::table::Row;
use super::taken;
use super::theme::Role;
use crate::app::App;
use crate::app::views::logits::probes;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let position = app.cursor.position;
    let of = app.studies.probing().map_or_else(String::new, |(answer, _)| taken(app, answer));
    ink.rule(area, 0, &format!("linear probes of the target at position {position}"), &of);
    let Some(panel) = probes(app) else {
        let why = match () {
            () if !app.can_probe() => "the sums that probes are fitted from would take too much memory",
            () if !app.has_data() => "probes are fitted on a data set: there is none",
            () => "computing, or no sequence has a target",
        };
        ink.text(area, 1, 1, why, Role::Faint);
        return;
    };
    let heading = ["accuracy", "random labels", "mean over positions", "random labels"];
    let heading = heading.map(|name| ink.right(name, Role::Faint));
    let mut rows = vec![Row::new([ink.left(" read from", Role::Faint)].into_iter().chain(heading))];
    for row in 0..panel.len() {
        let cell = |name: &str| {
            let share = panel.column(&[name]).and_then(|column| column.at(&[row]).number());
            let role = if name.starts_with("random") { Role::Faint } else { Role::Plain };
            ink.right(share.map(percent).unwrap_or_default(), role)
        };
        let name = ink.left(format!(" {}", panel.lead[0].name(row)), Role::Plain);
        let cells = ["accuracy_here", "random_here", "accuracy_mean", "random_mean"].map(cell);
        rows.push(Row::new([name].into_iter().chain(cells)));
    }
    let names = (0..panel.len()).map(|row| width(&panel.lead[0].name(row).to_string())).max();
    ink.table(lines(area, 1, area.height), &[1 + names.unwrap_or_default(), 10, 14, 20, 14], rows);
}
