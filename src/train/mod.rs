//! Training in the background: optimiser, schedule, metrics, run directory, and the loop that ties them.

mod checkpoint;
mod checkpoints;
mod config;
mod config_error;
mod curve_store;
mod data;
mod data_error;
mod device;
mod durable;
mod events;
pub mod files;
mod footprint;
mod found;
mod frozen;
mod kept;
mod lock;
mod metrics;
mod metrics_log;
mod optimizer;
mod outside;
mod overview;
mod pace;
mod recipe;
pub mod run_dir;
mod run_dir_error;
mod schedule;
mod sealed;
mod settings;
mod trainer;

#[cfg(test)]
pub(crate) use checkpoint::DECODED;
pub use checkpoint::{CheckpointError, TrainState, decode, fingerprint};
pub use checkpoints::Checkpoints;
pub use config::{RunConfig, RunMetadata};
pub use config_error::RunConfigError;
pub use curve_store::{CurvePoint, keep_points, kept_points};
pub use data::DataFile;
pub use data_error::{DataError, DataProblem, Place};
pub use device::{DeviceChoice, DeviceError, train_on};
pub use events::{EpochMetrics, RunState, StepMetrics, TrainCommand, TrainEvent, TrainPlan};
pub use files::FileError;
#[cfg(test)]
pub use kept::is_spaced;
pub use kept::{capacity, surplus};
pub use lock::{Lock, LockError};
pub use metrics::MetricsLine;
pub use optimizer::{Moments, Optimizer};
pub use outside::{OutsideError, OutsideLines, OutsideMetrics};
pub use overview::{Overview, find_runs};
pub use recipe::{Extend, Extension, OptimizerKind, ScheduleKind, TrainConfig};
pub use run_dir::{Opened, RunDir};
pub use run_dir_error::RunDirError;
pub use schedule::{OneCycle, Rates, Schedule};
pub use settings::Settings;
pub use trainer::{Outcome, Setup, TrainError, train};
