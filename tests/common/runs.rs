//! A run that takes a moment, for whatever is done to it.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use headcount::model::ModelConfig;
use headcount::task::{Dataset, TaskConfig};
use headcount::train::{
    DeviceChoice, MetricsLine, Opened, Outcome, RunConfig, RunDir, Setup, TrainCommand, TrainConfig,
    TrainError, TrainEvent, TrainState, train_on,
};

/// Eighteen steps in six epochs, a checkpoint every four.
pub fn small() -> RunConfig {
    RunConfig {
        seed: 5,
        model: ModelConfig { d_model: 16, d_head: 8, d_mlp: 24, n_ctx: 12, ..ModelConfig::default() },
        task: TaskConfig { sequences: 100, ..TaskConfig::default() },
        train: TrainConfig { epochs: 6, batch_size: 32, checkpoint_every: 4, ..TrainConfig::default() },
    }
}

pub fn dataset(config: &RunConfig) -> Arc<Dataset> {
    Arc::new(config.dataset().unwrap())
}

/// Where a run is kept, if it is, and where it goes on from.
pub type Start = (Option<RunDir>, TrainState);

/// In a directory that was opened.
pub fn kept(opened: Opened) -> Start {
    (Some(opened.run_dir), opened.state)
}

/// Trains; returns how it ended, and the bits of every step's loss. `hear` may send commands.
pub fn train(
    config: &RunConfig,
    (run_dir, state): Start,
    stop_at: Option<usize>,
    mut hear: impl FnMut(&TrainEvent, &Sender<TrainCommand>),
) -> (Result<Outcome, TrainError>, Vec<u32>) {
    let (commands, inbox) = channel();
    let setup = Setup { config: config.clone(), dataset: dataset(config), state, run_dir, stop_at };
    let mut losses = Vec::new();
    let outcome = train_on(DeviceChoice::Cpu, setup, &inbox, &mut |event| {
        if let TrainEvent::Step(metrics) = &event {
            losses.push(metrics.train_loss.to_bits());
        }
        hear(&event, &commands);
    });
    (outcome, losses)
}

/// The step of the last whole line of a run's metrics; 0 where there is none.
pub fn last_step(run: &Path) -> usize {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().next_back().and_then(MetricsLine::step_of).unwrap_or(0)
}

/// Waits until a process has taken note of a signal that ends it, or has ended: its thread that sees to the end in time
/// is there. Signals that wait together have no order, and a busy machine may let them wait.
pub fn takes_note(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(15);
    let name =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    while let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) {
        let names: Vec<String> = tasks.flatten().map(name).collect();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if names.iter().any(|name| name.trim_end() == "deadline") || stat.contains(") Z ") {
            return;
        }
        assert!(Instant::now() < deadline, "no note is taken of the signal: {names:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
