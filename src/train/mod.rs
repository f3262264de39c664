//! Training in the background: optimiser, schedule, metrics, run directory, and the thread that owns them.

mod config;
mod events;

pub use config::{RunConfig, RunConfigError, TrainConfig};
pub use events::{EpochMetrics, RunState, StepMetrics, TrainCommand, TrainEvent, TrainPlan};
