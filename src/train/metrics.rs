//! The lines of `metrics.jsonl`.

use serde::Serialize;

use super::events::{EpochMetrics, StepMetrics};

/// One line.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MetricsLine {
    /// After a step.
    Step(StepMetrics),
    /// After an epoch.
    Epoch {
        /// Epochs finished.
        epoch: usize,
        /// Steps taken.
        step: usize,
        /// Mean cross-entropy over the validation sequences, in nats.
        val_loss: f64,
        /// Share of right predictions over all positions.
        val_accuracy: f64,
        /// Share of right predictions at the last position.
        val_accuracy_last: f64,
        /// Share of right predictions by label; null for a label that never occurs.
        val_accuracy_by_class: Vec<Option<f64>>,
    },
}

impl From<&EpochMetrics> for MetricsLine {
    fn from(metrics: &EpochMetrics) -> Self {
        let validation = &metrics.validation;
        Self::Epoch {
            epoch: metrics.epoch,
            step: metrics.step,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
            val_accuracy_last: validation.accuracy_last,
            val_accuracy_by_class: validation.accuracy_by_class.clone(),
        }
    }
}

impl MetricsLine {
    /// The line, without its end. A value that is not finite becomes null, as JSON has no word for it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings are always representable")
    }

    /// The step a line belongs to; `None` for one that is not whole.
    pub fn step_of(line: &str) -> Option<usize> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value.get("step")?.as_u64().map(|step| step as usize)
    }
}
