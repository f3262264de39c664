//! The checkpoints of a run: the newest few and the best, each in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{CheckpointError, TrainState};
use super::config::RunConfig;
use super::durable::{replace, sweep};
use super::files::{FileError, Files};
use crate::model::Weights;

/// How many of the newest checkpoints are kept, beside the best.
const KEEP: usize = 3;

/// The checkpoints in a directory.
pub struct Checkpoints {
    files: Arc<dyn Files>,
    directory: PathBuf,
    config: RunConfig,
    data: u32,
    /// Intact checkpoints: validation loss by step.
    kept: BTreeMap<usize, Option<f64>>,
}

/// The contents of a directory of checkpoints.
pub struct CheckpointScan {
    /// The newest intact checkpoint.
    pub newest: Option<TrainState>,
    /// The weights of the other intact checkpoints, by step.
    pub earlier: Vec<(usize, Weights)>,
    /// The validation loss of each intact checkpoint, by step.
    pub losses: BTreeMap<usize, Option<f64>>,
    /// Files newer than `newest` that cannot be resumed from, and why.
    pub skipped: Vec<String>,
    /// All damaged files.
    damaged: Vec<PathBuf>,
}

/// Reads every checkpoint in a directory; without `data`, their training data is not checked.
///
/// # Errors
/// When the directory cannot be listed, or one was trained on other data.
pub fn scan(
    files: &dyn Files,
    directory: &Path,
    config: &RunConfig,
    data: Option<u32>,
) -> Result<CheckpointScan, CheckpointError> {
    let mut scan = CheckpointScan {
        newest: None,
        earlier: Vec::new(),
        losses: BTreeMap::new(),
        skipped: Vec::new(),
        damaged: Vec::new(),
    };
    for (step, path) in named(files, directory)? {
        let loaded = TrainState::load(files, &path, config, data).and_then(|state| {
            let problem = || format!("holds step {}", state.step);
            let path = || path.display().to_string();
            if state.step == step {
                Ok(state)
            } else {
                Err(CheckpointError::Damaged { path: path(), problem: problem() })
            }
        });
        match loaded {
            Ok(state) => {
                scan.losses.insert(step, state.validation_loss);
                let before = scan.newest.replace(state);
                scan.earlier.extend(before.map(|state| (state.step, state.weights)));
                scan.skipped.clear();
            }
            Err(error @ CheckpointError::OtherData { .. }) => return Err(error),
            // The process that trains has just removed the file.
            Err(CheckpointError::Read(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                scan.skipped.push(error.to_string());
                if matches!(error, CheckpointError::Damaged { .. }) {
                    scan.damaged.push(path);
                }
            }
        }
    }
    Ok(scan)
}

/// Step and loss of the lowest validation loss.
pub(super) fn best(losses: &BTreeMap<usize, Option<f64>>) -> Option<(usize, f64)> {
    let known = losses.iter().filter_map(|(step, loss)| Some((*step, (*loss)?)));
    known.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// Files named like checkpoints, by step.
pub(super) fn named(files: &dyn Files, directory: &Path) -> Result<BTreeMap<usize, PathBuf>, FileError> {
    let names = match files.list(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(FileError::at("list", directory))?,
    };
    let step_of = |name: &str| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let by_step = names.iter().filter_map(|name| Some((step_of(name.to_str()?)?, directory.join(name))));
    Ok(by_step.collect())
}

impl Checkpoints {
    /// Opens a directory of checkpoints for writing: removes leftovers, sets damaged files aside.
    ///
    /// # Errors
    /// See `scan`.
    pub fn open(
        files: Arc<dyn Files>,
        directory: &Path,
        config: &RunConfig,
        data: u32,
    ) -> Result<(Self, CheckpointScan), CheckpointError> {
        sweep(&*files, directory);
        let scan = scan(&*files, directory, config, Some(data))?;
        for path in &scan.damaged {
            set_aside(&*files, path);
        }
        let kept = scan.losses.clone();
        let (directory, config) = (directory.into(), config.clone());
        Ok((Self { files, directory, config, data, kept }, scan))
    }

    /// Writes later checkpoints with the settings of a longer run.
    pub(super) fn extend(&mut self, longer: &RunConfig) {
        self.config = longer.clone();
    }

    /// Saves a checkpoint durably and reads it back, then removes all but the newest and the best.
    ///
    /// # Errors
    /// Names the file; older checkpoints are then unchanged.
    pub fn save(&mut self, state: &TrainState) -> Result<(), FileError> {
        let path = self.path(state.step);
        let bytes = state.encode(&self.config, self.data);
        replace(&*self.files, &path, &bytes)?;
        let back = self.files.read(&path, bytes.len() as u64).map_err(FileError::at("read back", &path))?;
        if back != bytes {
            let problem = std::io::Error::other("it is not what was written");
            return Err(FileError::at("read back", &path)(problem));
        }
        self.kept.insert(state.step, state.validation_loss);
        self.purge();
        Ok(())
    }

    /// Step and validation loss of the best checkpoint, if any was validated.
    pub(super) fn best(&self) -> Option<(usize, f64)> {
        best(&self.kept)
    }

    /// The weights of a kept checkpoint.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub(super) fn weights(&self, step: usize) -> Result<Weights, FileError> {
        let path = self.path(step);
        let state = TrainState::load(&*self.files, &path, &self.config, Some(self.data));
        state.map(|state| state.weights).map_err(|error| match error {
            CheckpointError::Read(error) => error,
            error => FileError::at("read", &path)(std::io::Error::other(error.to_string())),
        })
    }

    fn path(&self, step: usize) -> PathBuf {
        self.directory.join(format!("step-{step:06}.safetensors"))
    }

    /// A checkpoint that cannot be removed only takes space until the next save.
    fn purge(&mut self) {
        let best = self.best().map(|(step, _)| step);
        let older = self.kept.len().saturating_sub(KEEP);
        let unneeded: Vec<usize> =
            self.kept.keys().copied().take(older).filter(|step| Some(*step) != best).collect();
        for step in unneeded {
            if self.files.remove(&self.path(step)).is_ok() {
                self.kept.remove(&step);
            }
        }
    }
}

/// Renames a damaged file so that nothing reads or overwrites it.
fn set_aside(files: &dyn Files, path: &Path) {
    let taken = |name: &Path| {
        files
            .list(name.parent().unwrap_or(name))
            .is_ok_and(|names| names.iter().any(|taken| Some(taken.as_os_str()) == name.file_name()))
    };
    let numbered = (1..=1000).map(|number| path.with_extension(format!("damaged-{number}")));
    if let Some(free) = numbered.into_iter().find(|name| !taken(name)) {
        let _ = files.rename(path, &free);
    }
}
