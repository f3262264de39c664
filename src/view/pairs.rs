//! A neuron over all pairs of operands, and its spectrum.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, lines, part};
use super::map_axes::Frame;
use super::number::{percent, short};
use super::theme::Role;
use super::widgets::{Heat, Scale};
use crate::app::App;
use crate::app::views::neurons::inputs::{best_frequencies, neuron_pairs, neuron_spectrum, one_frequency};
use crate::figure::Panel;

/// Width of the row labels.
const AXIS: u16 = 5;

/// Lines below the map: legend, frequency of this neuron, of all neurons, and the spectrum.
const BELOW: u16 = 4;

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let title = format!("neuron {}, last position: a (JK), b (←→)", app.cursor.neuron);
    let Some((panel, (answer, _))) = neuron_pairs(app).zip(app.studies.spectra()) else {
        return ink.without_numbers(area, &title, "computing");
    };
    let inputs = format!("{} inputs{}", panel.len(), super::at_another(app, answer.step()));
    ink.rule(area, 0, &title, &inputs);
    let rows = u16::try_from(panel.lead[0].len().div_ceil(ink.theme.map_rows(1))).unwrap_or(u16::MAX);
    let map_height = area.height.saturating_sub(BELOW + 2).min(rows);
    let largest = map(ink, app, &panel, (area, map_height));
    let below = lines(area, map_height + 2, BELOW);
    let x = ink.heat_legend(below, AXIS, 0, largest);
    ink.text(below, x + 2, 0, "hook_post", Role::Faint);
    ink.text(below, 1, 1, &of_neuron(app), Role::Plain);
    ink.text(below, 1, 2, &of_layer(app), Role::Faint);
    spectrum(ink, app, lines(below, 3, 1));
}

/// Draws the map around the operands of the sequence on screen; returns the end of the scale.
fn map(ink: &mut Ink<'_>, app: &App, panel: &Panel, (area, height): (Rect, u16)) -> f32 {
    let column = &panel.columns[0];
    let value = |a: usize, b: usize| column.number(&[a, b]) as f32;
    let plot = part(area, AXIS, 2, area.width, height);
    let (len, here) = (panel.lead[0].len(), app.operands());
    let [a, b] = here.unwrap_or_default();
    let cell = if len * 2 <= usize::from(plot.width) { 2 } else { 1 };
    let rows = window(a, len, ink.theme.map_rows(plot.height));
    let cols = window(b, len, usize::from(plot.width / cell));
    let cells = (0..len).flat_map(|a| (0..len).map(move |b| (a, b)));
    let sizes = cells.map(|(a, b)| value(a, b).abs()).filter(|size| size.is_finite());
    let largest = sizes.fold(f32::MIN_POSITIVE, f32::max);
    ink.col_ticks((area, AXIS), "a \\ b", &cols, (1, cell), b);
    ink.row_ticks(part(area, 0, 2, AXIS, height), rows.clone(), (1, a));
    let frame = Frame { rows, cols, cell, cursor: here.map(|_| (a, b)) };
    ink.heat_map(plot, frame, Scale::Diverging, |a, b| Heat::signed(value(a, b), largest));
    largest
}

/// The frequency that explains the neuron best.
fn of_neuron(app: &App) -> String {
    let here = [app.cursor.neuron];
    let Some(panel) = best_frequencies(app) else { return String::new() };
    let [frequency, share, shuffled] = [0, 1, 2].map(|column| panel.columns[column].at(&here).number());
    match (frequency, share.zip(shuffled)) {
        (Some(frequency), Some((share, shuffled))) => {
            format!("frequency {frequency}: {} of variance, shuffled {}", percent(share), percent(shuffled))
        }
        _ => "the same at every pair".into(),
    }
}

fn of_layer(app: &App) -> String {
    let Some(panel) = one_frequency(app) else { return String::new() };
    let [live, share] = [0, 1].map(|column| panel.columns[column].at(&[app.cursor.layer]).number());
    let all = app.options.model.d_mlp;
    let share =
        share.map_or_else(String::new, |share| format!(", {} at one frequency (85 %)", percent(share)));
    format!("{} of {all} vary{share}", short(live.unwrap_or_default()))
}

/// The share of each frequency as bars.
fn spectrum(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(panel) = neuron_spectrum(app) else { return };
    let shares = panel.numbers(0);
    let most = shares.iter().copied().filter(|share| share.is_finite()).fold(0.0, f64::max);
    let x = ink.text(area, 1, 0, "1 ", Role::Faint);
    let style = ink.theme.style(Role::Bar);
    let bars = shares.iter().map(|share| (if most > 0.0 { (share / most) as f32 } else { 0.0 }, style));
    let bars: Vec<_> = bars.collect();
    let end = format!(" {}, to {} of variance", shares.len(), percent(most));
    let room = area.width.saturating_sub(x).min(shares.len() as u16);
    ink.curve(part(area, x, 0, room, 1), bars.into_iter());
    ink.text(area, x + room, 0, &end, Role::Faint);
}
