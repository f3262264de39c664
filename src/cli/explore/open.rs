//! What the screen opens: a run to train, a finished run, a run of another process, or a file.

use std::path::Path;
use std::sync::Arc;

use super::super::args::{DataArgs, ExploreArgs, SettingsArgs};
use super::super::input::{self, Requested};
use super::super::{Failure, afford, say};
use super::follower::{self, Follower};
use super::watcher::{Watcher, step_of};
use crate::app::Mode;
use crate::model::{ModelConfig, Snapshot, Weights};
use crate::task::Dataset;
use crate::term::sanitize;
use crate::train::run_dir::{Found, kept_weights, look, newest_step, past_metrics};
use crate::train::{DeviceChoice, Opened, RunConfig, RunDir, RunDirError, TrainEvent, TrainState};

/// What the screen opens.
pub struct Plan {
    pub config: RunConfig,
    pub dataset: Arc<Dataset>,
    /// Events that the app receives first.
    pub past: Vec<TrainEvent>,
    pub mode: Mode,
    /// The run to train, if any.
    pub(super) training: Option<(RunDir, TrainState)>,
    /// The run that another process trains, if any.
    pub(super) follower: Option<Follower>,
    /// The files that another program writes, if they are watched.
    pub(super) watcher: Option<Watcher>,
}

fn dataset(config: &RunConfig) -> Result<Arc<Dataset>, Failure> {
    input::dataset_of(config).map(Arc::new)
}

fn exploring(path: &Path) -> Mode {
    Mode::Exploring { weights: sanitize(&path.display().to_string()).into_owned() }
}

/// The data of the run that weights come from. If its data file is gone, the weights are explored without labels, and
/// why.
fn labelled(config: &RunConfig, weights: &Path) -> (Arc<Dataset>, Option<String>) {
    let without = || {
        let task = input::named_task_of(config, weights);
        Arc::new(Dataset::generate(task, &config.task, config.seed))
    };
    match &config.task.data {
        None => (without(), None),
        Some(_) => dataset(config).map_or_else(
            |gone| (without(), Some(format!("without labels: {gone}"))),
            |dataset| (dataset, None),
        ),
    }
}

/// The pattern of files to watch: of `--watch`, or of a `--run` that has weights with steps but is no run of ours.
pub(super) fn outside(args: &ExploreArgs) -> Option<String> {
    let of_run = || {
        let run = args.run.run.as_ref().filter(|run| !run.join("config.toml").exists())?;
        let pattern = Path::new(&glob::Pattern::escape(run.to_str()?)).join("*.safetensors");
        let pattern = pattern.to_str()?.to_owned();
        let has_steps = glob::glob(&pattern).ok()?.flatten().any(|path| step_of(&path).is_some());
        has_steps.then_some(pattern)
    };
    args.watch.clone().or_else(of_run)
}

/// Opens weights that another program writes while it trains, once there are any.
pub(super) fn watched(
    pattern: &str,
    metrics: Option<&Path>,
    (settings, data): (&SettingsArgs, &DataArgs),
    seed: Option<u64>,
) -> Result<Plan, Failure> {
    let mut watcher = Watcher::new(pattern, metrics, settings)?;
    let (newest, model, past) = watcher.first()?;
    let (config, dataset, note) = explored(&newest, &model, (settings, data), seed)?;
    let past = past.into_iter().chain(note.map(TrainEvent::Notice)).collect();
    let mode = exploring(Path::new(pattern));
    Ok(Plan { dataset, config, past, mode, training: None, follower: None, watcher: Some(watcher) })
}

/// Settings and data of weights that are explored, and why they have no labels.
fn explored(
    path: &Path,
    model: &ModelConfig,
    (settings, data): (&SettingsArgs, &DataArgs),
    seed: Option<u64>,
) -> Result<(RunConfig, Arc<Dataset>, Option<String>), Failure> {
    let mut config = input::settings_of(path, settings, model)?;
    config.seed = seed.unwrap_or(config.seed);
    afford::explore(&config, None)?;
    let (dataset, unread) = match &data.data {
        Some(file) => (Arc::new(input::data(file, data.rule(), model)?), None),
        None => labelled(&config, path),
    };
    Ok((config, dataset, unread))
}

/// Opens weights that no process trains.
pub fn weights(
    path: &Path,
    (settings, data): (&SettingsArgs, &DataArgs),
    seed: Option<u64>,
) -> Result<Plan, Failure> {
    let opened = input::completed(path, settings)?;
    let (config, dataset, unread) = explored(path, opened.weights.config(), (settings, data), seed)?;
    let notes = opened.notes.iter().cloned().chain(unread).map(TrainEvent::Notice);
    let snapshot = TrainEvent::Snapshot(Arc::new(Snapshot::new(0, opened.weights.clone())));
    let past = notes.chain([snapshot]).collect();
    Ok(Plan { dataset, config, past, mode: exploring(path), training: None, follower: None, watcher: None })
}

pub(super) fn run(
    Requested { path, config, found }: Requested,
    device: DeviceChoice,
) -> Result<Plan, Failure> {
    afford::explore(&config, None)?;
    // Decode checkpoints once: here, or when the run is taken for training.
    if found
        && newest_step(&path)?.is_some_and(|newest| newest >= config.total_steps())
        && let Some(found) = look(&path)?.filter(Found::is_finished)
        && let Some(plan) = plan_of(&path, found, &config)?
    {
        return Ok(plan);
    }
    let dataset = dataset(&config)?;
    afford::explore(&config, Some(device))?;
    let Opened { run_dir, state, earlier, skipped } = match RunDir::open(&path, &config, &dataset) {
        Err(error @ RunDirError::Locked { .. }) => return read_only(&path, config, dataset, error),
        opened => opened?,
    };
    let past = past((&path, &config), &state, earlier, &skipped);
    if state.step > 0 {
        let place = path.display().to_string();
        say(&format!("headcount: going on with {} from step {}", sanitize(&place), state.step));
    }
    let training = Some((run_dir, state));
    Ok(Plan { config, dataset, past, mode: Mode::Live, training, follower: None, watcher: None })
}

/// Opens what a run has saved, whichever process trains it.
pub fn kept(path: &Path) -> Result<Plan, Failure> {
    let nothing = || Failure::Usage(format!("--run {}: no run with a checkpoint is there", path.display()));
    let found = look(path)?.ok_or_else(nothing)?;
    let config = found.config.clone();
    afford::explore(&config, None)?;
    plan_of(path, found, &config)?.ok_or_else(nothing)
}

/// The plan for a run's files; `None` without a checkpoint.
fn plan_of(path: &Path, found: Found, config: &RunConfig) -> Result<Option<Plan>, Failure> {
    let Found { state, earlier, skipped, .. } = found;
    let Some(state) = state else { return Ok(None) };
    let past = past((path, config), &state, earlier, &skipped);
    let (dataset, mode) = (dataset(config)?, exploring(path));
    Ok(Some(Plan {
        config: config.clone(),
        dataset,
        past,
        mode,
        training: None,
        follower: None,
        watcher: None,
    }))
}

/// Opens what is saved of a run that another process trains.
fn read_only(
    path: &Path,
    config: RunConfig,
    dataset: Arc<Dataset>,
    locked: RunDirError,
) -> Result<Plan, Failure> {
    let (Some(Found { state: Some(state), earlier, .. }), RunDirError::Locked { owner, .. }) =
        (look(path)?, &locked)
    else {
        return Err(locked.into());
    };
    let step = state.step;
    let mut past = past((path, &config), &state, earlier, &[]);
    past.push(follower::read_only(owner));
    let trainer = Some(owner.clone());
    let follower = Some(Follower { run: path.into(), config: config.clone(), step, trainer });
    Ok(Plan { config, dataset, past, mode: exploring(path), training: None, follower, watcher: None })
}

/// The trainer's events up to the step of `newest`, and the saved weights as snapshots.
fn past(
    (path, config): (&Path, &RunConfig),
    newest: &TrainState,
    earlier: Vec<(usize, Weights)>,
    skipped: &[String],
) -> Vec<TrainEvent> {
    let skipped = skipped.iter().map(|why| TrainEvent::Notice(format!("skipped a checkpoint: {why}")));
    // At step 0 the trainer publishes the initial weights itself.
    let newest_kept = (newest.step > 0).then(|| (newest.step, newest.weights.clone()));
    let weights = kept_weights(path, config, earlier, newest.step).into_iter().chain(newest_kept);
    let snapshots =
        weights.map(|(kept, weights)| TrainEvent::Snapshot(Arc::new(Snapshot::new(kept, weights))));
    past_metrics(path, newest.step).into_iter().chain(snapshots).chain(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{DECODED, TrainConfig};

    #[test]
    fn each_checkpoint_of_a_run_is_decoded_once() {
        let model = ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, ..ModelConfig::default() };
        let train = TrainConfig { epochs: 1, ..TrainConfig::default() };
        let config = RunConfig { model, train, ..RunConfig::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let save = |step: usize| {
            let mut opened = RunDir::open(&path, &config, &dataset(&config).unwrap()).unwrap();
            opened.run_dir.save(&TrainState { step, ..TrainState::initial(&config) }).unwrap();
            opened.run_dir
        };
        let decoded_by_opening = || {
            let before = DECODED.get();
            let plan =
                run(Requested { path: path.clone(), config: config.clone(), found: true }, DeviceChoice::Cpu)
                    .unwrap();
            let snapshots = plan.past.iter().filter(|event| matches!(event, TrainEvent::Snapshot(_))).count();
            (DECODED.get() - before, snapshots)
        };
        drop(save(2));
        drop(save(5));
        assert_eq!(decoded_by_opening(), (2, 2), "unfinished");
        let trainer = save(6);
        assert_eq!(decoded_by_opening(), (3, 3), "trained by another");
        drop(trainer);
        drop(save(7));
        assert_eq!(decoded_by_opening(), (3, 3), "finished");
    }
}
