//! Reads run directories without changing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::checkpoint::TrainState;
use super::checkpoints::{CheckpointScan, best, named, scan};
use super::config::RunConfig;
use super::config_error::RunConfigError;
use super::events::TrainEvent;
use super::files::{Disk, FileError};
use super::kept::{load, load_all};
use super::metrics::MetricsLine;
use super::metrics_log::lines;
use super::run_dir_error::RunDirError;
use super::settings::Settings;
use crate::model::Weights;

/// Longest configuration accepted.
const MAX_CONFIG: u64 = 256 << 10;

pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const SNAPSHOTS: &str = "snapshots";

/// The contents of a run directory.
pub struct Found {
    /// The run's settings.
    pub config: RunConfig,
    /// The newest intact checkpoint, if any.
    pub state: Option<TrainState>,
    /// The weights of earlier checkpoints, by step.
    pub earlier: Vec<(usize, Weights)>,
    /// Files of kept snapshots, by step.
    snapshots: BTreeMap<usize, PathBuf>,
    /// Step of the lowest validation loss, if any checkpoint was validated.
    pub best: Option<usize>,
    /// Newer checkpoints that are damaged, and why.
    pub skipped: Vec<String>,
}

impl Found {
    /// Steps taken at the newest intact checkpoint.
    pub fn step(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.step)
    }

    /// The kept weights nearest to a step, and theirs; of two, the earlier. By default the newest, or the best if the
    /// recipe keeps those.
    pub fn nearest(self, step: Option<usize>) -> Option<(usize, Weights)> {
        let newest = self.state?;
        let best = self.best.filter(|_| self.config.train.keep_best);
        let Some(step) = step.or(best) else { return Some((newest.step, newest.weights)) };
        let mut saved: BTreeMap<usize, Weights> = self.earlier.into_iter().collect();
        let snapshots = self.snapshots.keys().filter(|kept| **kept < newest.step);
        let steps: BTreeSet<usize> = saved.keys().chain(snapshots).copied().chain([newest.step]).collect();
        saved.insert(newest.step, newest.weights);
        let mut steps: Vec<usize> = steps.into_iter().collect();
        steps.sort_by_key(|kept| kept.abs_diff(step));
        let read = |kept: usize| {
            let snapshot = || load(&Disk, (kept, self.snapshots.get(&kept)?), &self.config.model).ok();
            saved.remove(&kept).or_else(snapshot).map(|weights| (kept, weights))
        };
        steps.into_iter().find_map(read)
    }

    /// Whether every step of the schedule has been taken.
    pub fn is_finished(&self) -> bool {
        self.step() >= self.config.total_steps()
    }
}

/// Reads the settings of the run in a directory; `None` without a run.
///
/// # Errors
/// When its `config.toml` cannot be read, or the directory holds other files.
pub fn settings_of(path: &Path) -> Result<Option<RunConfig>, RunDirError> {
    let file = path.join("config.toml");
    if !file.exists() {
        return if holds_nothing(path) {
            Ok(None)
        } else {
            Err(RunDirError::NotARun(path.display().to_string()))
        };
    }
    read_config(&file).map(Some)
}

/// Whether the directory holds only what an interrupted start leaves.
fn holds_nothing(path: &Path) -> bool {
    let is_ours = |name: &std::ffi::OsStr| {
        [CHECKPOINTS, SNAPSHOTS, "lock", ".config.toml.tmp"].iter().any(|own| name == *own)
    };
    fs::read_dir(path)
        .map_or(true, |mut entries| entries.all(|entry| entry.is_ok_and(|e| is_ours(&e.file_name()))))
}

/// Reads the configuration file of a run.
///
/// # Errors
/// Names the file, line, column and key.
pub fn read_config(path: &Path) -> Result<RunConfig, RunDirError> {
    read_text(path, RunConfig::parse)
}

/// Reads only the settings that a configuration file contains.
///
/// # Errors
/// Names the file, line, column and key.
pub fn read_settings(path: &Path) -> Result<Settings, RunDirError> {
    read_text(path, Settings::parse)
}

fn read_text<T>(path: &Path, parse: impl Fn(&str) -> Result<T, RunConfigError>) -> Result<T, RunDirError> {
    let mut text = String::new();
    let file = File::open(path).map_err(FileError::at("open", path))?;
    file.take(MAX_CONFIG + 1).read_to_string(&mut text).map_err(FileError::at("read", path))?;
    if text.len() as u64 > MAX_CONFIG {
        let problem = io::Error::other(format!("more than {MAX_CONFIG} bytes"));
        return Err(FileError::at("read", path)(problem).into());
    }
    parse(&text).map_err(|source| {
        let position =
            source.position(&text).map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
        RunDirError::Config { place: format!("{}{position}", path.display()), source }
    })
}

/// The trainer's events up to `step`, from `metrics.jsonl`; none if the file cannot be read.
pub fn past_metrics(path: &Path, step: usize) -> Vec<TrainEvent> {
    let lines = lines(&Disk, &path.join("metrics.jsonl")).unwrap_or_default();
    let until = lines.iter().filter(|line| MetricsLine::step_of(line).is_some_and(|at| at <= step));
    until.filter_map(|line| MetricsLine::event_of(line)).collect()
}

/// Reads a run directory with every checkpoint, without changing it; `None` without a run.
///
/// # Errors
/// When its `config.toml` cannot be read, or the directory holds other files.
pub fn look(path: &Path) -> Result<Option<Found>, RunDirError> {
    let Some(config) = settings_of(path)? else { return Ok(None) };
    let CheckpointScan { newest, earlier, losses, skipped, .. } =
        scan(&Disk, &path.join(CHECKPOINTS), &config, None)?;
    let best = best(&losses).map(|(step, _)| step);
    let snapshots = named(&Disk, &path.join(SNAPSHOTS))?;
    Ok(Some(Found { config, state: newest, earlier, snapshots, best, skipped }))
}

/// The weights of the checkpoints in `earlier` and of all intact snapshots before a step, by step.
pub fn kept_weights(
    path: &Path,
    config: &RunConfig,
    earlier: Vec<(usize, Weights)>,
    before: usize,
) -> Vec<(usize, Weights)> {
    let mut files = named(&Disk, &path.join(SNAPSHOTS)).unwrap_or_default();
    drop(files.split_off(&before));
    let mut kept = load_all(&Disk, &files, &config.model);
    kept.extend(earlier);
    kept.into_iter().collect()
}

/// Step and file of the kept weights nearest to a step, by default the newest: of two, the earlier; `None` without any.
///
/// # Errors
/// When the files cannot be listed.
pub fn nearest_file(path: &Path, step: Option<usize>) -> Result<Option<(usize, PathBuf)>, FileError> {
    let mut files = named(&Disk, &path.join(CHECKPOINTS))?;
    let newest = files.keys().next_back().copied();
    let mut snapshots = named(&Disk, &path.join(SNAPSHOTS))?;
    // Steps after the newest checkpoint will be taken again.
    snapshots.retain(|kept, _| Some(*kept) <= newest);
    files.extend(snapshots);
    let wanted = step.or(newest).unwrap_or(0);
    Ok(files.into_iter().min_by_key(|(kept, _)| kept.abs_diff(wanted)))
}

/// Step of the newest file named like a checkpoint, if any.
///
/// # Errors
/// When the checkpoints cannot be listed.
pub fn newest_step(path: &Path) -> Result<Option<usize>, FileError> {
    Ok(named(&Disk, &path.join(CHECKPOINTS))?.into_keys().next_back())
}

/// Weights of every intact checkpoint after `step`, and of the snapshots before the newest of them, by step.
pub fn weights_since(path: &Path, config: &RunConfig, step: usize) -> Vec<(usize, Weights)> {
    let after = |folder: &str| {
        let mut files = named(&Disk, &path.join(folder)).unwrap_or_default();
        files.split_off(&(step + 1))
    };
    let load = |file: &PathBuf| TrainState::load(&Disk, file, config, None).ok();
    let saved = after(CHECKPOINTS);
    let saved: BTreeMap<usize, Weights> =
        saved.values().filter_map(load).map(|state| (state.step, state.weights)).collect();
    let Some(newest) = saved.keys().next_back().copied() else { return Vec::new() };
    let mut snapshots = after(SNAPSHOTS);
    drop(snapshots.split_off(&newest));
    let mut kept = load_all(&Disk, &snapshots, &config.model);
    kept.extend(saved);
    kept.into_iter().collect()
}
