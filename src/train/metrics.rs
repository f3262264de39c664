//! The lines of `metrics.jsonl`.

use serde::{Deserialize, Serialize};

use super::events::{EpochMetrics, StepMetrics, TrainEvent};
use crate::analysis::Evaluation;

/// One line.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MetricsLine {
    /// After a step.
    Step(StepMetrics),
    /// After a validation.
    Epoch {
        /// The epoch that the last step belongs to: from 1.
        epoch: usize,
        /// Steps taken.
        step: usize,
        /// Validation sequences.
        val_sequences: usize,
        /// Mean cross-entropy over them, in nats.
        val_loss: f64,
        /// Share of right predictions over all positions.
        val_accuracy: f64,
        /// Share of right predictions at the last position.
        val_accuracy_last: f64,
        /// Share of right predictions by label; null for a label that never occurs.
        val_accuracy_by_class: Vec<Option<f64>>,
        /// Share of right predictions over some of the training sequences.
        train_accuracy: f64,
    },
}

impl From<&EpochMetrics> for MetricsLine {
    fn from(metrics: &EpochMetrics) -> Self {
        let validation = &metrics.validation;
        Self::Epoch {
            epoch: metrics.epoch,
            step: metrics.step,
            val_sequences: validation.sequences,
            val_loss: validation.loss,
            val_accuracy: validation.accuracy,
            val_accuracy_last: validation.accuracy_last,
            val_accuracy_by_class: validation.accuracy_by_class.clone(),
            train_accuracy: metrics.train_accuracy,
        }
    }
}

impl MetricsLine {
    /// The line, without its end. A value that is not finite becomes null: JSON cannot represent it.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings are always representable")
    }

    /// Converts the lines of older versions, whose steps count epochs from 0, to count from 1.
    pub(super) fn counted_from_one(lines: Vec<String>) -> Vec<String> {
        let first = lines.iter().find_map(|line| match Self::event_of(line) {
            Some(TrainEvent::Step(metrics)) => Some(metrics),
            _ => None,
        });
        if first.is_none_or(|first| (first.step, first.epoch) != (1, 0)) {
            return lines;
        }
        let counted = lines.into_iter().map(|line| match Self::event_of(&line) {
            Some(TrainEvent::Step(metrics)) => {
                Self::Step(StepMetrics { epoch: metrics.epoch + 1, ..metrics }).to_json()
            }
            _ => line,
        });
        counted.collect()
    }

    /// The step of a line; `None` for an incomplete line.
    pub fn step_of(line: &str) -> Option<usize> {
        serde_json::from_str::<AnyLine>(line).ok().map(|line| line.step)
    }

    /// The event that the line records; `None` for an incomplete line. Accuracy by position and loss by class are not
    /// kept.
    pub fn event_of(line: &str) -> Option<TrainEvent> {
        let line: AnyLine = serde_json::from_str(line).ok()?;
        let (step, epoch) = (line.step, line.epoch);
        Some(if let Some(lr) = line.lr {
            let train_loss = line.train_loss.unwrap_or(f32::NAN);
            TrainEvent::Step(StepMetrics { step, epoch, train_loss, lr })
        } else {
            let train_accuracy = line.train_accuracy.unwrap_or(f64::NAN);
            TrainEvent::Epoch(EpochMetrics { epoch, step, validation: line.evaluation(), train_accuracy })
        })
    }
}

/// A line of either kind; null stands for a value that is not finite.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AnyLine {
    step: usize,
    epoch: usize,
    train_loss: Option<f32>,
    lr: Option<f64>,
    val_sequences: usize,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    val_accuracy_last: Option<f64>,
    val_accuracy_by_class: Vec<Option<f64>>,
    train_accuracy: Option<f64>,
}

impl AnyLine {
    fn evaluation(self) -> Evaluation {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Evaluation {
            sequences: self.val_sequences,
            loss: number(self.val_loss),
            accuracy: number(self.val_accuracy),
            accuracy_last: number(self.val_accuracy_last),
            accuracy_by_class: self.val_accuracy_by_class,
            loss_by_class: Vec::new(),
            accuracy_by_position: Vec::new(),
            loss_by_position: Vec::new(),
            by_situation: Vec::new(),
            answers: Vec::new(),
            confusion: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_of_older_files_are_counted_from_one() {
        let old = [
            r#"{"step":1,"epoch":0,"train_loss":2.5711467,"lr":0.0004}"#,
            r#"{"epoch":1,"step":1,"val_loss":2.5}"#,
            r#"{"step":2,"epoch":1,"train_loss":null,"lr":0.1}"#,
        ];
        let new = [
            r#"{"step":1,"epoch":1,"train_loss":2.5711467,"lr":0.0004}"#,
            old[1],
            r#"{"step":2,"epoch":2,"train_loss":null,"lr":0.1}"#,
        ];
        let lines = |lines: [&str; 3]| lines.map(str::to_owned).to_vec();
        assert_eq!(MetricsLine::counted_from_one(lines(old)), lines(new));
        assert_eq!(MetricsLine::counted_from_one(lines(new)), lines(new));
    }
}
