//! Commands in any order and at any time: each stop is obeyed, each save is on disk.

use std::time::{Duration, Instant};

use headcount::train::RunDir;
use headcount::train::run_dir::look;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

const COMMANDS: [TrainCommand; 5] =
    [TrainCommand::Pause, TrainCommand::Resume, TrainCommand::Step, TrainCommand::Save, TrainCommand::Save];

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
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
