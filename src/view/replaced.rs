//! The effect of replaced attention patterns, in one line above the patterns.

use ratatui::layout::Rect;

use super::at_another;
use super::ink::{Ink, width};
use super::number::{count, figure, percent};
use super::theme::Role;
use crate::app::App;
use crate::app::views::edits::{effect, effect_here};
use crate::figure::Panel;

/// Draws as many numbers as fit: accuracy and loss of this sequence, then of the validation set.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let off = &app.ablation.off;
    let patterns = count(off.patterns.len(), "pattern");
    let others = off.len() - off.patterns.len();
    let what = if others > 0 { format!("{patterns} and {others} off") } else { patterns };
    let mut x = ink.text(area, 1, 0, &what, Role::Off) + 1;
    let arrow = ink.arrow();
    for Change { name, before, after } in fitting(changes(app), area.width.saturating_sub(x), arrow) {
        x = ink.text(area, x + 1, 0, &name, Role::Faint);
        x = ink.text(area, x, 0, &before, Role::Plain);
        x = ink.text(area, x, 0, arrow, Role::Faint);
        x = ink.text(area, x, 0, &after, Role::Strong);
    }
}

/// A number before and after.
struct Change {
    name: String,
    before: String,
    after: String,
}

/// Drops changes that do not fit: first the loss of this sequence, then the loss and the accuracy of the validation set.
fn fitting(mut changes: Vec<Change>, room: u16, arrow: &str) -> Vec<Change> {
    let length = |change: &Change| {
        1 + width(&change.name) + width(&change.before) + width(arrow) + width(&change.after)
    };
    for dispensable in [1, 2, 1, 0] {
        if changes.iter().map(length).sum::<u16>() > room && dispensable < changes.len() {
            changes.remove(dispensable);
        }
    }
    changes
}

/// All known changes.
fn changes(app: &App) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |name: &str, before, after| changes.push(Change { name: name.into(), before, after });
    let mut panel = |panel: Option<Panel>, of: &str| {
        for (column, name, text) in
            [("accuracy", of, percent as fn(f64) -> String), ("loss", "loss ", figure)]
        {
            let values = panel.as_ref().map(|panel| panel.values(column)).unwrap_or_default();
            if let [Some(before), Some(after), ..] = values[..] {
                change(name, text(before), text(after));
            }
        }
    };
    panel(effect_here(app), "here ");
    if let Some((answer, _)) = app.ablation_figures() {
        panel(effect(app), &format!("val({}){} ", answer.sequences, at_another(app, answer.step())));
    }
    changes
}
