//! What the screen is opened on: a run that trains, one that is finished, one that another process trains, or a file.

use std::path::Path;
use std::sync::Arc;

use super::super::args::ExploreArgs;
use super::super::input::{self, Requested};
use super::super::{Failure, say};
use super::follower::{self, Follower};
use crate::app::Mode;
use crate::model::{ModelConfig, Snapshot};
use crate::task::Dataset;
use crate::term::scrub;
use crate::train::run_dir::{past_metrics, past_weights};
use crate::train::{RunConfig, RunDir, RunDirError, TrainEvent, TrainState};

/// What is opened.
pub(super) struct Plan {
    pub(super) config: RunConfig,
    pub(super) dataset: Arc<Dataset>,
    /// What the app hears before anything else.
    pub(super) past: Vec<TrainEvent>,
    pub(super) mode: Mode,
    /// What is trained, if anything is.
    pub(super) training: Option<(RunDir, TrainState)>,
    /// What another process trains.
    pub(super) follower: Option<Follower>,
}

fn dataset(config: &RunConfig) -> Arc<Dataset> {
    Arc::new(input::dataset_of(config))
}

fn exploring(path: &Path) -> Mode {
    Mode::Exploring { weights: scrub(&path.display().to_string()).into_owned() }
}

pub(super) fn weights(path: &Path, args: &ExploreArgs) -> Result<Plan, Failure> {
    let opened = input::completed(path, args.run.config.as_deref())?;
    let model: &ModelConfig = opened.weights.config();
    let mut config = input::settings_of(path, args.run.config.as_deref(), model)?;
    config.seed = args.run.seed.unwrap_or(config.seed);
    let notes = opened.notes.iter().map(|note| TrainEvent::Notice(note.clone()));
    let snapshot = TrainEvent::Snapshot(Arc::new(Snapshot::new(0, opened.weights.clone())));
    let past = notes.chain([snapshot]).collect();
    Ok(Plan {
        dataset: dataset(&config),
        config,
        past,
        mode: exploring(path),
        training: None,
        follower: None,
    })
}

pub(super) fn run(Requested { path, config, found }: Requested) -> Result<Plan, Failure> {
    let dataset = dataset(&config);
    if let Some(found) = found.as_ref().filter(|found| found.state.is_some() && found.is_finished()) {
        let past = past(&path, &config, found.step(), &found.skipped);
        return Ok(Plan { config, dataset, past, mode: exploring(&path), training: None, follower: None });
    }
    let opened = match RunDir::open(&path, &config, &dataset) {
        Err(error @ RunDirError::Locked { .. }) => return read_only(&path, config, dataset, error),
        opened => opened?,
    };
    let step = opened.state.step;
    let past = past(&path, &config, step, &opened.skipped);
    if step > 0 {
        say(&format!("headcount: going on with {} from step {step}", scrub(&path.display().to_string())));
    }
    let training = Some((opened.run_dir, opened.state));
    Ok(Plan { config, dataset, past, mode: Mode::Live, training, follower: None })
}

/// A run that another process trains: what is saved of it.
fn read_only(
    path: &Path,
    config: RunConfig,
    dataset: Arc<Dataset>,
    locked: RunDirError,
) -> Result<Plan, Failure> {
    let weights = past_weights(path, &config);
    let (Some((step, _)), RunDirError::Locked { owner, .. }) = (weights.last(), &locked) else {
        return Err(locked.into());
    };
    let step = *step;
    let mut past = past(path, &config, step, &[]);
    past.push(follower::read_only(owner));
    let trainer = Some(owner.clone());
    let follower = Some(Follower { run: path.into(), config: config.clone(), step, trainer });
    Ok(Plan { config, dataset, past, mode: exploring(path), training: None, follower })
}

/// What the trainer said until `step`, and what it saved.
fn past(path: &Path, config: &RunConfig, step: usize, skipped: &[String]) -> Vec<TrainEvent> {
    let skipped = skipped.iter().map(|why| TrainEvent::Notice(format!("skipped a checkpoint: {why}")));
    let weights = past_weights(path, config).into_iter().filter(|(kept, _)| *kept <= step);
    let snapshots =
        weights.map(|(kept, weights)| TrainEvent::Snapshot(Arc::new(Snapshot::new(kept, weights))));
    past_metrics(path, step).into_iter().chain(snapshots).chain(skipped).collect()
}
