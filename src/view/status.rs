//! The status line: state of the run. The banner: failures.

use std::borrow::Cow;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, LineGauge, Padding, Paragraph};

use super::ink::{Ink, part, tail, width, wrap};
use super::number::{figure, percent};
use super::theme::Role;
use crate::app::{App, Mode};
use crate::train::RunState;

/// A piece of the line; if room is short, the piece with the highest rank is dropped first.
struct Piece<'a> {
    rank: u8,
    spans: Vec<Span<'a>>,
}

/// A value after its label.
fn piece<'a>(
    ink: &Ink<'_>,
    rank: u8,
    label: &'static str,
    value: impl Into<Cow<'a, str>>,
    role: Role,
) -> Piece<'a> {
    let label = (!label.is_empty()).then(|| ink.span(format!("{label} "), Role::Faint));
    Piece { rank, spans: label.into_iter().chain([ink.span(value, role)]).collect() }
}

/// The state as a word: colour alone must not carry it.
fn state(app: &App) -> (&'static str, Role) {
    match app.trainer.state {
        None => ("starting", Role::Warning),
        Some(RunState::Running) if app.trainer.silent.is_some() => ("no answer", Role::Warning),
        Some(RunState::Running) => ("training", Role::Good),
        Some(RunState::Paused) => ("PAUSED", Role::Warning),
        Some(RunState::Finished) => ("finished", Role::Good),
        Some(RunState::Stopped) => ("stopped", Role::Warning),
        Some(RunState::Failed) => ("FAILED", Role::Wrong),
    }
}

fn number_role(x: f64) -> Role {
    if x.is_finite() { Role::Strong } else { Role::Wrong }
}

/// Two units at most: `42s`, `3m20s`, `2h05m`, `4d03h`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// Used and total memory of a GPU.
pub(super) fn memory(app: &App) -> Option<String> {
    let gibibytes = |bytes: usize| bytes as f64 / f64::from(1 << 30);
    let (used, total) = app.trainer.memory?;
    Some(format!("{:.1}/{:.0} GiB", gibibytes(used), gibibytes(total)))
}

fn pieces<'a>(ink: &Ink<'_>, app: &'a App) -> Vec<Piece<'a>> {
    let piece = |rank, label, value: Cow<'a, str>, role| piece(ink, rank, label, value, role);
    let mut pieces = vec![piece(0, "", app.options.title.as_str().into(), Role::Title)];
    let trainer = &app.trainer;
    if let Mode::Exploring { weights } = &app.options.mode {
        pieces.push(piece(0, "exploring", weights.as_str().into(), Role::Strong));
    } else {
        let (word, role) = state(app);
        pieces.push(piece(0, "", word.into(), role));
    }
    if let Some(total) = trainer.total() {
        pieces.push(piece(1, "", format!("{}/{total}", trainer.step).into(), Role::Strong));
        pieces.push(Piece { rank: 3, spans: Vec::new() });
    }
    if trainer.plan.is_some() {
        pieces.push(piece(6, "epoch", trainer.epoch.to_string().into(), Role::Plain));
    }
    if let Some((_, loss)) = app.history.train_loss.last {
        pieces.push(piece(2, "loss", figure(loss).into(), number_role(loss)));
    }
    if let Some(validation) = &app.history.validation {
        let validation = &validation.validation;
        pieces.push(piece(2, "val", figure(validation.loss).into(), number_role(validation.loss)));
        pieces.push(piece(2, "acc", percent(validation.accuracy).into(), Role::Strong));
    }
    // Of another program's run the validation loss alone is known.
    if let (None, Some((_, loss))) = (&app.history.validation, app.history.validation_loss.last) {
        pieces.push(piece(2, "val", figure(loss).into(), number_role(loss)));
    }
    if let Some(silent) = trainer.silent.filter(|_| trainer.state == Some(RunState::Running)) {
        pieces.push(piece(1, "", format!("silent {silent:.0}s").into(), Role::Warning));
    } else if let Some(rate) = trainer.rate {
        pieces.push(piece(4, "", format!("{rate:.1}/s").into(), Role::Plain));
        let left = trainer.total().map_or(0, |total| total.saturating_sub(trainer.step));
        if left > 0 && rate > 0.0 && trainer.state == Some(RunState::Running) {
            pieces.push(piece(3, "eta", duration(left as f64 / rate).into(), Role::Plain));
        }
    }
    if let Some(plan) = &trainer.plan {
        // On narrow screens only the GPU's number fits; view 1 then has its name and memory.
        let (device, name) = plan.device.split_once(' ').unwrap_or((&plan.device, ""));
        pieces.push(piece(if name.is_empty() { 5 } else { 4 }, "", device.into(), Role::Faint));
        pieces.extend((!name.is_empty()).then(|| piece(5, "", name.into(), Role::Faint)));
    }
    pieces.extend(memory(app).map(|memory| piece(5, "", memory.into(), Role::Faint)));
    pieces
}

/// Least number of cells in which the end of a path is useful.
const MIN_PATH: u16 = 20;

/// Shortens the name of the explored run or file to its end, if the whole would displace other pieces.
fn shorten(pieces: &mut [Piece<'_>], excess: u16) {
    let Some(name) = pieces.get_mut(1).and_then(|piece| piece.spans.get_mut(1)) else { return };
    let room = width(&name.content).saturating_sub(excess).max(MIN_PATH);
    name.content = tail(&name.content, room).into_owned().into();
}

fn piece_width(piece: &Piece<'_>) -> u16 {
    piece.spans.iter().map(|span| width(&span.content)).fold(0, u16::saturating_add)
}

/// Least useful width of a progress bar.
const MIN_BAR: u16 = 5;
const MAX_BAR: u16 = 30;

/// Draws the status line.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let mut pieces = pieces(ink, app);
    let needed = |pieces: &[Piece<'_>], gap: u16| {
        let bar = |piece: &Piece<'_>| if piece.spans.is_empty() { MIN_BAR } else { piece_width(piece) };
        pieces.iter().map(|piece| bar(piece).saturating_add(gap)).fold(0, u16::saturating_add)
    };
    let excess = needed(&pieces, 1).saturating_sub(area.width);
    shorten(&mut pieces, excess);
    while needed(&pieces, 1) > area.width {
        let Some(rank) = pieces.iter().map(|piece| piece.rank).max().filter(|rank| *rank > 0) else { break };
        let Some(last) = pieces.iter().rposition(|piece| piece.rank == rank) else { break };
        pieces.remove(last);
    }
    let gap = if needed(&pieces, 2) > area.width { 1 } else { 2 };
    let spare = area.width.saturating_sub(needed(&pieces, gap));
    let mut x = 1;
    for piece in pieces {
        if piece.spans.is_empty() {
            // `LineGauge` reserves a column for its empty label.
            let cells = (MIN_BAR + spare).min(MAX_BAR);
            progress(ink, app, part(area, x - 1, 0, cells + 1, 1));
            x += cells + gap;
        } else {
            let line = Line::from(piece.spans);
            let cells = u16::try_from(line.width()).unwrap_or(u16::MAX);
            ink.draw(line, part(area, x, 0, area.width, 1));
            x = x.saturating_add(cells).saturating_add(gap);
        }
    }
}

fn progress(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let total = app.trainer.total().unwrap_or_default().max(1);
    let gauge = LineGauge::default()
        .ratio(app.trainer.step.min(total) as f64 / total as f64)
        .label("")
        // Replaced character by character, both symbols would be `-` in ASCII.
        .filled_symbol(if ink.theme.has_halves() { "━" } else { "=" })
        .unfilled_symbol("─")
        .filled_style(ink.theme.style(Role::Good))
        .unfilled_style(ink.theme.style(Role::Faint));
    ink.draw(gauge, area);
}

/// The most serious lasting problem: training failed, the newest state is not on disk, or a question failed.
fn banner(app: &App) -> Option<String> {
    let trainer = &app.trainer;
    let failed = trainer.failure.as_ref().map(|why| {
        // Some errors already name the step.
        let step =
            if why.starts_with("step ") { String::new() } else { format!(" at step {}", trainer.step) };
        format!("TRAINING FAILED{step}: {why}")
    });
    let unsaved =
        || trainer.unsaved.as_ref().map(|why| format!("NOT SAVED: {why}; the next checkpoint tries again"));
    let analysis = || {
        app.inquiry_failure.as_ref().map(|why| format!("ANALYSIS {why}; Enter asks again, Esc hides this"))
    };
    failed.or_else(unsaved).or_else(analysis)
}

/// Most lines of the banner.
const BANNER: usize = 3;

/// The banner wrapped to a screen of `width`; empty if nothing failed.
pub(super) fn banner_lines(app: &App, width: u16) -> Vec<String> {
    banner(app).map(|text| wrap(&text, width.saturating_sub(2), BANNER)).unwrap_or_default()
}

pub(super) fn render_banner(ink: &mut Ink<'_>, text: &[String], area: Rect) {
    let text = text.iter().map(String::as_str).collect::<Text>();
    let banner = Paragraph::new(text).block(Block::new().padding(Padding::horizontal(1)));
    ink.draw(banner.style(ink.theme.style(Role::Banner)), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_two_units_at_most() {
        let texts = [0.4, 59.4, 59.6, 200.0, 3599.6, 7500.0, 86_400.0, 356_400.0].map(duration);
        assert_eq!(texts, ["0s", "59s", "1m00s", "3m20s", "1h00m", "2h05m", "1d00h", "4d03h"]);
    }
}
