//! Commands in any order and at any time: each stop is executed, each save is on disk.
//!
//! Every order in which commands can reach the loop that executes them is tried beside that loop. Here they reach a whole
//! trainer: at chosen points between its own words, so that an order can be had again, and from another thread at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use headcount::train::run_dir::look;
use headcount::train::{RunDir, RunState};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::memory::Memory;
use super::*;

const COMMANDS: [TrainCommand; 5] =
    [TrainCommand::Pause, TrainCommand::Resume, TrainCommand::Step, TrainCommand::Save, TrainCommand::Save];

/// Sends commands after chosen words of the trainer, and a stop when it waits and none is left.
fn order(seed: u64, config: &RunConfig) {
    let mut random = StdRng::seed_from_u64(seed);
    let (disk, run) = (Arc::new(Memory::default()), tempfile::tempdir().unwrap());
    let open = || RunDir::open_on(disk.clone(), run.path(), config, &dataset(config)).unwrap();
    let length = random.gen_range(0..12);
    let mut left: Vec<_> = (0..length).map(|_| COMMANDS[random.gen_range(0..COMMANDS.len())]).collect();
    let (mut last, mut paused, mut woken) = (0, false, false);
    let (outcome, losses) = train(config, open(), |event, commands| {
        if let TrainEvent::State(state) = event {
            (paused, woken) = (*state == RunState::Paused, false);
        }
        if let TrainEvent::Step(metrics) = event {
            assert!(!paused, "seed {seed}: step {} in a pause", metrics.step);
            last = metrics.step;
        }
        // While it waits it says nothing, so that what wakes it is sent before.
        while paused && !woken || !left.is_empty() && random.gen_bool(0.3) {
            let command = left.pop().unwrap_or(TrainCommand::Stop);
            let _ = commands.send(command);
            woken = match command {
                TrainCommand::Pause => false,
                TrainCommand::Save | TrainCommand::Extend | TrainCommand::Rescue => woken,
                TrainCommand::Resume | TrainCommand::Step | TrainCommand::Stop => true,
            };
        }
    });
    outcome.unwrap();
    assert_eq!(losses.len(), last, "seed {seed}: a step is missing or was taken twice");
    let found = open();
    assert_eq!((found.state.step, found.skipped.len()), (last, 0), "seed {seed}: the last step is not saved");
}

#[test]
fn a_trainer_obeys_commands_at_any_point_of_its_work() {
    let config = small();
    let seeds = times(100, 10_000) as u64;
    (0..seeds).for_each(|seed| order(seed, &config));
    println!("{seeds} orders: each ended where it was told, with its last step saved");
}

/// Sends commands from another thread while it trains; the time that the stop took.
fn schedule(seed: u64, config: &RunConfig) -> Duration {
    let run = tempfile::tempdir().unwrap();
    let opened = RunDir::open(run.path(), config, &dataset(config)).unwrap();
    let (commands, inbox) = channel();
    let told = std::thread::spawn(move || {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..random.gen_range(0..20) {
            // A trainer that has finished hears nothing.
            let _ = commands.send(COMMANDS[random.gen_range(0..COMMANDS.len())]);
            std::thread::sleep(Duration::from_micros(random.gen_range(0..2000)));
        }
        if random.gen_bool(0.8) {
            let _ = commands.send(TrainCommand::Stop);
        }
        // Otherwise the way to the trainer is lost, which is a stop too.
        Instant::now()
    });
    let (state, run_dir) = (opened.state, Some(opened.run_dir));
    let setup = Setup { config: config.clone(), dataset: dataset(config), state, run_dir, stop_at: None };
    let mut last = 0;
    let outcome = train_on(DeviceChoice::Cpu, setup, &inbox, &mut |event| {
        if let TrainEvent::Step(metrics) = event {
            last = metrics.step;
        }
    });
    let ended = Instant::now();
    outcome.unwrap();
    let found = look(run.path()).unwrap().unwrap();
    assert_eq!((found.step(), found.state.is_some()), (last, true), "seed {seed}");
    ended.saturating_duration_since(told.join().unwrap())
}

#[test]
fn a_stop_is_obeyed_and_saved_whatever_came_before() {
    let config = RunConfig { train: TrainConfig { epochs: 60, ..small().train }, ..small() };
    let seeds = times(60, 2000) as u64;
    let slowest = (0..seeds).map(|seed| schedule(seed, &config)).max().unwrap();
    println!("{seeds} schedules: the slowest stop took {slowest:?}");
    assert!(slowest < bar(Duration::from_secs(2)), "{slowest:?}");
}
