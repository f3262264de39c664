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

/// A column: its heading where room is short, its heading else, its width then, and the panel's column.
type Shown = (&'static str, &'static str, u16, &'static str, Option<&'static str>);

/// Entropy, divergence from uniform, the previous-token, duplicate-token, induction and uniform scores, and the previous-token
/// and induction scores on random tokens repeated; with each score's chance level.
const COLUMNS: [Shown; 8] = [
    ("H", "H", 4, "mean_entropy_this_sequence", None),
    ("KL", "KL", 6, "mean_kl_from_uniform_this_sequence", None),
    ("pre", "prev", 5, "previous_score", Some("previous_chance")),
    ("dup", "dup", 5, "duplicate_score", Some("duplicate_chance")),
    ("ind", "ind", 5, "induction_score", Some("induction_chance")),
    ("uni", "unif", 5, "uniform_score", None),
    ("", "prevR", 5, "previous_repeated", Some("previous_repeated_chance")),
    ("", "indR", 5, "induction_repeated", Some("induction_repeated_chance")),
];

/// Columns that fit beside a map at 80 columns, and those without random tokens.
const SHORT: usize = 6;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let study = app.studies.heads();
    let has_data = app.options.dataset.len(Split::Validation) > 0;
    let pending = || if has_data { "scores: computing".into() } else { String::new() };
    let over = study.map_or_else(pending, |(study, _)| format!("scores, {}", super::taken(app, study)));
    let config = probe.config();
    let name = digits(config.n_layers.saturating_sub(1)) + 1 + digits(config.n_heads.saturating_sub(1));
    let name = 2 + name;
    let all_width = name + COLUMNS.iter().map(|column| column.2 + 1).sum::<u16>();
    let columns = if area.width > all_width { &COLUMNS[..] } else { &COLUMNS[..SHORT] };
    let is_narrow = area.width < 40;
    let narrow = |at: usize| if at < 2 { 4 } else { 3 };
    let width = |(at, column): (usize, &Shown)| if is_narrow { narrow(at) } else { column.2 };
    let widths: Vec<u16> = [name].into_iter().chain(columns.iter().enumerate().map(width)).collect();
    // `here` marks the columns of this sequence; the rule above names the sequences of the scores.
    let title = |column: &Shown| ink.right(if is_narrow { column.0 } else { column.1 }, Role::Faint);
    let heading = Row::new([ink.left(" here", Role::Faint)].into_iter().chain(columns.iter().map(title)));
    let Some(panel) = heads(app) else { return ink.table(lines(area, 1, 1), &widths, [heading]) };
    let selected = app.cursor.layer * config.n_heads + app.cursor.head;
    let room = usize::from(area.height.saturating_sub(2));
    // The scores of flat attention, the chance levels, take the last line, if a head remains beside them.
    let has_chance = study.is_some() && room > 1;
    let shown = window(selected, panel.len(), room - usize::from(has_chance));
    ink.rule(area, 0, &format!("heads{}", of_all(&shown, panel.len())), &over);
    let rows = shown.map(|at| {
        let id = HeadId { layer: at / config.n_heads, head: at % config.n_heads };
        let is_edited = app.ablation.off.heads.contains(&id) || app.ablation.off.patterns.contains_key(&id);
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        let [cursor, off] = ink.marks(at == selected, is_edited);
        let name = Line::from(vec![cursor, off, ink.span(format!("{}.{}", id.layer, id.head), role)]);
        let numbers = columns.iter().enumerate().map(|(column, (.., named, _))| {
            let value = panel.column(&[named]).map(|cell| cell.number(&[id.layer, id.head]) as f32);
            let text = value.map(|value| if column < 2 { four(value) } else { short(value) });
            ink.right(text.unwrap_or_default(), Role::Plain)
        });
        Row::new([name].into_iter().chain(numbers))
    });
    let chance = |named: Option<&'static str>| {
        let value = named.and_then(|named| panel.column(&[named])).map(|cell| cell.number(&[0, 0]) as f32);
        ink.right(value.map(short).unwrap_or_default(), Role::Faint)
    };
    let chances = columns.iter().map(|(.., named)| chance(*named));
    let chances = Row::new([ink.left(" flat", Role::Faint)].into_iter().chain(chances));
    let rows: Vec<Row<'_>> = [heading].into_iter().chain(rows).chain(has_chance.then_some(chances)).collect();
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

/// A share in three columns: `.96`. Only 1, but for rounding, is written `1`, only exactly 0 `.00`.
fn short(x: f32) -> String {
    match x {
        x if x.is_nan() => "NaN".into(),
        // Sums of attention round by a few units in the last place.
        x if x >= 1.0 - 1e-5 => "1".into(),
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
        let scores = [0.0, 0.004, 0.006, 0.994, 0.995, 0.999_9, 0.999_999].map(short);
        assert_eq!(scores, [".00", "<1%", ".01", ".99", ".99", ".99", "1"]);
    }
}
