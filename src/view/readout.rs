//! The panel beside the attention map: the cell under the cursor, its query, and the heads in numbers.

use ratatui::layout::{Constraint, Layout, Rect};

use super::ink::{Ink, digits, lines, width};
use super::measure::Measure;
use super::number::figure;
use super::table::{Row, VALUE, table_width};
use super::theme::Role;
use super::widgets::{Dot, Dots};
use super::{head_list, target};
use crate::app::{App, AttentionScale};
use crate::inquiry::Probe;
use crate::model::PatternKind;

/// Height of the facts about the cell and its query.
const CELL: u16 = 8;

/// Least useful height of the ranking of keys: a heading and two keys.
const KEYS: u16 = 3;

/// Most columns of a token's name in the ranking of keys.
const NAME: u16 = 10;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    cell(ink, app, probe, measure, lines(area, 0, CELL));
    let config = probe.config();
    let heads = (config.n_layers * config.n_heads) as u16;
    let below = area.height.saturating_sub(CELL);
    // The head list gets the height it needs, up to all but `KEYS` lines.
    let most = (below / 2).max(below.saturating_sub(KEYS));
    // Heading, columns, heads, and the chance levels.
    let heads_height = (heads + 3).min(most);
    // A head list of headings alone is useless.
    let heads_height = if heads_height < 3 { 0 } else { heads_height };
    strongest(ink, app, probe, measure, lines(area, CELL, below - heads_height));
    head_list::render(ink, app, probe, lines(area, area.height - heads_height, heads_height));
}

fn cell(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let query = app.position_in(probe).min(measure.len - 1);
    let key = measure.clamped(query, app.cursor.key);
    let pass = probe.current();
    let (layer, head) = (app.cursor.layer, app.cursor.head);
    let summary = &pass.heads[layer * probe.config().n_heads + head];
    let a = measure.attention(query, key);
    let uniform = 1.0 / measure.keys_seen(query);
    let title = if measure.is_mean { "this cell of the mean" } else { "this cell" };
    ink.rule(area, 0, &format!("{title}{}", state(app)), "");
    let names = app.task().vocabulary();
    // A mean pattern is over sequences with different tokens.
    let token = |at: usize| {
        if measure.is_mean { String::new() } else { format!(" (token {})", names.name(probe.tokens()[at])) }
    };
    let number = |x: f32| figure(f64::from(x));
    // The entropy skips NaN and would look valid.
    let broken = measure.row(query).iter().any(|p| p.is_nan());
    let of_query = |x: f32| if broken { "NaN".into() } else { number(x) };
    let norm = summary.value_norms[key];
    let weighed = if measure.is_mean {
        "of no sequence".into()
    } else {
        fitting(area, &[format!("{} = A x {}", number(a * norm), number(norm)), number(a * norm)])
    };
    let most = measure.keys_seen(query).ln();
    let (entropy, kl) = if measure.is_mean {
        let entropy = entropy_of(measure.row(query));
        (entropy, (most - entropy).max(0.0))
    } else {
        (summary.entropy[query], summary.kl_from_uniform[query])
    };
    let (entropy_of_query, most_of_all) = (of_query(entropy), number(most));
    let entropies = [
        format!("{entropy_of_query} of {most_of_all} nats"),
        format!("{entropy_of_query} of {most_of_all}"),
        entropy_of_query,
    ];
    let facts = [
        ("query", format!("{query}{}", token(query))),
        ("key", format!("{key}{}", token(key))),
        ("attention", number(a)),
        ("uniform │", format!("{}  {:.2} x", number(uniform), a / uniform)),
        ("A|vW_O|", weighed),
        ("entropy", fitting(area, &entropies)),
        ("KL unif.", format!("{} nats", of_query(kl))),
    ];
    ink.facts(lines(area, 1, CELL - 1), facts);
}

/// The edit of the cursor's head, in words.
fn state(app: &App) -> &'static str {
    let (off, id) = (&app.ablation.off, app.cursor.head_id());
    match (off.heads.contains(&id), off.patterns.get(&id)) {
        (true, _) => "  ✕ head is off",
        (false, Some(PatternKind::Uniform)) => "  ✕ made uniform",
        (false, Some(PatternKind::Identity)) => "  ✕ made identity",
        (false, Some(PatternKind::Previous)) => "  ✕ made previous",
        (false, None) => "",
    }
}

fn entropy_of(pattern: &[f32]) -> f32 {
    -pattern.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f32>()
}

/// The first text that fits beside a name, or the last one.
fn fitting(area: Rect, texts: &[String]) -> String {
    let fits = |text: &&String| VALUE + width(text) <= area.width;
    texts.iter().find(fits).or(texts.last()).cloned().unwrap_or_default()
}

fn strongest(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let query = app.position_in(probe).min(measure.len - 1);
    let key_of_cursor = measure.clamped(query, app.cursor.key);
    let by = match measure.scale {
        AttentionScale::Raw => "attention",
        AttentionScale::RelativeToUniform => "x uniform",
        AttentionScale::InfoWeighted => "A|vW_O|",
        AttentionScale::Contribution => &format!("to {}", target::short(app, probe, query, 12)),
    };
    let uniform = match measure.scale {
        AttentionScale::Raw => Some(1.0 / measure.keys_seen(query)),
        AttentionScale::RelativeToUniform => Some(1.0),
        // Attention weighted by what is written has no chance level.
        AttentionScale::InfoWeighted | AttentionScale::Contribution => None,
    };
    ink.rule(area, 0, &format!("strongest keys, {by}"), "");
    let seen = (0..measure.len).filter(|key| measure.sees(query, *key));
    let mut keys: Vec<(usize, f32)> = seen.map(|key| (key, measure.value(query, key))).collect();
    keys.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let finite = keys.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
    let (least, largest) = finite
        .fold((0.0_f32, f32::MIN_POSITIVE), |(least, most), value: f32| (least.min(value), most.max(value)));
    // Widths of the longest key, the longest token in brackets, and the longest figure.
    let names = app.task().vocabulary();
    let token = (names.width() as u16).clamp(3, NAME) + 2;
    let widths = [digits(measure.len - 1).max(4) + 1, token, 8];
    let table = Constraint::Length(table_width(&widths) + 1);
    let columns = Layout::horizontal([table, Constraint::Min(0), Constraint::Length(1)]);
    let [table, plot, _] = lines(area, 1, area.height).layout(&columns);
    keys.truncate(table.height.into());
    let rows: Vec<Row<'_>> = keys
        .iter()
        .map(|&(key, value)| {
            let role = if key == key_of_cursor { Role::Cursor } else { Role::Plain };
            let token = if measure.is_mean {
                String::new()
            } else {
                format!("({})", names.name(probe.tokens()[key]))
            };
            Row::new([
                ink.right(key.to_string(), role),
                ink.left(token, Role::Faint),
                ink.right(figure(f64::from(value)), role),
            ])
        })
        .collect();
    ink.table(table, &widths, rows);
    for (line, (_, value)) in plot.rows().zip(keys) {
        let dot = |value: f32, mark, role| Dot { value: value.into(), mark, style: ink.theme.style(role) };
        let marks = [dot(uniform.unwrap_or(f32::NAN), '│', Role::Faint), dot(value, '●', Role::Bar)];
        ink.draw(&Dots { low: least.into(), high: largest.into(), marks: &marks }, line);
    }
}
