//! One line per head: entropy and divergence on this sequence, detection scores over the validation set.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::columns::{of_all, window};
use super::ink::{Ink, digits, lines};
use super::table::Row;
use super::theme::Role;
use crate::app::App;
use crate::app::views::attention::heads;
use crate::inquiry::Probe;
use crate::model::HeadId;
use crate::task::Split;

/// Column headings and widths: entropy, divergence from uniform, and the previous-token, duplicate-token, induction and
/// uniform scores.
const SHORT: [(&str, u16); 6] = [("H", 4), ("KL", 4), ("pre", 3), ("dup", 3), ("ind", 3), ("uni", 3)];
/// Longer headings for a wide panel.
const LONG: [(&str, u16); 6] = [("H", 4), ("KL", 6), ("prev", 5), ("dup", 5), ("ind", 5), ("unif", 5)];

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let study = app.studies.heads();
    let has_data = app.options.dataset.len(Split::Validation) > 0;
    let pending = || if has_data { "scores: computing".into() } else { String::new() };
    let over = study.map_or_else(pending, |(study, _)| format!("scores, {}", super::taken(app, study)));
    let columns = if area.width >= 40 { LONG } else { SHORT };
    let config = probe.config();
    let name = digits(config.n_layers.saturating_sub(1)) + 1 + digits(config.n_heads.saturating_sub(1));
    let widths: Vec<u16> = [2 + name].into_iter().chain(columns.map(|column| column.1)).collect();
    // `here` marks the columns of this sequence; the rule above names the sequences of the scores.
    let heading = [ink.left(" here", Role::Faint)].into_iter();
    let heading = Row::new(heading.chain(columns.map(|(name, _)| ink.right(name, Role::Faint))));
    let Some(panel) = heads(app) else { return ink.table(lines(area, 1, 1), &widths, [heading]) };
    let selected = app.cursor.layer * config.n_heads + app.cursor.head;
    let shown = window(selected, panel.len(), usize::from(area.height.saturating_sub(2)));
    ink.rule(area, 0, &format!("heads{}", of_all(&shown, panel.len())), &over);
    let rows = shown.map(|at| {
        let id = HeadId { layer: at / config.n_heads, head: at % config.n_heads };
        let is_edited = app.ablation.off.heads.contains(&id) || app.ablation.off.patterns.contains_key(&id);
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        let [cursor, off] = ink.marks(at == selected, is_edited);
        let name = Line::from(vec![cursor, off, ink.span(format!("{}.{}", id.layer, id.head), role)]);
        let numbers = panel.columns.iter().enumerate().map(|(column, cell)| {
            let value = cell.number(&[id.layer, id.head]) as f32;
            ink.right(if column < 2 { four(value) } else { short(value) }, Role::Plain)
        });
        Row::new([name].into_iter().chain(numbers))
    });
    let rows: Vec<Row<'_>> = [heading].into_iter().chain(rows).collect();
    ink.table(lines(area, 1, area.height), &widths, rows);
}

/// A number of nats in four columns: `3.88`, `.002`.
fn four(x: f32) -> String {
    match x.abs() {
        // Rounding errors can make the value slightly negative.
        size if size < 0.0005 => ".000".into(),
        size if size < 0.9995 => format!("{x:.3}").replacen("0.", ".", 1),
        _ => format!("{x:.2}"),
    }
}

/// A share in three columns: `.96`. Only exactly 1 is written `1`, only exactly 0 `.00`.
fn short(x: f32) -> String {
    match x {
        x if x.is_nan() => "NaN".into(),
        x if x >= 1.0 => "1".into(),
        x if x >= 0.995 => ".99".into(),
        x if x > 0.0 && x < 0.005 => "<1%".into(),
        x => format!("{x:.2}").trim_start_matches('0').into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_take_four_columns_and_nothing_has_no_sign() {
        assert_eq!(
            [3.876, 0.9997, 0.0021, -0.0, f32::NAN].map(four),
            ["3.88", "1.00", ".002", ".000", "NaN"]
        );
    }

    #[test]
    fn a_score_that_is_nearly_one_or_none_is_not_shown_as_such() {
        let scores = [0.0, 0.004, 0.006, 0.994, 0.995, 0.999_9, 1.0].map(short);
        assert_eq!(scores, [".00", "<1%", ".01", ".99", ".99", ".99", "1"]);
    }
}
