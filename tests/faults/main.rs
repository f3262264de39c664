//! Crashes, power cuts, full disks and hostile files: a run goes on from the newest state that was saved.
//!
//! Each test has a short form. The counts that the bars are stated for are run by
//! `HEADCOUNT_LONG=1`, as the README says.

#[path = "../common/bars.rs"]
mod bars;
mod corrupt;
#[path = "../pty/dispositions.rs"]
mod dispositions;
mod failing;
mod full;
mod gone;
mod kills;
mod memory;
mod mutated;
mod power;
mod protocol;
#[path = "../common/runs.rs"]
mod runs;
mod signals;
mod threads;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};

use bars::{PATIENCE, bar, times};
use headcount::train::{
    DeviceChoice, Opened, Outcome, RunConfig, Setup, TrainCommand, TrainConfig, TrainError, TrainEvent,
    train_on,
};
use runs::{dataset, last_step, small, takes_note};

/// Trains an opened run; returns how it ended, and the bits of every step's loss.
fn train(
    config: &RunConfig,
    opened: Opened,
    hear: impl FnMut(&TrainEvent, &Sender<TrainCommand>),
) -> (Result<Outcome, TrainError>, Vec<u32>) {
    runs::train(config, runs::kept(opened), None, hear)
}

/// Settings for the program: three steps to an epoch, a millisecond to a step.
fn settings(folder: &Path, epochs: usize, checkpoint_every: usize) {
    let text = format!(
        "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 12\n[task]\nsequences = 100\n\
         [train]\nepochs = {epochs}\nbatch_size = 32\ncheckpoint_every = {checkpoint_every}\n"
    );
    fs::write(folder.join("settings.toml"), text).unwrap();
}

/// The program, about to train in a folder.
fn trainer(folder: &Path) -> Command {
    dispositions::are_the_default();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(["train", "--run", "run", "--config", "settings.toml", "--device", "cpu", "--quiet"]);
    command.current_dir(folder);
    command
}

/// The same numbers in both runs, to the last bit.
fn assert_equal_runs(one: &Path, other: &Path) {
    for file in ["metrics.jsonl", "weights.safetensors"] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap();
        assert!(read(one) == read(other), "{file} differs");
    }
    let snapshots = |run: &Path| {
        let files = fs::read_dir(run.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            files.map(|path| (path.file_name().unwrap().to_owned(), fs::read(&path).unwrap())).collect();
        files.sort();
        files
    };
    assert!(snapshots(one) == snapshots(other), "the kept snapshots differ");
}
