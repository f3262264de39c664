//! What the trainer says, and what it can be told.

use std::sync::Arc;

use serde::Serialize;

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
    /// Over the validation sequences.
    pub validation: Evaluation,
}

/// What a run is going to do; said once, first.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainPlan {
    /// Task name, for the status line.
    pub task: String,
    /// Steps at which it ends.
    pub total_steps: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: usize,
    /// Steps already taken: above 0 for a resumed run.
    pub start_step: usize,
    /// `cpu`, or the GPU's name and number.
    pub device: String,
    /// Where the run is kept, if it is.
    pub run_dir: Option<String>,
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
    /// Told to stop before the end.
    Stopped,
    /// Ended by an error or a NaN.
    Failed,
}

/// From the trainer.
#[derive(Clone, Debug)]
pub enum TrainEvent {
    /// The first word of every run.
    Started(TrainPlan),
    /// After every step.
    Step(StepMetrics),
    /// After every validation.
    Epoch(EpochMetrics),
    /// The weights, before the first step, then every so often, and after the last.
    Snapshot(Arc<Snapshot>),
    /// The run is made longer, on disk too.
    Extended {
        /// Steps at which it ends now.
        total_steps: usize,
        /// How it goes on after those that were planned before.
        by: Extension,
    },
    /// How full the device's own memory is, in bytes; after snapshots, from a GPU.
    Memory {
        /// Taken, by whomever.
        used: usize,
        /// In all.
        total: usize,
    },
    /// It does something else now.
    State(RunState),
    /// A warning; the run goes on.
    Notice(String),
    /// The newest state could not be saved, and why; `None`: now it is. The next save is another try.
    Unsaved(Option<String>),
    /// What could not be saved is, at this step, in this new run directory, where the run goes on.
    Rescued {
        /// Steps taken.
        step: usize,
        /// Where the run is kept from now on.
        run_dir: String,
    },
    /// The run is over, and why; `State(Failed)` follows.
    Failed(String),
}

/// To the trainer; executed within a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainCommand {
    /// Wait after this step.
    Pause,
    /// Go on.
    Resume,
    /// Take one step and wait.
    Step,
    /// Save a checkpoint and go on.
    Save,
    /// Go on beyond the last step, by half of the recipe.
    Extend,
    /// Save in a new run directory what cannot be saved in this one, and go on there.
    Rescue,
    /// Save and end.
    Stop,
}
