//! The last line: a message, a question, or the keys that act here.

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width, wrap};
use super::theme::Role;
use super::{logits, neurons};
use crate::app::keymap::{self, Context};
use crate::app::{App, Focus, Level, ViewId};
use crate::term::Glyphs;

/// Lines that a message may take, over what is drawn there.
const MESSAGE: usize = 4;

/// Draws the last line of the screen; `panel` is where the view is.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, screen: Rect, panel: Rect) {
    let area = lines(screen, screen.height - 1, 1);
    // It is answered by the next key, whatever else is said meanwhile.
    if matches!(app.focus, Focus::Quit) {
        let question = "still training: q again stops it, saves and quits; Esc goes on";
        ink.text(area, 1, 0, question, Role::Warning);
        return;
    }
    if let Some(notice) = &app.notice {
        let (word, role) = match notice.level {
            Level::Info => ("", Role::Strong),
            Level::Warning => ("note: ", Role::Warning),
            Level::Error => ("error: ", Role::Wrong),
        };
        let text = wrap(&format!("{word}{}", notice.text), area.width - 2, MESSAGE);
        let area = lines(screen, screen.height - text.len() as u16, screen.height);
        ink.clear(area);
        for (y, line) in (0..).zip(&text) {
            ink.text(area, 1, y, line, role);
        }
        return;
    }
    hints(ink, app, area, panel);
}

fn hints(ink: &mut Ink<'_>, app: &App, area: Rect, panel: Rect) {
    let unicode = ink.theme.glyphs == Glyphs::Utf8;
    let context = app.context();
    let mut hints = keymap::hints(context, unicode);
    hints.retain(|hint| !is_idle(app, panel, hint.1));
    let mut end = area.width;
    if !context.is_alone() {
        hints.extend(
            keymap::hints(Context::Everywhere, unicode).into_iter().filter(|hint| is_useful(app, hint.1)),
        );
        // Where the rest is listed must always be said.
        ink.text_right(area, area.width, 0, "? keys", Role::Key);
        end = end.saturating_sub(7);
    }
    let mut x = 1;
    for (keys, what) in hints.iter().filter(|hint| hint.1 != "keys") {
        if x + width(keys) + 1 + width(what) > end {
            continue;
        }
        x = ink.text(area, x, 0, keys, Role::Key);
        x = ink.text(area, x + 1, 0, what, Role::Plain) + 2;
    }
}

/// Whether a key chooses between panels that are all in view, or among neurons where there are none.
fn is_idle(app: &App, panel: Rect, hint: &str) -> bool {
    match (app.view, hint) {
        (ViewId::Logits, "neuron") | (ViewId::Circuits, "path") => !app.options.model.has_mlp(),
        (ViewId::Ablate, "list") => app.ablation.off.is_empty(),
        (ViewId::Logits, "lens") => logits::shows_all(app, panel),
        (ViewId::Neurons, "map") => neurons::shows_all(panel),
        _ => false,
    }
}

/// Leaves out keys that would only say that they do nothing now.
fn is_useful(app: &App, hint: &str) -> bool {
    match hint {
        "clear" | "diff" | "changed" | "zero/mean" => !app.ablation.off.is_empty(),
        "off/on" => match app.view {
            ViewId::Train => false,
            ViewId::Ablate => !app.ablation.off.is_empty(),
            _ => true,
        },
        "anew" => is_stale(app),
        "pause" => app.is_training(),
        "freeze" => !app.is_exploring(),
        "target" => app.view().has_target(),
        "copy" | "export" => app.view != ViewId::Ablate || !app.ablation.off.is_empty(),
        "step" => app.timeline.all().nth(1).is_some(),
        _ => true,
    }
}

/// Whether something in view is of an earlier step than the weights.
fn is_stale(app: &App) -> bool {
    let Some(current) = app.timeline.current() else { return false };
    let figures = app.ablation.figures().map(|report| report.step);
    let study = match app.view {
        ViewId::Attention => app.studies.heads().map(|(study, _)| study),
        ViewId::Logits => app.studies.lens().map(|(study, _)| study),
        ViewId::Neurons => app.studies.trackers().map(|(study, _)| study),
        ViewId::Circuits => app.studies.circuits().map(|(study, _)| study),
        ViewId::Train => app.studies.accuracy().map(|(study, _)| study),
        ViewId::Ablate => None,
    };
    let are_shown = match app.view {
        ViewId::Ablate => true,
        ViewId::Attention => !app.ablation.off.patterns.is_empty(),
        _ => false,
    };
    let study = study.map(|study| study.request.snapshot.step);
    study.into_iter().chain(figures.filter(|_| are_shown)).any(|step| step != current.step)
}
