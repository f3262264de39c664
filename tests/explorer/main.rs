//! The program itself in a pseudo-terminal: what becomes of the terminal, the process and the run when the connection
//! drops, the reader stalls, signals come or keys are hammered. What the views show is not looked at here.
//!
//! `HEADCOUNT_LONG=1` takes the times that the bars are stated for instead of short ones, and
//! `HEADCOUNT_SOAK_MINUTES` its own for the longest of them.

#[path = "../common/bars.rs"]
mod bars;
mod bytes;
mod controls;
mod environment;
#[cfg(debug_assertions)]
mod failing;
mod keys;
mod leaving;
mod longer;
mod losing;
mod memory;
mod monkey;
mod multiplexer;
#[path = "../pty/mod.rs"]
mod pty;
mod resizing;
#[path = "../common/runs.rs"]
mod runs;
mod sandbox;
mod sharing;
mod slow;
mod soak;
mod taking;
mod threads;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use headcount::train::run_dir::{Found, look};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use bars::{PATIENCE, bar, is_long, watch};
use pty::{Pty, session_leader};
use runs::{last_step, takes_note};

/// A model so small that a step takes a millisecond, and so many epochs that it never ends by itself.
const ENDLESS: &str = "[model]\nd_model = 16\nd_head = 8\nd_mlp = 24\nn_ctx = 12\n[task]\nsequences = 100\n\
                       [train]\nepochs = 1000000\nbatch_size = 32\ncheckpoint_every = 500\n";

/// The same for a limited number of epochs, of three steps each.
fn epochs(number: usize) -> String {
    ENDLESS.replace("1000000", &number.to_string())
}

/// Beyond the save.
const SOON: Duration = Duration::from_millis(1500);

fn program() -> PathBuf {
    pty::dispositions::are_the_default();
    env!("CARGO_BIN_EXE_headcount").into()
}

/// `--line-rate` of a slow line, and of any other.
const SLOW: &str = "800";
const DEFAULT: &str = "6144";

/// The program on a run in its folder.
type Explorer = Pty;

fn folder_with(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), config).unwrap();
    folder
}

/// A command and its arguments, started in the folder of a run.
fn arguments<'a>(command: &'a mut Command, what: &str, folder: &Path) -> &'a mut Command {
    let args = [what, "--run", "run", "--config", "settings.toml", "--device", "cpu"];
    command.args(args).current_dir(folder)
}

/// Trains without a screen, to the end.
fn train(folder: &Path) {
    let mut command = Command::new(program());
    let trained = arguments(&mut command, "train", folder).arg("--quiet").output().unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
}

impl Explorer {
    fn start(command: Command, config: &str) -> Self {
        Self::go_on(command, folder_with(config))
    }

    /// On a run that may be there already.
    fn go_on(mut command: Command, folder: TempDir) -> Self {
        arguments(&mut command, "explore", folder.path());
        Self::spawn(&mut command, folder).unwrap()
    }

    /// As a session leader, its screen up, and some epochs trained.
    fn training() -> Self {
        Self::training_with(&[])
    }

    /// The same with further arguments.
    fn training_with(args: &[&str]) -> Self {
        let mut command = session_leader(&program());
        let folder = folder_with(ENDLESS);
        arguments(&mut command, "explore", folder.path()).args(args);
        let explorer = Self::spawn(&mut command, folder).unwrap();
        explorer.is_up();
        explorer.trains_on(30);
        explorer
    }

    /// As a session leader on a run that is finished.
    fn finished() -> Self {
        let folder = folder_with(&epochs(2));
        train(folder.path());
        let explorer = Self::go_on(session_leader(&program()), folder);
        explorer.is_up();
        explorer
    }

    fn is_up(&self) {
        self.wait_until("the screen is up", |pty| pty.modes().is_alternate());
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// The last step that others can read of.
    fn step(&self) -> usize {
        last_step(&self.run())
    }

    fn trains_on(&self, steps: usize) {
        let from = self.step();
        self.wait_until("training goes on", |_| self.step() >= from + steps);
    }

    /// Pauses training and waits until it rests.
    fn rests(&self) {
        let trainer = Pid::from_raw(self.holder().cast_signed()).unwrap();
        self.type_keys("P");
        let found = || look(&self.run()).ok().flatten().map_or(0, |found| found.step());
        // A save flushes every line, and once paused the two agree and stay so; one before the pause took hold is no use.
        self.wait_until("training rests", |_| {
            kill_process(trainer, Signal::USR1).unwrap();
            let step = self.step();
            std::thread::sleep(Duration::from_millis(100));
            step > 0 && self.step() == step && found() == step
        });
    }

    /// The process that holds the run, which may be a child of the one that was started.
    fn holder(&self) -> u32 {
        let lock = fs::read_to_string(self.run().join("lock")).unwrap();
        lock.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// As [`ends`](Pty::ends), with the run saved to its last step.
    fn leaves(mut self, status: i32, limit: Duration) -> Vec<u8> {
        let output = self.ends(status, limit);
        self.is_saved();
        output
    }

    /// Nothing that was trained is lost, and nothing lies about.
    fn is_saved(&self) -> Found {
        is_saved(&self.run())
    }
}

/// Waits until others can read of a step.
fn trains_to(run: &Path, step: usize) {
    let deadline = Instant::now() + PATIENCE;
    while last_step(run) < step {
        assert!(Instant::now() < deadline, "it stands still");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_saved(run: &Path) -> Found {
    let found = look(run).unwrap().expect("there is a run");
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
    assert_eq!(found.step(), last_step(run), "the newest checkpoint is not of the last step");
    let names = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name());
    let odd: Vec<_> = names.filter(|name| !name.to_string_lossy().starts_with("step-")).collect();
    assert!(odd.is_empty(), "{odd:?}");
    found
}

/// User and system time of a process and of the children it has waited for, in milliseconds, and whether it has ended.
fn processor_time(pid: u32) -> (u64, bool) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let hundredths: u64 = fields[11..15].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    (hundredths * 10, fields[0] == "Z")
}

/// Resident memory in KiB.
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Name and processor time in milliseconds of every thread of a process.
fn threads(pid: u32) -> Vec<(String, u64)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    // A thread may end between two looks.
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let parse = |stat: String| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let times = rest.split_whitespace().skip(11).take(2);
        Some((name.to_owned(), times.map(|time| time.parse::<u64>().unwrap_or(0) * 10).sum()))
    };
    stats.filter_map(parse).collect()
}

/// Processor time in milliseconds of the threads that serve the screen: the first, and those of the terminal.
fn screen_time(pid: u32) -> u64 {
    let is_the_screens = |name: &str| ["headcount", "keys", "frames", "signals"].contains(&name);
    // Threads without a name of their own have the one of the thread that started them, so that only the first counts.
    let mut seen = std::collections::BTreeSet::new();
    let own = threads(pid).into_iter().filter(|(name, _)| is_the_screens(name) && seen.insert(name.clone()));
    own.map(|(_, time)| time).sum()
}
