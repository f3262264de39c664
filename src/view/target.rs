//! The target of contributions, in words.

use super::ink::width;
use crate::analysis::Target;
use crate::app::App;
use crate::inquiry::Probe;

/// The target at a position: `label 2`.
pub(super) fn name(app: &App, probe: &Probe, position: usize) -> String {
    let target = app.target_at(probe, position);
    let named = |class| app.task().outputs().name(class);
    let kind = match app.cursor.target {
        Target::Token(_) => "class",
        Target::Label | Target::LabelMinusRunnerUp if probe.label(position).is_some() => "label",
        _ => "prediction",
    };
    let minus = target.minus.map_or(String::new(), |minus| format!(" minus runner-up {}", named(minus)));
    format!("{kind} {}{minus}", named(target.plus))
}

/// The target, or `target` if its name is longer than `most` columns.
pub(super) fn short(app: &App, probe: &Probe, position: usize, most: u16) -> String {
    let name = name(app, probe, position);
    if width(&name) > most { "target".into() } else { name }
}
