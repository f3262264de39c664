//! Training in the background: optimiser, schedule, metrics, run directory, and the loop that ties them.

mod checkpoint;
mod config;
mod device;
mod durable;
mod events;
mod metrics;
mod optimizer;
pub mod run_dir;
mod schedule;
mod trainer;

pub use checkpoint::{CheckpointError, TrainState};
pub use config::{RunConfig, RunConfigError, TrainConfig};
pub use device::{DeviceChoice, DeviceError, train_on};
pub use durable::{FileError, write_atomically};
pub use events::{EpochMetrics, RunState, StepMetrics, TrainCommand, TrainEvent, TrainPlan};
pub use metrics::MetricsLine;
pub use optimizer::{Moments, Optimizer};
pub use run_dir::{RunDir, RunDirError};
pub use schedule::{OneCycle, Rates};
pub use trainer::{Outcome, Setup, TrainError, train};
