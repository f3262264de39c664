//! For as long as anybody likes: nothing grows.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// Snapshots of so small a model that how many of them are kept just now does not show, and steps of some milliseconds.
const SMALL: &str = "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 32\n[task]\nsequences = 1000\n\
                     [train]\nepochs = 1000000\nbatch_size = 256\ncheckpoint_every = 500\n";

/// What the program holds at a moment.
struct Sample {
    /// In hours.
    at: f64,
    /// In KiB.
    memory: f64,
    files: usize,
    threads: usize,
}

impl Sample {
    fn of(pid: u32, started: Instant) -> Self {
        Self {
            at: started.elapsed().as_secs_f64() / 3600.0,
            memory: memory(pid) as f64,
            files: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
            threads: threads(pid).len(),
        }
    }
}

/// Growth an hour by least squares, in KiB.
fn slope(samples: &[Sample]) -> f64 {
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / samples.len() as f64;
    let (at, memory) = (mean(|sample| sample.at), mean(|sample| sample.memory));
    let covariance: f64 = samples.iter().map(|sample| (sample.at - at) * (sample.memory - memory)).sum();
    covariance / samples.iter().map(|sample| (sample.at - at).powi(2)).sum::<f64>()
}

#[test]
fn what_grows_shows() {
    let growing = |kib_an_hour: f64| -> Vec<Sample> {
        let at = |second: u32| f64::from(second) / 3600.0;
        let sample = |at: f64| Sample { at, memory: 30e3 + kib_an_hour * at, files: 9, threads: 8 };
        (0..600).map(|second| sample(at(second))).collect()
    };
    assert!((slope(&growing(2048.0)) - 2048.0).abs() < 1.0 && slope(&growing(0.0)).abs() < 1.0);
}

/// Minutes of the long form.
fn minutes() -> f64 {
    std::env::var("HEADCOUNT_SOAK_MINUTES")
        .map_or(30.0, |minutes| minutes.parse().expect("a number of minutes"))
}

#[test]
fn nothing_grows_in_the_long_run() {
    let time = if is_long() { Duration::from_secs_f64(60.0 * minutes()) } else { Duration::from_secs(8) };
    let mut explorer = Explorer::start(session_leader(&program()), SMALL);
    explorer.is_up();
    explorer.trains_on(3);
    let pid = explorer.holder();
    let keys = ["1", "l", "2", "j", " ", "3", "v", "u", "4", "B", "5", "6", "r", "n", "?", "\x1b"];
    let started = Instant::now();
    let mut samples = Vec::new();
    // Snapshots and the first figures of every view take their room first.
    let settled = time / 3;
    let mut screen = 0;
    for second in 0.. {
        explorer.type_keys(keys[second % keys.len()]);
        for half in 0..2 {
            explorer.resize(80 + (second % 40) as u16, 24 + half * 6);
            thread::sleep(Duration::from_millis(500));
        }
        // Emulating hours of output would take hours.
        explorer.forget();
        if started.elapsed() > settled {
            if samples.is_empty() {
                screen = screen_time(pid);
            }
            samples.push(Sample::of(pid, started));
        }
        if started.elapsed() > time {
            break;
        }
    }
    let growth = slope(&samples);
    let watched = 1000.0 * 3600.0 * (samples[samples.len() - 1].at - samples[0].at);
    let share = 100.0 * (screen_time(pid) - screen) as f64 / watched;
    let range = |value: fn(&Sample) -> usize| {
        let values = samples.iter().map(value);
        (values.clone().min().unwrap(), values.max().unwrap())
    };
    let (files, threads) = (range(|sample| sample.files), range(|sample| sample.threads));
    let last = samples[samples.len() - 1].memory;
    println!(
        "{time:?}: {last:.0} KiB, {growth:+.0} KiB an hour, files {files:?}, threads {threads:?}, \
         screen {share:.1} % of a processor, {} steps",
        explorer.step()
    );
    // Checkpoints and exports are open for a moment.
    assert!(files.1 - files.0 <= 2, "files: {files:?}");
    assert_eq!(threads.0, threads.1, "threads");
    if is_long() {
        assert!(growth <= 1024.0, "{growth:.0} KiB an hour");
        assert!(share <= 5.0, "{share:.1} % of a processor");
    } else {
        let first = samples[0].memory;
        assert!(last - first <= 24e3, "{first} to {last} KiB");
        assert!(share <= 30.0, "{share:.1} % of a processor");
    }
    explorer.resize(80, 24);
    thread::sleep(Duration::from_millis(200));
    explorer.type_keys("\x1b");
    thread::sleep(Duration::from_millis(200));
    explorer.quits();
    explorer.leaves(0, PATIENCE);
}
