//! The directory that a run lives in.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::checkpoint::TrainState;
use super::config::{RunConfig, RunConfigError};
use super::durable::{FileError, create_private_dir, write_atomically};
use super::events::{EpochMetrics, StepMetrics, TrainEvent};
use super::metrics::MetricsLine;
use crate::model::weights_file::encode_weights;

/// Newest checkpoints that are kept, beside the best.
const KEEP: usize = 3;
/// No configuration is longer.
const MAX_CONFIG: u64 = 256 << 10;

/// A run directory that cannot be used.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The file system's word.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// Another process is training there.
    #[error("{path} is being trained by {owner}")]
    Locked {
        /// The directory.
        path: String,
        /// Who.
        owner: String,
    },
    /// A run is there already.
    #[error(
        "{path} already holds a run ({done} of {total} steps): give --resume to go on with it, or another --run"
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

/// A run directory, held by this process for writing.
pub struct RunDir {
    path: PathBuf,
    config: RunConfig,
    metrics: Option<BufWriter<File>>,
    /// Held as long as this lives; the system lets go of it however the process ends.
    _lock: File,
}

/// What lies in a run directory.
pub struct Found {
    /// The run's settings.
    pub config: RunConfig,
    /// The newest checkpoint that is whole, if any.
    pub state: Option<TrainState>,
    /// Newer ones that are not, and why.
    pub skipped: Vec<String>,
}

impl Found {
    /// Steps taken at the newest whole checkpoint.
    pub fn step(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.step)
    }

    /// Whether every step of the schedule has been taken.
    pub fn is_finished(&self) -> bool {
        self.step() >= self.config.total_steps()
    }
}

/// Reads what is in a run directory without touching it; `None` when there is no run.
///
/// # Errors
/// When its `config.toml` cannot be read, or the directory holds something else.
pub fn look(path: &Path) -> Result<Option<Found>, RunDirError> {
    let file = path.join("config.toml");
    if !file.exists() {
        let is_empty = fs::read_dir(path)
            .map_or(true, |mut entries| entries.all(|e| e.is_ok_and(|e| e.file_name() == "lock")));
        return if is_empty { Ok(None) } else { Err(RunDirError::NotARun(path.display().to_string())) };
    }
    let config = read_config(&file)?;
    let (state, skipped) = newest_checkpoint(path, &config)?;
    Ok(Some(Found { config, state, skipped }))
}

/// Reads a configuration file.
///
/// # Errors
/// Names the file, line, column and key.
pub fn read_config(path: &Path) -> Result<RunConfig, RunDirError> {
    let mut text = String::new();
    let file = File::open(path).map_err(FileError::at("open", path))?;
    file.take(MAX_CONFIG).read_to_string(&mut text).map_err(FileError::at("read", path))?;
    RunConfig::parse(&text).map_err(|source| {
        let position =
            source.position(&text).map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
        RunDirError::Config { place: format!("{}{position}", path.display()), source }
    })
}

fn newest_checkpoint(
    path: &Path,
    config: &RunConfig,
) -> Result<(Option<TrainState>, Vec<String>), RunDirError> {
    let mut skipped = Vec::new();
    for (_, file) in checkpoints(path)?.into_iter().rev() {
        match TrainState::load(&file, config) {
            Ok(state) => return Ok((Some(state), skipped)),
            Err(error) => skipped.push(error.to_string()),
        }
    }
    Ok((None, skipped))
}

/// Checkpoints by step.
fn checkpoints(path: &Path) -> Result<Vec<(usize, PathBuf)>, FileError> {
    let directory = path.join("checkpoints");
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&directory).map_err(FileError::at("list", &directory))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let file = entry.ok()?.path();
            let step = file
                .file_name()?
                .to_str()?
                .strip_prefix("step-")?
                .strip_suffix(".safetensors")?
                .parse()
                .ok()?;
            Some((step, file))
        })
        .collect();
    found.sort();
    Ok(found)
}

/// What the trainer said up to `step`, from `metrics.jsonl`. A file that cannot be read says nothing.
pub fn past_metrics(path: &Path, step: usize) -> Vec<TrainEvent> {
    let text = fs::read_to_string(path.join("metrics.jsonl")).unwrap_or_default();
    let lines = text.lines().filter(|line| MetricsLine::step_of(line).is_some_and(|at| at <= step));
    lines.filter_map(MetricsLine::event_of).collect()
}

/// Every checkpoint that is whole, by step.
pub fn checkpoint_states(path: &Path, config: &RunConfig) -> Vec<TrainState> {
    let files = checkpoints(path).unwrap_or_default();
    files.into_iter().filter_map(|(_, file)| TrainState::load(&file, config).ok()).collect()
}

impl RunDir {
    /// Takes a directory for a run with these settings, making it where needed. `metrics.jsonl` is cut back to
    /// `from_step`, the step that training will go on from.
    ///
    /// # Errors
    /// When it cannot be written, another process holds it, or it holds a run with other settings.
    pub fn open(path: &Path, config: &RunConfig, from_step: usize) -> Result<Self, RunDirError> {
        create_private_dir(&path.join("checkpoints"))?;
        let lock = lock(path)?;
        let config_file = path.join("config.toml");
        if config_file.exists() {
            refuse_contradictions(path, &read_config(&config_file)?, config)?;
        } else {
            write_atomically(&config_file, config.to_toml().as_bytes())?;
        }
        let metrics_file = path.join("metrics.jsonl");
        cut_metrics(&metrics_file, from_step)?;
        let metrics = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&metrics_file)
            .map_err(FileError::at("open", &metrics_file))?;
        Ok(Self {
            path: path.into(),
            config: config.clone(),
            metrics: Some(BufWriter::new(metrics)),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a step's line to `metrics.jsonl`.
    ///
    /// # Errors
    /// Names the file; the run can go on without the line.
    pub fn log_step(&mut self, metrics: &StepMetrics) -> Result<(), FileError> {
        self.log(&MetricsLine::Step(metrics.clone()))
    }

    /// Adds an epoch's line to `metrics.jsonl`, and makes all lines so far readable to others.
    ///
    /// # Errors
    /// Names the file; the run can go on without the line.
    pub fn log_epoch(&mut self, metrics: &EpochMetrics) -> Result<(), FileError> {
        self.log(&MetricsLine::from(metrics))?;
        self.flush()
    }

    fn log(&mut self, line: &MetricsLine) -> Result<(), FileError> {
        let path = self.path.join("metrics.jsonl");
        let Some(file) = &mut self.metrics else { return Ok(()) };
        writeln!(file, "{}", line.to_json()).map_err(FileError::at("write", &path))
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let path = self.path.join("metrics.jsonl");
        let Some(file) = &mut self.metrics else { return Ok(()) };
        file.flush().map_err(FileError::at("write", &path))
    }

    /// Saves a checkpoint durably, then drops those that are neither among the newest nor the best.
    ///
    /// # Errors
    /// Names the file; older checkpoints are then untouched.
    pub fn save(&mut self, state: &TrainState) -> Result<(), FileError> {
        self.flush()?;
        let path = self.path.join("checkpoints").join(format!("step-{:06}.safetensors", state.step));
        state.save(&path, &self.config)?;
        write_atomically(&self.path.join("weights.safetensors"), &encode_weights(&state.weights))?;
        self.purge();
        Ok(())
    }

    /// A checkpoint that cannot be removed only takes room.
    fn purge(&self) {
        let Ok(checkpoints) = checkpoints(&self.path) else { return };
        let older = &checkpoints[..checkpoints.len().saturating_sub(KEEP)];
        let loss =
            |path: &Path| TrainState::load(path, &self.config).ok().and_then(|state| state.validation_loss);
        let losses: Vec<Option<f64>> = checkpoints.iter().map(|(_, path)| loss(path)).collect();
        let best = losses.iter().flatten().copied().reduce(f64::min);
        for ((_, path), loss) in older.iter().zip(&losses) {
            if loss.is_none() || *loss != best {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn lock(path: &Path) -> Result<File, RunDirError> {
    let file = path.join("lock");
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file);
    let mut lock = open.map_err(FileError::at("open", &file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = lock.take(64).read_to_string(&mut owner);
            let owner =
                if owner.is_empty() { "another process".into() } else { format!("process {}", owner.trim()) };
            return Err(RunDirError::Locked { path: path.display().to_string(), owner });
        }
        Err(TryLockError::Error(source)) => return Err(FileError::at("lock", &file)(source).into()),
    }
    // Who holds it is only for the message that others print.
    let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
    Ok(lock)
}

/// Lines of steps that will be taken again go; so does a last line that was cut short.
fn cut_metrics(path: &Path, from_step: usize) -> Result<(), FileError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(FileError::at("read", path))?,
    };
    let lines = text.lines().filter(|line| MetricsLine::step_of(line).is_some_and(|step| step <= from_step));
    let kept: String = lines.flat_map(|line| [line, "\n"]).collect();
    if kept == text { Ok(()) } else { write_atomically(path, kept.as_bytes()) }
}

/// Refuses to go on with a run under other settings than its own.
///
/// # Errors
/// Names the settings that differ.
pub fn refuse_contradictions(path: &Path, theirs: &RunConfig, ours: &RunConfig) -> Result<(), RunDirError> {
    if theirs == ours {
        return Ok(());
    }
    let lines = |config: &RunConfig| -> Vec<String> { named_settings(config) };
    let pairs = lines(theirs).into_iter().zip(lines(ours)).filter(|(theirs, ours)| theirs != ours);
    let (theirs, ours): (Vec<_>, Vec<_>) = pairs.unzip();
    let path = path.display().to_string();
    Err(RunDirError::Contradiction { path, ours: ours.join(", "), theirs: theirs.join(", ") })
}

/// `table.key = value` of every setting, in one order.
fn named_settings(config: &RunConfig) -> Vec<String> {
    let toml = config.to_toml();
    let mut table = String::new();
    toml.lines()
        .filter_map(|line| match line.strip_prefix('[') {
            Some(name) => {
                table = format!("{}.", name.trim_end_matches(']'));
                None
            }
            None => (!line.is_empty()).then(|| format!("{table}{line}")),
        })
        .collect()
}
