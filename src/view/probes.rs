//! Linear probes of the residual stream.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::ink::{Ink, lines, tail, width};
use super::number::percent;
use super::table::Row;
use super::taken;
use super::theme::Role;
use crate::analysis::probing::Reads;
use crate::app::App;
use crate::app::views::logits::{feature_probes, probes};
use crate::task::Feature;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let position = app.cursor.position;
    let of = provenance(app, Some(Reads::Target));
    ink.rule(area, 0, &format!("linear probes of the target at position {position}"), &of);
    let Some(panel) = probes(app) else { return without(ink, app, area) };
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

/// The sequences that probes were tested on, and the step.
fn provenance(app: &App, reads: Option<Reads>) -> String {
    let study = reads.and_then(|reads| app.studies.probing(reads));
    study.map_or_else(String::new, |(answer, _)| taken(app, answer))
}

/// Why there are no numbers.
fn without(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let why = match () {
        () if !app.can_probe() => "the sums that probes are fitted from would take too much memory",
        () if !app.has_data() => "probes are fitted on a data set: there is none",
        () => "computing, or no sequence has a target",
    };
    ink.text(area, 1, 1, why, Role::Faint);
}

/// Width of a place's short name, and of a feature's two numbers.
const WIDTHS: [u16; 2] = [8, 9];

/// Draws R² of each feature of the target's class, and of its random values.
pub(super) fn of_features(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let position = app.cursor.position;
    let of = provenance(app, app.target_token().map(Reads::Features));
    let class = app.target_token().map(|class| app.task().outputs().name(class)).unwrap_or_default();
    let title = format!("probes of features of {} at {position}: R², random", tail(&class, 8));
    ink.rule(area, 0, &title, &of);
    let Some(panel) = feature_probes(app) else { return without(ink, app, area) };
    let features = app.task().features();
    let heading = features.iter().map(|feature| ink.right(feature.short, Role::Faint));
    let mut rows = vec![Row::new([ink.left(" stream", Role::Faint)].into_iter().chain(heading))];
    for row in 0..panel.len() {
        let place = panel.lead[0].name(row).to_string().replace("blocks.", "").replace(".hook_resid_", " ");
        let cell = |feature: &Feature| {
            let of = |suffix: &str| {
                let column = panel.column(&[&format!("{}{suffix}", feature.key)])?;
                column.at(&[row]).number()
            };
            let text = |value: Option<f64>| format!("{:>4}", value.map(hundredths).unwrap_or_default());
            let [own, random] = [(of(""), Role::Plain), (of("_random"), Role::Faint)]
                .map(|(value, role)| ink.span(text(value), role));
            Line::from(vec![own, " ".into(), random])
        };
        let name = ink.left(format!(" {place}"), Role::Plain);
        rows.push(Row::new([name].into_iter().chain(features.iter().map(cell))));
    }
    let widths: Vec<u16> = [WIDTHS[0]].into_iter().chain(features.iter().map(|_| WIDTHS[1])).collect();
    ink.table(lines(area, 1, area.height), &widths, rows);
}

/// R² in at most four columns.
fn hundredths(x: f64) -> String {
    match x {
        x if x.is_nan() => "NaN".into(),
        x if x < -0.995 => "<-1".into(),
        x if x > 0.995 => "1.0".into(),
        x => format!("{x:.2}").replacen("0.", ".", 1),
    }
}
