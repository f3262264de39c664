//! Loss and accuracy before and after the ablation: this sequence, the validation set, and random sets of the same size.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::ink::{Ink, lines, width};
use super::number::{figure, percent};
use super::table::Row;
use super::theme::Role;
use super::widgets::{Dot, Dots};
use crate::analysis::Controls;
use crate::app::App;
use crate::app::views::edits::{effect, effect_here};
use crate::figure::Panel;
use crate::inquiry::{AblationReport, Answer};

/// Height of the panel: heading, loss, accuracy, and the line of losses.
pub(super) const HEIGHT: u16 = 4;

/// Column widths: names, this sequence, the validation set; random sets take the rest.
const WIDTHS: [u16; 3] = [9, 19, 19];

/// Draws the table, and the losses as marks on the line below.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let here = effect_here(app).map(|panel| change(ink, &panel, "")).unwrap_or_default();
    let known = app.ablation_figures().zip(effect(app));
    let (over, validation, controls) = match &known {
        Some(((_, report), panel)) => {
            let over = format!("validation ({})", report.before.sequences);
            (
                over,
                change(ink, panel, if report.after.is_some() { "no target" } else { "computing" }),
                random_sets(ink, app, report),
            )
        }
        None => (
            "validation set".into(),
            [Line::from(ink.span("computing", Role::Faint)), Line::default()],
            Default::default(),
        ),
    };
    let faint = |text: &str| Line::from(ink.span(text.to_owned(), Role::Faint));
    let names = ["", " loss", " accuracy"].map(faint);
    let columns = [names, with(faint("this sequence"), here), with(faint(&over), validation), controls];
    let rest = area.width.saturating_sub(WIDTHS.iter().sum::<u16>() + 3);
    let rows: Vec<Row<'_>> =
        (0..3).map(|row| Row::new(columns.iter().map(move |column| column[row].clone()))).collect();
    ink.table(lines(area, 0, 3), &[WIDTHS[0], WIDTHS[1], WIDTHS[2], rest], rows);
    if let Some(((answer, report), panel)) = known {
        losses(ink, app, (answer, report), &panel, lines(area, 3, 1));
    }
}

fn with<'a>(heading: Line<'a>, [loss, accuracy]: [Line<'a>; 2]) -> [Line<'a>; 3] {
    [heading, loss, accuracy]
}

/// Loss and accuracy, clean and edited; `pending` stands for an unknown number.
fn change(ink: &Ink<'_>, panel: &Panel, pending: &str) -> [Line<'static>; 2] {
    [("loss", figure as fn(f64) -> String), ("accuracy", percent)].map(|(name, text)| {
        let values = panel.values(name);
        let text =
            |edits: usize| values.get(edits).copied().flatten().map_or_else(|| pending.to_owned(), text);
        let [before, arrow, after] =
            [(text(0), Role::Plain), (ink.arrow().to_owned(), Role::Faint), (text(1), Role::Strong)]
                .map(|(text, role)| ink.span(text, role));
        Line::from(vec![before, arrow, after])
    })
}

/// Heading, then mean and standard deviation of loss and accuracy over the random sets.
fn random_sets(ink: &Ink<'_>, app: &App, report: &AblationReport) -> [Line<'static>; 3] {
    let line = |text: String, role| Line::from(ink.span(text, role));
    let Some(controls) = &report.controls else {
        let text = match (app.ablation.off.neurons.is_empty(), &report.after) {
            (true, _) => "random sets: neurons only",
            (false, None) => "",
            (false, Some(_)) => "too few for random sets",
        };
        return with(line(text.into(), Role::Faint), Default::default());
    };
    let Controls { planned, losses, pool, .. } = controls;
    let off = &app.ablation.off;
    let others_are_on = off.heads.is_empty() && off.patterns.is_empty();
    let title = match (losses.len() < *planned, others_are_on) {
        (true, true) => format!("{}/{planned} sets of {}", losses.len(), pool.words()),
        (true, false) => format!("{}/{planned} sets, heads off", losses.len()),
        (false, true) => format!("{planned} sets of {}", pool.words()),
        (false, false) => format!("{planned} sets, {}, heads off", pool.words()),
    };
    let ratio = controls.activity_ratio().map_or(String::new(), |ratio| format!(", activity x{ratio:.2}"));
    let worst = controls.worst_loss().map(figure).unwrap_or_default();
    let of = |text: fn(f64) -> String| {
        move |(mean, deviation): (f64, f64)| format!("{} sd {}", text(mean), text(deviation))
    };
    let loss = controls.loss().map(of(figure)).map(|text| format!("{text} max {worst}"));
    let rank = report.after.as_ref().and_then(|after| controls.percentile(after.loss));
    let rank = rank.map_or(String::new(), |rank| format!(" pct {rank:.0}"));
    let accuracy = controls.accuracy().map(of(percent)).map(|text| format!("{text}{rank}"));
    let [loss, accuracy] = [loss, accuracy].map(|text| line(text.unwrap_or_default(), Role::Plain));
    with(line(title + &ratio, Role::Faint), [loss, accuracy])
}

/// Validation losses as marks on one line: before, after, and each random set. Names the step if it is not the step in
/// view.
fn losses(
    ink: &mut Ink<'_>,
    app: &App,
    (answer, report): (&Answer, &AblationReport),
    panel: &Panel,
    area: Rect,
) {
    let random = report.controls.iter().flat_map(|controls| &controls.losses);
    let random = random.map(|loss| (*loss, '·', Role::Plain));
    let ends = panel.values("loss").into_iter().zip([('○', Role::Bar), ('●', Role::Second)]);
    let ends = ends.filter_map(|(loss, (mark, role))| Some((loss?, mark, role)));
    let marks: Vec<Dot> = random
        .chain(ends)
        .map(|(value, mark, role)| Dot { value, mark, style: ink.theme.style(role) })
        .collect();
    let current = app.timeline.current().map(|current| current.step);
    let is_stale = !app.is_without_step() && current != Some(answer.step());
    let legend = if is_stale {
        let form = answer.form().words();
        ink.span(format!(" step {}, {form}: Enter refreshes", answer.step()), Role::Warning)
    } else {
        ink.span(" loss ○ before ● after · random", Role::Faint)
    };
    let finite = || marks.iter().map(|dot| dot.value).filter(|loss| loss.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let numbers = if low < high { [figure(low), figure(high)] } else { Default::default() };
    let widths = [width(&legend.content), width(&numbers[0]), 0, width(&numbers[1])];
    let widths = widths.map(|width| if width == 0 { Constraint::Min(0) } else { Constraint::Length(width) });
    let [words, left, plot, right] = area.layout(&Layout::horizontal(widths).spacing(1));
    ink.draw(legend, words);
    if low < high && plot.width > 10 {
        let [low_text, high_text] = numbers.map(|number| ink.span(number, Role::Faint));
        ink.draw(low_text, left);
        ink.draw(high_text, right);
        ink.draw(&Dots { low, high, marks: &marks }, plot);
    }
}
