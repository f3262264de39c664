//! Reports of the trainer, and commands to the trainer.

use std::sync::Arc;

use serde::Serialize;

use super::kept::is_spaced;
use super::outside::OutsideMetrics;
use super::recipe::Extension;
use crate::analysis::Evaluation;
use crate::model::Snapshot;

/// One optimiser step: a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepMetrics {
    /// Steps taken, this one included: from 1.
    pub step: usize,
    /// The epoch that the step belongs to: from 1.
    pub epoch: usize,
    /// Mean cross-entropy of the step's batch before the update, in nats.
    pub train_loss: f32,
    /// Learning rate of the update.
    pub lr: f64,
}

/// A validation: a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochMetrics {
    /// The epoch that the last step belongs to: from 1.
    pub epoch: usize,
    /// Steps taken.
    pub step: usize,
    /// Evaluation over the validation sequences.
    pub validation: Evaluation,
    /// Share of right predictions over some of the training sequences; NaN if unknown.
    pub train_accuracy: f64,
}

/// The plan of a run; sent once, first.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainPlan {
    /// Task name, for the status line.
    pub task: String,
    /// Step at which the run ends.
    pub total_steps: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Steps between validations.
    pub validate_every: usize,
    /// Steps already taken: above 0 for a resumed run.
    pub start_step: usize,
    /// `cpu`, or the GPU's name and number.
    pub device: String,
    /// Directory of the run, if it is saved.
    pub run_dir: Option<String>,
}

impl TrainPlan {
    /// Whether the weights of a step are kept.
    pub fn keeps(&self, step: usize) -> bool {
        is_spaced(step) || is_validated(step, (self.validate_every, self.total_steps))
    }
}

/// Whether a run is validated at a step: every so many, and at the last.
pub(super) fn is_validated(step: usize, (every, total): (usize, usize)) -> bool {
    step.is_multiple_of(every) || step == total
}

/// What the trainer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Taking steps.
    Running,
    /// Waiting for `Resume` or `Step`.
    Paused,
    /// All steps are taken.
    Finished,
    /// Stopped by a command before the end.
    Stopped,
    /// Ended by an error or a NaN.
    Failed,
}

/// An event from the trainer.
#[derive(Clone, Debug)]
pub enum TrainEvent {
    /// The first event of every run.
    Started(TrainPlan),
    /// After every step.
    Step(StepMetrics),
    /// After every validation.
    Epoch(EpochMetrics),
    /// Losses of a step that another program has taken.
    Outside(OutsideMetrics),
    /// The weights: before the first step, then at intervals, and after the last step.
    Snapshot(Arc<Snapshot>),
    /// The run was extended, on disk too.
    Extended {
        /// The new last step.
        total_steps: usize,
        /// How training continues after the steps planned before.
        by: Extension,
    },
    /// Memory of the GPU, in bytes; after snapshots.
    Memory {
        /// In use, by any process.
        used: usize,
        /// Total.
        total: usize,
    },
    /// The state has changed.
    State(RunState),
    /// A warning; the run continues.
    Notice(String),
    /// The newest state could not be saved, and why; `None` once a save succeeds. The next save tries again.
    Unsaved(Option<String>),
    /// The unsaved state of this step is now in a new run directory, where the run continues.
    Rescued {
        /// Steps taken.
        step: usize,
        /// Directory of the run from now on.
        run_dir: String,
    },
    /// The run failed, and why; `State(Failed)` follows.
    Failed(String),
}

/// A command to the trainer; executed within a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainCommand {
    /// Pause after this step.
    Pause,
    /// Continue.
    Resume,
    /// Take one step and pause.
    Step,
    /// Save a checkpoint and continue.
    Save,
    /// Extend the run by half of the recipe.
    Extend,
    /// Save an unsaved state in a new run directory, and continue there.
    Rescue,
    /// Save and end.
    Stop,
}
