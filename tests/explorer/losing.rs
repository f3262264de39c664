//! A terminal that is gone, and one that nobody reads.

use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use crate::pty::under_a_shell;

/// How a hang-up ended.
struct Ended {
    status: ExitStatus,
    took: Duration,
    /// Processor time between the hang-up and the end.
    processor: u64,
}

/// Hangs up on a paused trainer, so that all processor time is that of leaving.
fn hang_up(command: Command) -> Ended {
    let mut explorer = Explorer::start(command, ENDLESS);
    explorer.is_up();
    explorer.trains_on(30);
    explorer.type_keys("P");
    thread::sleep(Duration::from_millis(300));
    let started = explorer.pid().as_raw_nonzero().get().cast_unsigned();
    let before = processor_time(explorer.holder()).0;
    let own = if explorer.holder() == started { 0 } else { processor_time(started).0 };
    let at = Instant::now();
    explorer.hang_up();
    let mut after = processor_time(started);
    while !after.1 {
        assert!(at.elapsed() < PATIENCE, "still there");
        thread::sleep(Duration::from_millis(2));
        after = processor_time(started);
    }
    let took = at.elapsed();
    explorer.is_saved();
    let status = explorer.wait_for_exit(PATIENCE);
    Ended { status, took, processor: after.0.saturating_sub(before + own) }
}

#[test]
fn a_hang_up_saves_and_ends_us_soon_and_without_load() {
    let child_of_a_deaf_leader = r#"trap : HUP; "$@"; exit $?"#;
    for command in [session_leader(&program()), under_a_shell(child_of_a_deaf_leader, &program())] {
        let ended = hang_up(command);
        println!("hang-up: gone after {:?} with {} ms of processor time", ended.took, ended.processor);
        assert_eq!(ended.status.code(), Some(129));
        assert!(ended.processor <= 100, "{} ms of processor time", ended.processor);
        assert!(ended.took < Duration::from_secs(2), "took {:?}", ended.took);
    }
}

#[test]
fn under_nohup_the_training_goes_on_and_still_hears_signals() {
    let nohup = under_a_shell(r#"trap "" HUP; exec "$@""#, &program());
    for paused in [false, true] {
        let mut explorer = Explorer::start(nohup_again(&nohup), ENDLESS);
        explorer.is_up();
        explorer.trains_on(30);
        if paused {
            explorer.type_keys("P");
            thread::sleep(Duration::from_millis(200));
        }
        explorer.hang_up();
        thread::sleep(Duration::from_millis(200));
        explorer.trains_on(300);
        let holder = Pid::from_raw(explorer.holder().cast_signed()).unwrap();
        kill_process(holder, Signal::TERM).unwrap();
        assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(143));
        explorer.is_saved();
    }
}

/// A command cannot be cloned.
fn nohup_again(command: &Command) -> Command {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    again
}

#[test]
fn a_terminal_that_nobody_reads_slows_nothing_and_holds_nobody_up() {
    let explorer = Explorer::training();
    let pid = explorer.holder();
    let time = watch(Duration::from_millis(1500), Duration::from_secs(15));
    explorer.trains_on(600);
    let rate = |paused: bool| {
        explorer.pause(paused);
        let (from, at) = (explorer.step(), Instant::now());
        thread::sleep(time);
        (explorer.step() - from) as f64 / at.elapsed().as_secs_f64()
    };
    // Read, not read, not read, read: what drifts meanwhile cancels out.
    let first = rate(false);
    let before = memory(pid);
    let unread = f64::midpoint(rate(true), rate(true));
    let growth = memory(pid).saturating_sub(before);
    let read = f64::midpoint(first, rate(false));
    println!("unread: {unread:.0} of {read:.0} steps/s, {growth} KiB more");
    // A trainer that waited for the screen would stand still; the bar itself takes time, and a machine at rest.
    let bar = if time > Duration::from_secs(10) { 0.95 } else { 0.3 };
    assert!(unread > bar * read, "{unread:.0} of {read:.0} steps/s");
    assert!(growth <= 8 << 10, "{growth} KiB");
    explorer.pause(true);
    thread::sleep(Duration::from_millis(300));
    let at = Instant::now();
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
    assert!(at.elapsed() < Duration::from_secs(3), "{:?}", at.elapsed());
}

#[test]
fn what_cannot_be_saved_is_said_on_the_screen_and_tried_again() {
    let explorer = Explorer::training();
    let limit = |limit: &str| {
        let limits = ["--pid", &explorer.holder().to_string(), &format!("--fsize={limit}:unlimited")];
        assert!(Command::new("prlimit").args(limits).status().unwrap().success());
    };
    limit("1000");
    explorer.wait_for("NOT SAVED");
    explorer.type_keys("2");
    thread::sleep(Duration::from_millis(300));
    assert!(explorer.text().contains("NOT SAVED"), "a key must not take it away");
    limit("unlimited");
    explorer.wait_for("saved again");
    assert!(!explorer.text().contains("NOT SAVED"));
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
}
