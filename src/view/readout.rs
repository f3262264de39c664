//! Beside the attention map: the cell, its query and the heads in numbers.

use ratatui::layout::Rect;

use super::head_list;
use super::ink::{Ink, digits, lines, part, width};
use super::measure::Measure;
use super::number::figure;
use super::theme::Role;
use super::widgets::{Dot, Dots};
use crate::app::{App, AttentionScale};
use crate::inquiry::Probe;
use crate::model::PatternKind;

/// Lines about the cell and its query.
const CELL: u16 = 8;

/// Where the values stand.
const VALUE: u16 = 11;

/// Lines below which a ranking of keys says little: a heading, and two keys.
const KEYS: u16 = 3;

/// Draws the readout.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    cell(ink, app, probe, measure, lines(area, 0, CELL));
    let config = probe.config();
    let heads = (config.n_layers * config.n_heads) as u16;
    let below = area.height.saturating_sub(CELL);
    // The list of heads gets what it needs; of many heads the ranking of keys leaves at least half.
    let most = (below / 2).max(below.saturating_sub(KEYS));
    let heads_height = (heads + 2).min(most);
    // Headings alone say nothing.
    let heads_height = if heads_height < 3 { 0 } else { heads_height };
    strongest(ink, app, probe, measure, lines(area, CELL, below - heads_height));
    head_list::render(ink, app, probe, lines(area, area.height - heads_height, heads_height));
}

fn cell(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let query = app.position_in(probe).min(measure.len - 1);
    let key = app.cursor.key.min(query);
    let pass = probe.current();
    let (layer, head) = (app.cursor.layer, app.cursor.head);
    let summary = &pass.heads[layer * probe.config().n_heads + head];
    let a = measure.attention(query, key);
    let uniform = 1.0 / (query + 1) as f32;
    let title = if measure.is_mean { "this cell of the mean" } else { "this cell" };
    ink.rule(area, 0, &format!("{title}{}", state(app)), "");
    // A mean is over sequences with other tokens.
    let token = |at: usize| {
        if measure.is_mean { String::new() } else { format!(" (token {})", probe.tokens()[at]) }
    };
    pair(ink, area, 1, "query", &format!("{query}{}", token(query)));
    pair(ink, area, 2, "key", &format!("{key}{}", token(key)));
    let number = |x: f32| figure(f64::from(x));
    // An entropy leaves out what is not a number, and so would look like one.
    let broken = measure.row(query).iter().any(|p| p.is_nan());
    let of_query = |x: f32| if broken { "NaN".into() } else { number(x) };
    pair(ink, area, 3, "attention", &number(a));
    pair(ink, area, 4, "uniform │", &format!("{}  {:.2} x", number(uniform), a / uniform));
    let norm = summary.value_norms[key];
    let weighed = if measure.is_mean {
        "of no sequence".into()
    } else {
        fitting(area, &[format!("{} = A x {}", number(a * norm), number(norm)), number(a * norm)])
    };
    pair(ink, area, 5, "A|vW_O|", &weighed);
    let most = ((query + 1) as f32).ln();
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
    pair(ink, area, 6, "entropy", &fitting(area, &entropies));
    pair(ink, area, 7, "KL unif.", &format!("{} nats", of_query(kl)));
}

/// What was done to the head.
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

/// The first of some texts that fits beside a name; the last in any case.
fn fitting(area: Rect, texts: &[String]) -> String {
    let fits = |text: &&String| VALUE + width(text) <= area.width;
    texts.iter().find(fits).or(texts.last()).cloned().unwrap_or_default()
}

fn pair(ink: &mut Ink<'_>, area: Rect, y: u16, name: &str, value: &str) {
    ink.text(area, 1, y, name, Role::Faint);
    ink.text(area, VALUE, y, value, Role::Plain);
}

fn strongest(ink: &mut Ink<'_>, app: &App, probe: &Probe, measure: &Measure<'_>, area: Rect) {
    let query = app.position_in(probe).min(measure.len - 1);
    let key_of_cursor = app.cursor.key.min(query);
    let by = match measure.scale {
        AttentionScale::Raw => "attention",
        AttentionScale::RelativeToUniform => "x uniform",
        AttentionScale::InfoWeighted => "A|vW_O|",
    };
    let uniform = match measure.scale {
        AttentionScale::Raw => Some(1.0 / (query + 1) as f32),
        AttentionScale::RelativeToUniform => Some(1.0),
        // Weighted by values, attention has no chance level.
        AttentionScale::InfoWeighted => None,
    };
    ink.rule(area, 0, &format!("strongest keys, {by}"), "");
    let mut keys: Vec<(usize, f32)> = (0..=query).map(|key| (key, measure.value(query, key))).collect();
    keys.sort_by(|a, b| b.1.total_cmp(&a.1));
    let finite = keys.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
    let largest = finite.fold(f32::MIN_POSITIVE, f32::max);
    // Room for the longest key, the longest token in brackets, and the longest figure.
    let key_end = digits(query).max(4) + 1;
    let value_end = key_end + digits(probe.config().d_vocab.saturating_sub(1)).max(3) + 3 + 8;
    for (y, (key, value)) in (1..area.height).zip(keys) {
        let role = if key == key_of_cursor { Role::Cursor } else { Role::Plain };
        ink.text_right(area, key_end, y, &key.to_string(), role);
        if !measure.is_mean {
            ink.text(area, key_end + 1, y, &format!("({})", probe.tokens()[key]), Role::Faint);
        }
        ink.text_right(area, value_end, y, &figure(f64::from(value)), role);
        let plot = part(area, value_end + 1, y, area.width.saturating_sub(value_end + 2), 1);
        let dot = |value: f32, mark, role| Dot { value: value.into(), mark, style: ink.theme.style(role) };
        let dots = [dot(uniform.unwrap_or(f32::NAN), '│', Role::Faint), dot(value, '●', Role::Bar)];
        ink.draw(&Dots { low: 0.0, high: largest.into(), marks: &dots }, plot);
    }
}
