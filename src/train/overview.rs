//! Progress of the runs in a directory. Checkpoints are counted by name, not decoded: decoding takes seconds per run.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::RunConfig;
use super::events::{EpochMetrics, TrainEvent};
use super::files::{Disk, FileError};
use super::lock::Lock;
use super::metrics::MetricsLine;
use super::metrics_log::lines;
use super::run_dir::{newest_step, read_config};
use super::run_dir_error::RunDirError;

const CONFIG: &str = "config.toml";

/// Summary of a run, without its weights.
pub struct Overview {
    /// The run's settings.
    pub config: RunConfig,
    /// Step of the newest checkpoint; during training, of the newest line of metrics if that is later.
    pub step: usize,
    /// The newest validation up to this step.
    pub validation: Option<EpochMetrics>,
    /// The process that trains the run now.
    pub trainer: Option<String>,
}

impl Overview {
    /// Reads a run without changing it.
    ///
    /// # Errors
    /// Names the file that cannot be read, or the problem in it.
    pub fn of(run: &Path) -> Result<Self, RunDirError> {
        let config = read_config(&run.join(CONFIG))?;
        let trainer = Lock::holder(run)?;
        let metrics = lines(&Disk, &run.join("metrics.jsonl"))?;
        let saved = newest_step(run)?.unwrap_or(0);
        let logged = metrics.iter().rev().find_map(|line| MetricsLine::step_of(line)).unwrap_or(0);
        let step = if trainer.is_some() { saved.max(logged) } else { saved };
        Ok(Self { config, step, validation: newest_validation(&metrics, step), trainer })
    }

    /// Whether every step of the schedule has been taken.
    pub fn is_finished(&self) -> bool {
        self.step >= self.config.total_steps()
    }
}

fn newest_validation(metrics: &[String], step: usize) -> Option<EpochMetrics> {
    metrics.iter().rev().find_map(|line| match MetricsLine::event_of(line)? {
        TrainEvent::Epoch(epoch) if epoch.step <= step => Some(epoch),
        _ => None,
    })
}

/// Finds the run directories in `directory`, and `directory` itself if it is one; unordered.
///
/// # Errors
/// When it cannot be listed.
pub fn find_runs(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = FileError::at("list", directory);
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let within = entries.into_iter().map(|entry| entry.path());
    let is_run = |path: &PathBuf| path.join(CONFIG).is_file();
    Ok(within.chain([directory.to_owned()]).filter(is_run).collect())
}
