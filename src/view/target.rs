//! What contributions are measured on, in words.

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
