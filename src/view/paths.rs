//! Ranked ways from a token through a head and a neuron to the target, as the weights say and as measured.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::number::signed;
use super::target;
use super::theme::Role;
use crate::app::App;

/// Columns at which each of the numbers ends.
const ENDS: [u16; 3] = [20, 27, 35];

/// Draws the list.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else { return };
    let position = app.position_in(probe);
    let target = target::name(app, probe, position);
    ink.rule(area, 0, &format!("paths at {position} to {target}"), "");
    if !probe.config().has_mlp() {
        ink.text(area, 1, 1, "attention only: there are no neurons", Role::Faint);
        return;
    }
    let Some(paths) = app.ranked_paths() else {
        let text = format!("{} paths: too many to rank at a key", app.paths_of_layer());
        ink.text(area, 1, 1, &text, Role::Faint);
        return;
    };
    ink.text(area, 1, 1, "tok head neur weights  drive  adds", Role::Faint);
    for (y, path) in (2..area.height).zip(paths) {
        let here = path.neuron == app.cursor.neuron && path.token == app.cursor.token as crate::task::Token;
        let role = if here { Role::Strong } else { Role::Plain };
        ink.text_right(area, 4, y, &path.token.to_string(), role);
        ink.text_right(area, 9, y, &format!("{}.{}", path.head.layer, path.head.head), role);
        ink.text_right(area, 14, y, &path.neuron.to_string(), role);
        for (end, value) in ENDS.into_iter().zip([path.score, path.drive, path.contribution]) {
            let role = if value.is_finite() { role } else { Role::Wrong };
            ink.text_right(area, end, y, &signed(value), role);
        }
    }
    if area.width >= 50 {
        legend(ink, area);
    }
}

/// What the columns are, where there is room for words.
fn legend(ink: &mut Ink<'_>, area: Rect) {
    let words =
        ["weights:", "by weights", "alone", "drive: of", "hook_pre", "here", "adds: to", "the target"];
    for (y, word) in (2..area.height).zip(words) {
        ink.text(area, 38, y, word, Role::Faint);
    }
}
