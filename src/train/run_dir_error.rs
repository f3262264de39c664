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
    /// The file system's word.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint that makes going on impossible.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// Its `config.toml`.
    #[error("{place}: {source}")]
    Config {
        /// File, and line and column where known.
        place: String,
        /// What is wrong.
        source: RunConfigError,
    },
    /// Settings on the command line that the run was not started with.
    #[error("{path} was started with {theirs}: it cannot go on with {ours}")]
    Contradiction {
        /// The directory.
        path: String,
        /// What was asked for.
        ours: String,
        /// What is there.
        theirs: String,
    },
    /// More steps than the run has, where nobody asked to make it longer.
    #[error("{path} was started with {theirs}: `headcount train --resume` with {ours} makes it longer")]
    Longer {
        /// The directory.
        path: String,
        /// What was asked for.
        ours: String,
        /// What is there.
        theirs: String,
    },
    /// Fewer steps than the run has.
    #[error(
        "{path} is a run of {theirs} steps, planned as a whole: it cannot become one of {ours}, --steps stops it before its end"
    )]
    Shorter {
        /// The directory.
        path: String,
        /// Steps asked for.
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
        /// Who.
        owner: String,
    },
    /// A run is there already.
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
    /// Why the lock of `directory` cannot be taken.
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
