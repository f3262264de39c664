//! The directory of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{TrainState, fingerprint};
use super::checkpoints::{CheckpointScan, Checkpoints};
use super::config::{RunConfig, RunMetadata};
use super::durable::{create_private_dir, replace, sweep};
use super::events::{EpochMetrics, StepMetrics};
use super::files::{Disk, FileError, Files};
use super::found::{CHECKPOINTS, SNAPSHOTS};
use super::kept::KeptSnapshots;
use super::lock::Lock;
use super::metrics::MetricsLine;
use super::metrics_log::MetricsLog;
use super::run_dir_error::RunDirError;
use crate::model::Weights;
use crate::model::weights_file::encode_weights;
use crate::task::Dataset;

pub use super::found::{
    Found, kept_weights, look, nearest_file, newest_step, past_metrics, read_config, read_settings,
    settings_of, weights_since,
};

/// The file of a run directory with the weights alone, under TransformerLens names.
pub const WEIGHTS_FILE: &str = "weights.safetensors";

/// Most names tried for a rescue.
const MOST_RESCUED: usize = 1000;

/// A run directory, held by this process for writing.
pub struct RunDir {
    path: PathBuf,
    files: Arc<dyn Files>,
    metrics: MetricsLog,
    checkpoints: Checkpoints,
    snapshots: KeptSnapshots,
    /// Metadata of the weights files: the task's name and the other settings of the run.
    about: Vec<(&'static str, String)>,
    lock: Lock,
}

/// A run directory opened for writing.
pub struct Opened {
    /// The directory.
    pub run_dir: RunDir,
    /// State to resume from: the newest intact checkpoint, or the start.
    pub state: TrainState,
    /// The weights of earlier checkpoints, by step.
    pub earlier: Vec<(usize, Weights)>,
    /// Newer checkpoints that are damaged, and why.
    pub skipped: Vec<String>,
}

impl RunDir {
    /// Opens a directory for a run with these settings on this data, creating it if needed. Truncates `metrics.jsonl`
    /// to the step that training resumes from, and removes leftovers of a killed process.
    ///
    /// # Errors
    /// When the directory cannot be written, is locked, or holds a run with other settings or data.
    pub fn open(path: &Path, config: &RunConfig, dataset: &Dataset) -> Result<Opened, RunDirError> {
        Self::open_on(Arc::new(Disk), path, config, dataset)
    }

    /// Like [`open`](Self::open), on any file system, except that directories and the lock are on the disk.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(
        files: Arc<dyn Files>,
        path: &Path,
        config: &RunConfig,
        dataset: &Dataset,
    ) -> Result<Opened, RunDirError> {
        let directory = path.join(CHECKPOINTS);
        create_private_dir(&directory)?;
        create_private_dir(&path.join(SNAPSHOTS))?;
        let lock = Lock::take(path).map_err(|error| RunDirError::of_lock(path, error))?;
        sweep(&*files, path);
        let config_file = path.join("config.toml");
        let mut is_new = true;
        if config_file.exists() {
            let theirs = read_config(&config_file)?;
            refuse_contradictions(path, &theirs, config)?;
            is_new = theirs != *config;
        }
        if is_new {
            replace(&*files, &config_file, config.to_toml().as_bytes())?;
        }
        let (checkpoints, CheckpointScan { newest, earlier, skipped, .. }) =
            Checkpoints::open(Arc::clone(&files), &directory, config, fingerprint(dataset))?;
        let state = newest.unwrap_or_else(|| TrainState::initial(config));
        let metrics = MetricsLog::open(&*files, &path.join("metrics.jsonl"), state.step)?;
        let about = RunMetadata::entries(config, &**dataset.task());
        let (of, place) = (Arc::clone(&files), path.join(SNAPSHOTS));
        let snapshots = KeptSnapshots::open(of, &place, about.clone(), state.step)?;
        let run_dir = Self { path: path.into(), files, metrics, checkpoints, snapshots, about, lock };
        Ok(Opened { run_dir, state, earlier, skipped })
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a step's line to `metrics.jsonl`.
    ///
    /// # Errors
    /// Names the file; the next write includes the line.
    pub fn log_step(&mut self, metrics: &StepMetrics) -> Result<(), FileError> {
        self.metrics.add(&MetricsLine::Step(metrics.clone()))
    }

    /// Adds an epoch's line to `metrics.jsonl`, and hands all lines so far to the system, so that other processes can
    /// read them.
    ///
    /// # Errors
    /// Names the file; the next write includes the lines.
    pub fn log_epoch(&mut self, metrics: &EpochMetrics) -> Result<(), FileError> {
        self.metrics.add(&MetricsLine::from(metrics))?;
        self.metrics.flush()
    }

    /// Makes all lines so far durable: call it before saving the checkpoint that follows them.
    ///
    /// # Errors
    /// Names the file; the next write includes the missing lines.
    pub fn sync_metrics(&mut self) -> Result<(), FileError> {
        self.metrics.sync()
    }

    /// Keeps the weights of a step; durable after [`sync_snapshots`](Self::sync_snapshots).
    ///
    /// # Errors
    /// Names the file.
    pub fn keep(&mut self, step: usize, weights: &Weights) -> Result<(), FileError> {
        self.snapshots.keep(step, weights)
    }

    /// Makes all kept snapshots durable: call it before saving the checkpoint that follows them.
    ///
    /// # Errors
    /// Names the file.
    pub fn sync_snapshots(&mut self) -> Result<(), FileError> {
        self.snapshots.sync()
    }

    /// Saves a checkpoint durably, then removes all but the newest and the best. On a full disk kept snapshots give way.
    ///
    /// # Errors
    /// Names the file; older checkpoints are then unchanged.
    pub fn save(&mut self, state: &TrainState) -> Result<(), FileError> {
        self.is_in_place()?;
        loop {
            let saved = self.checkpoints.save(state);
            let is_full = |error: &FileError| {
                matches!(error.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            };
            if !saved.as_ref().is_err_and(is_full) || !self.snapshots.give_way() {
                return saved;
            }
        }
    }

    /// Step and validation loss of the best checkpoint, if any was validated.
    pub fn best(&self) -> Option<(usize, f64)> {
        self.checkpoints.best()
    }

    /// The weights of a kept checkpoint.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn weights_of(&self, step: usize) -> Result<Weights, FileError> {
        self.checkpoints.weights(step)
    }

    /// Stores the settings of a longer run, for this directory and later checkpoints.
    ///
    /// # Errors
    /// Names the file; the length of the run is then unchanged.
    pub fn extend(&mut self, longer: &RunConfig) -> Result<(), FileError> {
        self.is_in_place()?;
        replace(&*self.files, &self.path.join("config.toml"), longer.to_toml().as_bytes())?;
        self.checkpoints.extend(longer);
        Ok(())
    }

    /// Whether the directory at its path is still the one that was opened.
    ///
    /// # Errors
    /// When the directory was renamed, removed or replaced.
    pub fn is_in_place(&self) -> Result<(), FileError> {
        if self.lock.is_of(&self.path) {
            return Ok(());
        }
        let gone = io::Error::other("the run directory was renamed, removed or replaced");
        Err(FileError::at("save there", &self.path)(gone))
    }

    /// Saves a state that could not be saved here in a new run directory, beside this one or else in the working
    /// directory. Returns that directory, or `None` if both fail.
    pub fn rescue(&self, config: &RunConfig, dataset: &Dataset, state: &TrainState) -> Option<Self> {
        let name = self.path.file_name().unwrap_or("run".as_ref()).to_string_lossy();
        let folders = [self.path.parent(), Some(Path::new(""))];
        folders.into_iter().flatten().find_map(|folder| {
            let named = |number: usize| folder.join(format!("{name}-rescued-{number}"));
            let path = (1..=MOST_RESCUED).map(named).find(|path| fs::symlink_metadata(path).is_err())?;
            fs::DirBuilder::new().mode(0o700).create(&path).ok()?;
            let saved =
                Self::open_on(Arc::clone(&self.files), &path, config, dataset).and_then(|mut fresh| {
                    fresh.run_dir.save(state)?;
                    fresh.run_dir.export(&state.weights)?;
                    Ok(fresh.run_dir)
                });
            if saved.is_err() {
                let _ = fs::remove_dir_all(&path);
            }
            saved.ok()
        })
    }

    /// Writes `weights.safetensors`: the weights alone, under TransformerLens' names.
    ///
    /// # Errors
    /// Names the file; an older one is then unchanged.
    pub fn export(&self, weights: &Weights) -> Result<(), FileError> {
        replace(&*self.files, &self.path.join(WEIGHTS_FILE), &encode_weights(weights, &self.about))
    }
}

/// Refuses to resume a run with other settings.
///
/// # Errors
/// Names the settings that differ.
pub fn refuse_contradictions(path: &Path, theirs: &RunConfig, ours: &RunConfig) -> Result<(), RunDirError> {
    if ours.continues(theirs) {
        return Ok(());
    }
    let path = path.display().to_string();
    let (least, most) = (ours.total_steps(), theirs.total_steps());
    if ours.with_length_of(theirs) == *theirs && least < most {
        return Err(RunDirError::Shorter { path, ours: least, theirs: most });
    }
    let is_longer = theirs.extended_to(ours, None).is_some();
    let (theirs, ours) = (theirs.named(), ours.named());
    let differing = |of: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        let names: BTreeSet<&String> = of.keys().chain(other.keys()).collect();
        let differing = names.into_iter().filter(|name| of.get(*name) != other.get(*name));
        // A setting that keeps its default may not be written.
        let said = |name| match of.get(name) {
            Some(value) => format!("{name} = {value}"),
            None => format!("the default {name}"),
        };
        differing.map(said).collect::<Vec<_>>().join(", ")
    };
    let (ours, theirs) = (differing(&ours, &theirs), differing(&theirs, &ours));
    Err(if is_longer {
        RunDirError::Longer { path, ours, theirs }
    } else {
        RunDirError::Contradiction { path, ours, theirs }
    })
}
