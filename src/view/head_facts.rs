//! Copying scores and singular values of the heads' circuits.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::columns::{of_all, window};
use super::ink::{Ink, lines};
use super::number::{figure, signed};
use super::table::Row;
use super::theme::Role;
use super::{head_pairs, provenance_of_circuits};
use crate::app::views::circuits::heads::{copying, singular_values};
use crate::app::{App, HeadFacts};
use crate::figure::Panel;
use crate::model::HeadId;

/// Lines about the head under the cursor, including the heading.
const HEAD: u16 = 4;

/// Preferred height.
pub(super) fn height(app: &App) -> u16 {
    let heads = app.options.model.n_layers * app.options.model.n_heads;
    let more = if app.circuits.facts == HeadFacts::Circuits { 1 } else { 3 };
    HEAD.saturating_add(if heads > 1 || more > 1 {
        u16::try_from(heads + more).unwrap_or(u16::MAX)
    } else {
        0
    })
}

/// A head's singular values from the column `name`.
fn values(panel: &Panel, name: &str, id: HeadId) -> Vec<f64> {
    let Some(column) = panel.column(&[name]) else { return Vec::new() };
    let ranks = 0..panel.lead[2].len();
    ranks.filter_map(|rank| column.at(&[id.layer, id.head, rank]).number()).collect()
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (Some(scores), Some(singular)) = (copying(app), singular_values(app)) else { return };
    let (id, c) = (app.cursor.head_id(), &app.options.model);
    let score = |id: HeadId| scores.columns[0].number(&[id.layer, id.head]);
    let [qk, ov] = ["qk", "ov"].map(|name| values(&singular, name, id));
    let mark = if app.ablation.off.heads.contains(&id) { "  ✕ off" } else { "" };
    ink.rule(area, 0, &format!("head {}.{}{mark}", id.layer, id.head), &provenance_of_circuits(app));
    let facts = [
        ("copying", copying_score(score(id), &ov, c.outputs() == c.d_vocab)),
        ("QK sing.", leading(&qk, area.width)),
        ("OV sing.", leading(&ov, area.width)),
    ];
    ink.facts(lines(area, 1, HEAD - 1), facts);
    match app.circuits.facts {
        HeadFacts::Circuits => {}
        HeadFacts::Copying => return head_pairs::copying(ink, app, lines(area, HEAD, area.height)),
        HeadFacts::Composition => return head_pairs::composition(ink, app, lines(area, HEAD, area.height)),
    }
    let heads: Vec<HeadId> = c.heads().collect();
    if heads.len() < 2 || area.height <= HEAD + 1 {
        return;
    }
    let selected = heads.iter().position(|other| *other == id).unwrap_or_default();
    let shown = window(selected, heads.len(), usize::from(area.height - HEAD - 1));
    ink.rule(area, HEAD, &format!("heads{}", of_all(&shown, heads.len())), "copying, QK, OV");
    let rows: Vec<Row<'_>> = shown
        .map(|at| {
            let id = heads[at];
            let role = if at == selected { Role::Cursor } else { Role::Plain };
            let name = ink.span(format!("{}.{}", id.layer, id.head), role);
            let [cursor, _] = ink.marks(at == selected, false);
            let [qk, ov] = [0, 1].map(|map| figure(singular.columns[map].number(&[id.layer, id.head, 0])));
            let copying = if c.outputs() == c.d_vocab { signed(score(id) as f32) } else { "none".into() };
            let numbers = [copying, qk, ov].map(|text| ink.right(text, Role::Plain));
            Row::new([Line::from(vec![" ".into(), cursor, name])].into_iter().chain(numbers))
        })
        .collect();
    let names = area.width.saturating_sub(2 + 3 * 8);
    ink.table(lines(area, HEAD + 1, area.height), &[names, 7, 7, 7], rows);
}

/// The copying score as text, or the reason why it is undefined.
fn copying_score(score: f64, singular: &[f64], is_of_tokens: bool) -> String {
    let is_finite = singular.iter().all(|x| x.is_finite()) && !singular.is_empty();
    match score.is_nan() && is_finite {
        true if is_of_tokens => "none: one eigenvalue".into(),
        true => "none: not of tokens".into(),
        false => format!("{} of -1 to 1", signed(score as f32)),
    }
}

/// As many leading singular values as fit.
fn leading(values: &[f64], width: u16) -> String {
    if values.is_empty() {
        return "NaN".into();
    }
    let room = usize::from(width.saturating_sub(11) / 7);
    let values: Vec<String> = values.iter().take(room).map(|x| figure(*x)).collect();
    values.join(" ")
}
