//! Copying scores beside those of permuted tokens, and the composition of the head under the cursor with each other head.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::columns::{of_all, window};
use super::ink::{Ink, lines};
use super::number::{figure, signed};
use super::table::Row;
use super::theme::Role;
use crate::analysis::composition::INTO;
use crate::app::App;
use crate::app::views::circuits::heads::{
    compositions, copying as scores, eigenvalues, permuted, random_composition,
};
use crate::model::HeadId;

/// A heading with one line per head below, of which `row` gives the numbers.
fn list(
    ink: &mut Ink<'_>,
    (title, right): (&str, &str),
    (heads, selected): (&[HeadId], usize),
    area: Rect,
    row: impl Fn(HeadId) -> [String; 3],
) {
    let shown = window(selected, heads.len(), usize::from(area.height.saturating_sub(1)));
    ink.rule(area, 0, &format!("{title}{}", of_all(&shown, heads.len())), right);
    let rows: Vec<Row<'_>> = shown
        .map(|at| {
            let role = if at == selected { Role::Cursor } else { Role::Plain };
            let name = ink.span(format!("{}.{}", heads[at].layer, heads[at].head), role);
            let [cursor, _] = ink.marks(at == selected, false);
            let numbers = row(heads[at]).map(|text| ink.right(text, Role::Plain));
            Row::new([Line::from(vec![" ".into(), cursor, name])].into_iter().chain(numbers))
        })
        .collect();
    let names = area.width.saturating_sub(2 + 3 * 8);
    ink.table(lines(area, 1, area.height), &[names, 7, 7, 7], rows);
}

/// `+1.20`, or `-0.31+0.4i`.
fn complex([re, im]: [f64; 2]) -> String {
    let re = signed(re as f32);
    if im == 0.0 { re } else { format!("{re}{}i", signed(im as f32)) }
}

pub(super) fn copying(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (Some(scores), Some(null)) = (scores(app), permuted(app)) else {
        let text = if app.studies.copying().is_some() { "no head has a copying score" } else { "computing" };
        ink.text(area, 1, 0, text, Role::Faint);
        return;
    };
    let id = app.cursor.head_id();
    if let Some(panel) = eigenvalues(app) {
        let value = |rank: usize| {
            let of =
                |name: &str| panel.column(&[name]).map(|column| column.number(&[id.layer, id.head, rank]));
            Some([of("re")?, of("im")?]).filter(|[re, _]| !re.is_nan()).map(complex)
        };
        let ranks = panel.lead[2].len();
        let texts: Vec<String> = (0..ranks).filter_map(value).collect();
        ink.text(area, 1, 0, &format!("eigenv.   {}", texts.join(" ")), Role::Plain);
    }
    let heads: Vec<HeadId> = app.options.model.heads().collect();
    let selected = heads.iter().position(|other| *other == id).unwrap_or_default();
    let number = |name: &str, id: HeadId| {
        null.column(&[name]).map_or(f64::NAN, |column| column.number(&[id.layer, id.head]))
    };
    let right = "score, permuted, pct";
    list(ink, ("copying", right), (&heads, selected), lines(area, 1, area.height), |id| {
        let score = scores.columns[0].number(&[id.layer, id.head]);
        let percentile = number("percentile", id);
        [signed(score as f32), signed(number("mean", id) as f32), format!("{percentile:.0}")]
    });
}

pub(super) fn composition(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (Some(pairs), Some(random)) = (compositions(app), random_composition(app)) else {
        ink.text(area, 1, 0, "computing", Role::Faint);
        return;
    };
    let (id, c) = (app.cursor.head_id(), &app.options.model);
    if let [mean, low, high] = random.numbers(0)[..] {
        let [mean, low, high] = [mean, low, high].map(figure);
        ink.text(area, 1, 0, &format!("random {mean} ({low} to {high})"), Role::Faint);
    }
    let heads: Vec<HeadId> = c.heads().filter(|other| other.layer != id.layer).collect();
    let flat = |id: HeadId| id.layer * c.n_heads + id.head;
    let title = format!("composition with {}.{}", id.layer, id.head);
    list(ink, (&title, &INTO.join(", ")), (&heads, usize::MAX), lines(area, 1, area.height), |other| {
        let pair = if other.layer < id.layer { [flat(other), flat(id)] } else { [flat(id), flat(other)] };
        [0, 1, 2].map(|part| figure(pairs.columns[part].number(&pair)))
    });
}
