//! What contributions are measured on, in words.

use super::ink::width;
use crate::analysis::{Probe, Target};
use crate::app::App;

/// The target at a position: `label 2`.
pub(super) fn name(app: &App, probe: &Probe, position: usize) -> String {
    let target = app.target_at(probe, position);
    match (app.cursor.target, target.minus) {
        (Target::LabelMinusRunnerUp, Some(minus)) => {
            format!("label {} minus runner-up {minus}", target.plus)
        }
        (Target::Label | Target::LabelMinusRunnerUp, _) => format!("label {}", target.plus),
        (Target::Prediction, _) => format!("prediction {}", target.plus),
        (Target::Token(_), _) => format!("token {}", target.plus),
    }
}

/// The same, or `target` where it is longer than `most` columns.
pub(super) fn short(app: &App, probe: &Probe, position: usize, most: u16) -> String {
    let name = name(app, probe, position);
    if width(&name) > most { "target".into() } else { name }
}
