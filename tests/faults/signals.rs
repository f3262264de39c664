//! Signals to a trainer without a screen: it saves and leaves with the status of the first.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use headcount::train::run_dir::look;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use super::*;

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn saved(run: &Path) -> usize {
    look(run).ok().flatten().map_or(0, |found| found.step())
}

fn trains_to(run: &Path, step: usize) {
    let deadline = Instant::now() + PATIENCE;
    while saved(run) < step {
        assert!(Instant::now() < deadline, "it does not train");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn at_any_moment_the_first_signal_counts_and_nothing_is_lost() {
    let mut random = StdRng::seed_from_u64(3);
    let mut slowest = Duration::ZERO;
    let rounds = times(8, 100);
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        settings(folder.path(), 1_000_000, 10);
        let mut child = trainer(folder.path()).spawn().unwrap();
        let kinds = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR2, Signal::ALARM]
            .map(|signal| (signal, 128 + signal.as_raw()));
        let (first, status) = kinds[round % kinds.len()];
        thread::sleep(Duration::from_millis(random.gen_range(20..300)));
        let started = Instant::now();
        signal(&child, first);
        takes_note(child.id());
        for (later, _) in kinds {
            signal(&child, later);
            thread::sleep(Duration::from_millis(random.gen_range(0..10)));
        }
        let ended = wait(&mut child);
        let run = folder.path().join("run");
        if ended.signal() == Some(first.as_raw()) {
            assert!(!run.exists(), "killed while it trained");
            continue;
        }
        slowest = slowest.max(started.elapsed());
        assert_eq!(ended.code(), Some(status), "{first:?}");
        let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let steps = text.lines().filter(|line| line.contains("train_loss")).count();
        assert_eq!(saved(&run), steps, "{first:?}");
    }
    println!("{rounds} signals: the slowest end took {slowest:?}, a little of it the test's");
}

#[test]
fn usr1_saves_and_what_was_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), 1_000_000, 100_000);
    let words = trainer(folder.path());
    let mut nohup = Command::new("sh");
    nohup.args(["-c", r#"trap "" HUP; exec "$@""#, "sh"]).arg(words.get_program()).args(words.get_args());
    let mut child = nohup.current_dir(folder.path()).stderr(Stdio::null()).spawn().unwrap();
    let run = folder.path().join("run");
    let deadline = Instant::now() + PATIENCE;
    while !run.join("checkpoints/step-000000.safetensors").exists() {
        assert!(Instant::now() < deadline, "no trial save");
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(100));
    signal(&child, Signal::USR1);
    trains_to(&run, 1);
    signal(&child, Signal::HUP);
    thread::sleep(Duration::from_millis(200));
    let before = saved(&run);
    signal(&child, Signal::USR1);
    trains_to(&run, before + 1);
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
}

#[test]
fn output_that_nobody_reads_does_not_hold_the_training_up() {
    let folder = tempfile::tempdir().unwrap();
    settings(folder.path(), 1_000_000, 200);
    let mut command = trainer(folder.path());
    let mut child = command.arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    // A pipe holds 64 KiB, which is some five hundred steps.
    trains_to(&folder.path().join("run"), 1600);
    drop(child.stdout.take());
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
}

/// Signals a trainer of the notebook's model once it has said that it took the seven steps of an epoch; what it says from
/// there to its end, and the time until then.
fn signal_after_an_epoch() -> (Vec<String>, Duration) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.toml"), "seed = 23\n").unwrap();
    let mut child = trainer(folder.path()).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let steps: Vec<String> = lines.by_ref().take(7).collect();
    assert!(steps.len() == 7 && steps.iter().all(|line| line.contains("train_loss")), "{steps:?}");
    thread::sleep(Duration::from_millis(5));
    let asked = Instant::now();
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
    let took = asked.elapsed();
    let rest: Vec<String> = lines.collect();
    let later = rest.iter().filter(|line| line.contains("train_loss")).count();
    assert_eq!(saved(&folder.path().join("run")), 7 + later);
    (rest, took)
}

#[test]
fn a_signal_during_a_validation_is_obeyed_right_after_it() {
    // A busy machine may let the moment pass, and another step begin.
    let mut tries = (0..20).map(|_| signal_after_an_epoch());
    let (rest, took) = tries.find(|(rest, _)| rest.len() == 1).expect("one signal in time");
    println!("a signal during a validation: gone after {took:?}");
    // A validation that was begun is finished, or a run that goes on would lack its line.
    assert!(rest[0].contains("val_loss"), "{rest:?}");
    // Without optimisation it takes as long as it takes.
    assert!(cfg!(debug_assertions) || took < bar(Duration::from_millis(500)), "{took:?}");
}
