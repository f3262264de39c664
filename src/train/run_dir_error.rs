//! A run directory that cannot be used.

use std::path::Path;

use thiserror::Error;

use super::checkpoint::CheckpointError;
use super::config_error::RunConfigError;
use super::files::FileError;
use super::lock::LockError;

/// A run directory that cannot be used.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The file system's error.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint that prevents resuming.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The run's `config.toml`.
    #[error("{place}: {source}")]
    Config {
        /// File, and line and column where known.
        place: String,
        /// The problem.
        source: RunConfigError,
    },
    /// Settings on the command line that differ from the run's.
    #[error("{path} was started with {theirs}: it cannot go on with {ours}")]
    Contradiction {
        /// The directory.
        path: String,
        /// The setting requested.
        ours: String,
        /// The setting of the run.
        theirs: String,
    },
    /// More steps than the run has, without a request to extend it.
    #[error("{path} was started with {theirs}: `headcount train --resume` with {ours} makes it longer")]
    Longer {
        /// The directory.
        path: String,
        /// The length requested.
        ours: String,
        /// The length of the run.
        theirs: String,
    },
    /// Fewer steps than the run has.
    #[error(
        "{path} is a run of {theirs} steps, planned as a whole: it cannot become one of {ours}, --steps stops it before its end"
    )]
    Shorter {
        /// The directory.
        path: String,
        /// Steps requested.
        ours: usize,
        /// Steps of the run.
        theirs: usize,
    },
    /// Another process is training there.
    #[error(
        "{path} is being trained by {owner}: `headcount explore --run {path}` shows it read-only meanwhile"
    )]
    Locked {
        /// The directory.
        path: String,
        /// The holder of the lock.
        owner: String,
    },
    /// A run exists already.
    #[error(
        "{path} already holds a run ({done} of {total} steps): give --resume{} to go on with it, or another --run",
        if done < total { "" } else { " and more --epochs" }
    )]
    Exists {
        /// The directory.
        path: String,
        /// Steps taken at the newest checkpoint.
        done: usize,
        /// Steps of the schedule.
        total: usize,
    },
    /// The directory holds files, but no run.
    #[error("{0} is not empty and holds no config.toml: not a run directory")]
    NotARun(String),
}

impl RunDirError {
    /// The error for a lock of `directory` that cannot be taken.
    pub fn of_lock(directory: &Path, error: LockError) -> Self {
        match error {
            LockError::File(error) => Self::File(error),
            LockError::Held(owner) => Self::Locked { path: directory.display().to_string(), owner },
        }
    }
}

impl From<CheckpointError> for RunDirError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Read(error) => Self::File(error),
            other => Self::Checkpoint(other),
        }
    }
}
