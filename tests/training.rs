//! Training: PyTorch's trajectory, the same bits whatever goes on beside it, and runs that go on where they stopped.

mod reference;
#[path = "common/runs.rs"]
mod runs;

use std::path::Path;

use dfdx::prelude::Cpu;
use headcount::train::run_dir::look;
use headcount::train::{
    Outcome, RunConfig, RunDir, TrainCommand, TrainConfig, TrainError, TrainEvent, TrainState,
};
use reference::trajectory::follows_pytorch;
use runs::{Start, dataset, kept, small, train};

#[test]
fn forty_steps_follow_pytorch() {
    follows_pytorch(Cpu::default(), 1e-3);
}

/// A run directory, and where to go on from.
fn open(path: &Path, config: &RunConfig) -> Start {
    kept(RunDir::open(path, config, &dataset(config)).unwrap())
}

fn from_scratch(config: &RunConfig) -> Start {
    (None, TrainState::initial(config))
}

#[test]
fn the_same_seed_gives_the_same_bits_with_one_and_with_two_threads() {
    let config = small();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&config, from_scratch(&config), None, |_, _| {}).1)
    };
    let one = with(1);
    assert_eq!(one.len(), config.total_steps());
    assert_eq!(one, with(2));
    let other = RunConfig { seed: 6, ..config };
    assert_ne!(one, train(&other, from_scratch(&other), None, |_, _| {}).1);
}

#[test]
fn pausing_stepping_and_going_on_change_no_bit() {
    let config = small();
    let plain = train(&config, from_scratch(&config), None, |_, _| {}).1;
    let paused = train(&config, from_scratch(&config), None, |event, commands| {
        if let TrainEvent::Step(metrics) = event {
            let told: &[TrainCommand] = match metrics.step {
                3 => &[TrainCommand::Pause, TrainCommand::Step],
                4 => &[TrainCommand::Step],
                5 => &[TrainCommand::Save, TrainCommand::Resume],
                _ => &[],
            };
            told.iter().for_each(|command| commands.send(*command).unwrap());
        }
    });
    assert_eq!(paused.0.unwrap(), Outcome::Finished);
    assert_eq!(plain, paused.1);
}

#[test]
fn a_run_that_was_stopped_again_and_again_ends_as_one_that_was_not() {
    let config = small();
    let whole = tempfile::tempdir().unwrap();
    let parts = tempfile::tempdir().unwrap();
    let open = |path: &Path| open(path, &config);
    let uninterrupted = train(&config, open(whole.path()), None, |_, _| {}).1;
    let mut losses = Vec::new();
    // Three stops in one epoch, one at its edge, and one that loses the steps since the last checkpoint.
    for stop in [1, 2, 3, 6, 10] {
        losses.extend(train(&config, open(parts.path()), Some(stop), |_, _| {}).1);
    }
    losses.extend(train(&config, open(parts.path()), None, |_, _| {}).1);
    assert_eq!(uninterrupted, losses);
    let read = |dir: &Path, file: &str| std::fs::read(dir.join(file)).unwrap();
    for file in ["metrics.jsonl", "config.toml"] {
        assert_eq!(read(whole.path(), file), read(parts.path(), file), "{file}");
    }
    let state = |dir: &Path| look(dir).unwrap().unwrap().state.unwrap();
    assert_eq!(state(whole.path()).weights.values, state(parts.path()).weights.values);
    assert_eq!(state(whole.path()).moments, state(parts.path()).moments);
}

#[test]
fn a_run_ends_with_its_own_weights_exported_or_with_an_error_and_the_next_resume_writes_them() {
    let config = small();
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = dir.path().join("weights.safetensors");
    let go_on = |stop| train(&config, open(dir.path(), &config), stop, |_, _| {}).0;
    let is_whole = |file: &Path| {
        std::fs::read(file).unwrap() == std::fs::read(whole.path().join("weights.safetensors")).unwrap()
    };
    train(&config, open(whole.path(), &config), None, |_, _| {}).0.unwrap();
    go_on(Some(5)).unwrap();
    let stale = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    for _ in 0..2 {
        let error = go_on(None).unwrap_err();
        assert!(matches!(error, TrainError::NotExported { step: 18, .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains("step 18 is saved") && line.contains("weights.safetensors"), "{line}");
        assert!(look(dir.path()).unwrap().unwrap().is_finished());
    }
    std::fs::remove_dir(&file).unwrap();
    assert_eq!(go_on(None).unwrap(), Outcome::Finished);
    assert!(is_whole(&file));
    std::fs::write(&file, stale).unwrap();
    assert_eq!(go_on(None).unwrap(), Outcome::Finished);
    assert!(is_whole(&file));
}

#[test]
fn weights_of_another_step_are_replaced_as_soon_as_the_run_goes_on() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("weights.safetensors");
    train(&config, open(dir.path(), &config), Some(5), |_, _| {}).0.unwrap();
    let right = std::fs::read(&file).unwrap();
    std::fs::write(&file, "stale").unwrap();
    let mut found = None;
    train(&config, open(dir.path(), &config), None, |event, _| {
        if matches!(event, TrainEvent::Step(metrics) if metrics.step == 6) {
            found = std::fs::read(&file).ok();
        }
    })
    .0
    .unwrap();
    assert!(found == Some(right));
}

#[test]
fn steps_that_a_crash_lost_leave_no_line_behind() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), Some(8), |_, _| {}).0.unwrap();
    let checkpoints = dir.path().join("checkpoints");
    std::fs::remove_file(checkpoints.join("step-000008.safetensors")).unwrap();
    let again = open(dir.path(), &config);
    assert_eq!(again.1.step, 4);
    train(&config, again, None, |_, _| {}).0.unwrap();
    let text = std::fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    let steps: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line.get("train_loss").is_some())
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=config.total_steps() as u64).collect::<Vec<_>>());
}

#[test]
fn a_damaged_checkpoint_is_passed_over_and_named() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), Some(8), |_, _| {}).0.unwrap();
    let newest = dir.path().join("checkpoints/step-000008.safetensors");
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() - 7]).unwrap();
    let found = look(dir.path()).unwrap().unwrap();
    assert_eq!(found.step(), 4);
    assert!(found.skipped[0].contains("step-000008"), "{:?}", found.skipped);
}

#[test]
fn the_best_and_the_newest_checkpoints_are_kept() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    train(&config, open(dir.path(), &config), None, |_, _| {}).0.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 3 || names.len() == 4, "{names:?}");
    assert_eq!(names.last().unwrap(), "step-000018.safetensors");
}

#[test]
fn a_nan_ends_the_run_and_the_last_good_checkpoint_stays() {
    let config = RunConfig { train: TrainConfig { max_lr: 100.0, ..small().train }, ..small() };
    let dir = tempfile::tempdir().unwrap();
    let (run_dir, mut state) = open(dir.path(), &config);
    state.weights.values.iter_mut().for_each(|w| *w *= 1e18);
    let mut said = Vec::new();
    let (outcome, _) = train(&config, (run_dir, state), None, |event, _| said.push(format!("{event:?}")));
    assert!(matches!(outcome, Err(TrainError::NotFinite { .. })), "{outcome:?}");
    assert!(said.iter().any(|event| event.contains("not finite")), "{said:?}");
    assert!(said.last().unwrap().contains("Failed"), "{said:?}");
    let found = look(dir.path()).unwrap().unwrap();
    assert!(found.state.unwrap().weights.first_non_finite().is_none());
}

#[test]
fn weights_that_are_not_finite_at_the_end_are_an_error() {
    let config = small();
    let dir = tempfile::tempdir().unwrap();
    let (run_dir, mut state) = open(dir.path(), &config);
    state.moments.first[0] = f32::MAX;
    state.moments.second[0] = 0.0;
    // The loss of the first step is that of the weights before it.
    let (outcome, losses) = train(&config, (run_dir, state), Some(1), |_, _| {});
    assert!(losses.iter().all(|loss| f32::from_bits(*loss).is_finite()));
    let error = outcome.unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { step: 1, last_good: 0, .. }), "{error}");
}

#[test]
fn a_panic_in_the_trainer_becomes_an_error_and_an_event() {
    let config = small();
    let mut said = Vec::new();
    let (outcome, _) = train(&config, from_scratch(&config), None, |event, _| {
        said.push(format!("{event:?}"));
        assert!(!matches!(event, TrainEvent::Step(metrics) if metrics.step == 2), "injected");
    });
    assert!(
        matches!(&outcome, Err(TrainError::Panicked(message)) if message.contains("injected")),
        "{outcome:?}"
    );
    assert!(said[said.len() - 2].contains("the trainer died"), "{said:?}");
}
