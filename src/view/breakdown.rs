//! Accuracy by class, by situation, or the most frequent wrong predictions.

use ratatui::layout::Rect;

use super::classes::{self, Line};
use super::ink::{Ink, lines, width};
use super::number::short;
use super::theme::Role;
use crate::analysis::evaluation::MOST_CONFUSED;
use crate::app::{App, Breakdown};
use crate::figure::Panel;
use crate::task::{Class, Vocabulary};

/// The panels of an evaluation: by situation, of wrong predictions and of kinds of predictions, if counted; with the names of their columns, one per
/// line.
pub(super) struct Panels<'a> {
    pub(super) situations: Option<Panel>,
    pub(super) confusion: Option<Panel>,
    pub(super) kinds: Option<Panel>,
    /// Names of lines, and what follows `accuracy` and `count` in the columns' names.
    pub(super) columns: &'a [(&'a str, &'a str)],
}

/// Draws what is chosen instead of accuracies by class. Returns false if that is accuracies by class.
pub(super) fn render(
    ink: &mut Ink<'_>,
    app: &App,
    area: Rect,
    panels: impl FnOnce() -> Panels<'static>,
) -> bool {
    match app.settings.breakdown {
        Breakdown::Class => return false,
        Breakdown::Situation => match panels() {
            Panels { situations: Some(panel), columns, .. } => situations(ink, area, &panel, columns),
            _ if app.task().situations().is_empty() => note(ink, area, "this task names no situations"),
            _ => note(ink, area, NOT_COUNTED),
        },
        Breakdown::Answers => match panels() {
            Panels { kinds: Some(panel), columns, .. } => kinds(ink, app, area, &panel, columns),
            _ if app.task().facts().answers.is_none() => note(ink, area, "this task sorts no predictions"),
            _ => note(ink, area, NOT_COUNTED),
        },
        Breakdown::Confusion => match panels() {
            Panels { confusion: Some(panel), columns, .. } => confusions(ink, app, area, &panel, columns),
            _ if app.task().outputs().len() > MOST_CONFUSED => {
                note(ink, area, &format!("for at most {MOST_CONFUSED} classes"));
            }
            _ => note(ink, area, NOT_COUNTED),
        },
    }
    true
}

/// Files of metrics hold no counts by situation.
const NOT_COUNTED: &str = "not counted for this validation";

fn note(ink: &mut Ink<'_>, area: Rect, text: &str) {
    ink.text(area, 1, 0, text, Role::Faint);
}

fn situations(ink: &mut Ink<'_>, area: Rect, panel: &Panel, columns: &[(&str, &str)]) {
    let names = (0..panel.len()).map(|at| panel.lead[0].name(at).to_string()).collect();
    let names = Vocabulary::Names(names);
    let values: Vec<Vec<Option<f64>>> =
        columns.iter().map(|(_, suffix)| panel.values(&format!("accuracy{suffix}"))).collect();
    let known = |values: &&Vec<Option<f64>>| values.iter().any(Option::is_some);
    let shown: Vec<Line<'_>> = columns
        .iter()
        .zip(&values)
        .filter(|(_, values)| known(values))
        .map(|((name, _), values)| (*name, &values[..]))
        .collect();
    classes::render(ink, area, &names, &shown, 0);
    ink.text(area, 1, 0, "where", Role::Faint);
    let Some((_, suffix)) = columns.last() else { return };
    let errors = panel.values(&format!("errors{suffix}"));
    let all: f64 = errors.iter().flatten().sum();
    let targets = panel.values("targets");
    let of = |at: usize, values: &[Option<f64>]| values.get(at).copied().flatten().unwrap_or(0.0);
    let seen: f64 = targets.iter().flatten().sum();
    // The share of the errors beside the share of the targets, where there is room for a line more.
    let shares: Vec<Option<f64>> =
        (0..panel.len()).map(|at| (all > 0.0).then(|| of(at, &errors) / all)).collect();
    let expected: Vec<Option<f64>> =
        (0..panel.len()).map(|at| (seen > 0.0).then(|| of(at, &targets) / seen)).collect();
    let below = lines(area, 1 + shown.len() as u16, area.height);
    if below.height > 0 && shown.len() == 1 {
        classes::render_line(ink, below, 0, &names, ("errors", &shares));
        if seen > 0.0 && below.height > 1 {
            classes::render_line(ink, below, 1, &names, ("targets", &expected));
        }
    }
}

/// The share of each kind among the predictions at the positions in question.
fn kinds(ink: &mut Ink<'_>, app: &App, area: Rect, panel: &Panel, columns: &[(&str, &str)]) {
    let Some(kinds) = app.task().facts().answers else { return };
    let names = Vocabulary::Names(kinds.values.iter().map(|&name| name.to_owned()).collect());
    let shares = |suffix: &str| -> Vec<Option<f64>> {
        let counts = panel.values(&format!("count{suffix}"));
        let all: f64 = counts.iter().flatten().sum();
        counts.into_iter().map(|count| count.map(|count| count / all)).collect()
    };
    let shares: Vec<_> = columns.iter().map(|(_, suffix)| shares(suffix)).collect();
    let known = |(_, values): &(_, &Vec<Option<f64>>)| values.iter().any(Option::is_some);
    let shown = columns.iter().zip(&shares).filter(known);
    // Of predictions without edits, not all of these shares are of right ones.
    let name = |name| if name == "right" { "share" } else { name };
    let shown: Vec<Line<'_>> = shown.map(|((named, _), values)| (name(*named), &values[..])).collect();
    classes::render(ink, area, &names, &shown, 0);
    ink.text(area, 1, 0, kinds.name, Role::Faint);
}

fn confusions(ink: &mut Ink<'_>, app: &App, area: Rect, panel: &Panel, columns: &[(&str, &str)]) {
    let outputs = app.task().outputs();
    let counts: Vec<Vec<Option<f64>>> =
        columns.iter().map(|(_, suffix)| panel.values(&format!("count{suffix}"))).collect();
    let arrow = ink.arrow().trim().to_owned();
    let text = |row: usize| {
        let at = panel.entry(row);
        let [target, predicted] =
            [at / outputs.len(), at % outputs.len()].map(|class| outputs.name(class as Class));
        let counts: Vec<String> =
            counts.iter().filter_map(|values| values.get(row).copied().flatten()).map(short).collect();
        format!("{target} as {predicted}: {}", counts.join(&arrow))
    };
    if panel.is_empty() {
        return note(ink, area, "nothing is predicted wrongly");
    }
    let texts: Vec<String> = (0..panel.len().min(200)).map(text).collect();
    let column = texts.iter().map(|text| width(text)).max().unwrap_or(0) + 3;
    let each = (area.width.saturating_sub(2) / column).max(1);
    ink.text(
        area,
        1,
        0,
        &format!("{} kinds of wrong predictions, target as prediction", panel.len()),
        Role::Faint,
    );
    for (at, text) in (0..).zip(&texts) {
        let (x, y) = (1 + at % each * column, 1 + at / each);
        if y < area.height {
            ink.text(area, x, y, text, Role::Plain);
        }
    }
}
