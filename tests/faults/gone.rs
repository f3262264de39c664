//! The run directory is renamed, removed or replaced while it is trained in: the run is kept elsewhere.

use std::process::Stdio;

use headcount::train::RunDir;
use headcount::train::run_dir::look;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

type Vanish<'a> = dyn Fn(&Path) + 'a;

/// Trains in `run`, which `vanish` takes away after the fifth step.
fn train_without(run: &Path, vanish: &Vanish<'_>) -> (Result<Outcome, TrainError>, Vec<u32>, Vec<String>) {
    let config = small();
    let opened = RunDir::open(run, &config, &dataset(&config)).unwrap();
    let mut unsaved = Vec::new();
    let (outcome, losses) = train(&config, opened, |event, _| match event {
        TrainEvent::Step(metrics) if metrics.step == 5 => vanish(run),
        TrainEvent::Unsaved(Some(why)) => unsaved.push(why.clone()),
        _ => {}
    });
    (outcome, losses, unsaved)
}

#[test]
fn a_run_whose_directory_vanishes_is_trained_to_its_end_and_kept_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let healthy = folder.path().join("healthy");
    let losses = train_without(&healthy, &|_| {}).1;
    let weights = fs::read(healthy.join("weights.safetensors")).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let vanishing: [(&str, &Vanish<'_>); 3] = [
        ("renamed", &|run| fs::rename(run, &elsewhere).unwrap()),
        ("removed", &|run| fs::remove_dir_all(run).unwrap()),
        ("replaced", &|run| {
            fs::remove_dir_all(run).unwrap();
            fs::create_dir_all(run.join("checkpoints")).unwrap();
        }),
    ];
    for (name, vanish) in vanishing {
        let run = folder.path().join(name);
        let (outcome, ours, unsaved) = train_without(&run, vanish);
        assert_eq!(ours, losses, "{name}");
        assert!(unsaved[0].contains("renamed, removed or replaced"), "{name}: {unsaved:?}");
        let error = outcome.unwrap_err();
        let TrainError::NotSaved { rescued: Some(kept), .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(*kept, folder.path().join(format!("{name}-rescued-1")));
        assert!(error.to_string().contains(&kept.display().to_string()), "{error}");
        assert!(look(kept).unwrap().unwrap().is_finished(), "{name}");
        assert!(fs::read(kept.join("weights.safetensors")).unwrap() == weights, "{name}");
        if name == "replaced" {
            assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 0, "another's is left alone");
        }
    }
}

#[test]
fn a_run_whose_directory_vanishes_goes_on_beside_it_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let (config, healthy, run) = (small(), folder.path().join("healthy"), folder.path().join("run"));
    let losses = train_without(&healthy, &|_| {}).1;
    let mut moved = Vec::new();
    let opened = RunDir::open(&run, &config, &dataset(&config)).unwrap();
    let (outcome, ours) = train(&config, opened, |event, commands| match event {
        TrainEvent::Step(metrics) if metrics.step == 5 => fs::remove_dir_all(&run).unwrap(),
        TrainEvent::Unsaved(Some(_)) => commands.send(TrainCommand::Rescue).unwrap(),
        TrainEvent::Rescued { step, run_dir } => moved.push((*step, run_dir.clone())),
        _ => {}
    });
    let beside = folder.path().join("run-rescued-1");
    assert_eq!((outcome.unwrap(), &ours), (Outcome::Finished, &losses));
    assert_eq!(moved, [(8, beside.display().to_string())]);
    assert!(look(&beside).unwrap().unwrap().is_finished());
    let weights = |dir: &Path| fs::read(dir.join("weights.safetensors")).unwrap();
    assert!(weights(&beside) == weights(&healthy) && !run.exists());
    let metrics = fs::read_to_string(beside.join("metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().filter(|line| line.contains("train_loss")).count(), 18 - 8);
    RunDir::open(&beside, &config, &dataset(&config)).unwrap();
}

#[test]
fn a_signal_after_the_directory_was_removed_loses_nothing_and_the_line_says_where() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), 1_000_000, 50);
    let child = trainer(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let run = folder.path().join("run");
    let deadline = std::time::Instant::now() + PATIENCE;
    while look(&run).ok().flatten().is_none_or(|found| found.step() < 50) {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::rename(&run, folder.path().join("elsewhere")).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("kept in run-rescued-1 instead"), "{said}");
    let rescued = folder.path().join("run-rescued-1");
    let kept = look(&rescued).unwrap().unwrap();
    assert!(kept.step() >= 50 && kept.skipped.is_empty());
    let config = kept.config;
    assert_eq!(
        RunDir::open(&rescued, &config, &dataset(&config)).unwrap().state.step,
        kept.state.unwrap().step
    );
}
