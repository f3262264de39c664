//! A terminal that is gone, and one that nobody reads.

use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::pty::under_a_shell;

/// How a hang-up ended.
struct Ended {
    status: ExitStatus,
    took: Duration,
    /// Processor time between the hang-up and the end.
    processor: u64,
}

/// What the program is at when the connection drops.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Paused,
    Training,
    /// With the list of keys open.
    Help,
    Saving,
}

impl Moment {
    fn config(self) -> String {
        let every = if self == Self::Saving { "checkpoint_every = 1" } else { "checkpoint_every = 500" };
        ENDLESS.replace("checkpoint_every = 500", every)
    }

    fn comes(self, explorer: &mut Explorer) {
        match self {
            Self::Training => {}
            Self::Paused | Self::Help => {
                explorer.rests();
                if self == Self::Help {
                    let before = explorer.modes().frames;
                    explorer.type_keys("?");
                    explorer.wait_until("help", |pty| pty.modes().frames > before);
                }
            }
            Self::Saving => {
                explorer.stop_reading();
                let saved = explorer.run().join("checkpoints");
                explorer.wait_until("a save", |_| {
                    let mut names = fs::read_dir(&saved).unwrap().flatten();
                    names.any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
                });
            }
        }
    }

    /// Whether all processor time from now on is that of leaving.
    fn is_quiet(self) -> bool {
        matches!(self, Self::Paused | Self::Help)
    }
}

/// Hangs up on a trainer.
fn hang_up(command: Command, moment: Moment) -> Ended {
    let mut explorer = Explorer::start(command, &moment.config());
    explorer.is_up();
    explorer.trains_on(30);
    moment.comes(&mut explorer);
    let ended = watch_the_end(&mut explorer);
    explorer.is_saved();
    ended
}

fn watch_the_end(explorer: &mut Explorer) -> Ended {
    let started = explorer.pid().as_raw_nonzero().get().cast_unsigned();
    let holder = explorer.holder();
    let before = processor_time(holder).0;
    let own = if holder == started { 0 } else { processor_time(started).0 };
    let at = Instant::now();
    explorer.hang_up();
    let mut after = processor_time(started);
    while !after.1 {
        assert!(at.elapsed() < PATIENCE, "still there");
        thread::sleep(Duration::from_millis(2));
        after = processor_time(started);
    }
    let took = at.elapsed();
    let status = explorer.wait_for_exit(PATIENCE);
    Ended { status, took, processor: after.0.saturating_sub(before + own) }
}

/// Saved, soon, and without load.
fn hang_ups_end_well(command: fn() -> Command) {
    for moment in [Moment::Paused, Moment::Training, Moment::Help, Moment::Saving] {
        let ended = hang_up(command(), moment);
        println!(
            "hang-up, {moment:?}: gone after {:?}, {} ms of processor time",
            ended.took, ended.processor
        );
        assert_eq!(ended.status.code(), Some(129), "{moment:?}");
        assert!(!moment.is_quiet() || ended.processor <= 100, "{} ms of processor time", ended.processor);
        assert!(ended.took < bar(Duration::from_secs(1)), "{moment:?} took {:?}", ended.took);
    }
}

#[test]
fn a_hang_up_on_a_session_leader_saves_and_ends_it_soon_and_without_load() {
    hang_ups_end_well(|| session_leader(&program()));
}

#[test]
fn a_hang_up_on_the_child_of_a_deaf_leader_does_so_too() {
    hang_ups_end_well(|| under_a_shell(r#"trap : HUP; "$@"; exit $?"#, &program()));
}

#[test]
fn a_hang_up_on_a_finished_run_ends_it() {
    let mut explorer = Explorer::finished();
    let at = Instant::now();
    explorer.hang_up();
    assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(129));
    assert!(at.elapsed() < bar(SOON), "took {:?}", at.elapsed());
    explorer.is_saved();
}

/// Steps a second, and the share of a processor that the screen's threads take.
fn speed(explorer: &Explorer, time: Duration) -> (f64, f64) {
    let pid = explorer.holder();
    let (step, processor, at) = (explorer.step(), screen_time(pid), Instant::now());
    thread::sleep(time);
    let seconds = at.elapsed().as_secs_f64();
    let used = (screen_time(pid) - processor) as f64 / 1000.0;
    ((explorer.step() - step) as f64 / seconds, used / seconds)
}

#[test]
fn under_nohup_the_lost_screen_costs_nothing() {
    let time = watch(Duration::from_millis(1500), Duration::from_secs(20));
    let nohup = under_a_shell(r#"trap "" HUP; exec "$@""#, &program());
    let mut explorer = Explorer::start(nohup, ENDLESS);
    explorer.is_up();
    explorer.trains_on(300);
    let with = speed(&explorer, time).0;
    explorer.hang_up();
    thread::sleep(Duration::from_millis(300));
    let (without, screen) = speed(&explorer, time);
    println!(
        "nohup: {without:.0} steps/s of {with:.0} with a screen, {:.2} % for its threads",
        100.0 * screen
    );
    // Any speed at all where there is none to count on.
    let (slowest, most) = if is_long() { (0.95, 0.01) } else { (0.0, 0.2) };
    assert!(without > slowest * with, "{without:.0} of {with:.0} steps/s");
    assert!(screen <= most, "{:.2} % of a processor", 100.0 * screen);
    let holder = Pid::from_raw(explorer.holder().cast_signed()).unwrap();
    kill_process(holder, Signal::TERM).unwrap();
    assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(143));
    explorer.is_saved();
}

#[test]
fn under_nohup_the_training_goes_on_and_still_hears_signals() {
    let nohup = under_a_shell(r#"trap "" HUP; exec "$@""#, &program());
    for paused in [false, true] {
        let mut explorer = Explorer::start(nohup_again(&nohup), ENDLESS);
        explorer.is_up();
        explorer.trains_on(30);
        if paused {
            explorer.rests();
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
    // A trainer that waited for the screen would stand still.
    let slowest = if is_long() { 0.95 } else { 0.0 };
    assert!(unread > slowest * read, "{unread:.0} of {read:.0} steps/s");
    assert!(growth <= 8 << 10, "{growth} KiB");
    // Read again, it shows what is so now.
    explorer.type_keys("2");
    explorer.wait_for("▐2 Attention▌");
    explorer.pause(true);
    thread::sleep(Duration::from_millis(300));
    let at = Instant::now();
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
    assert!(at.elapsed() < bar(Duration::from_secs(3)), "{:?}", at.elapsed());
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
    explorer.wait_for("▐2 Attention▌");
    assert!(explorer.text().contains("NOT SAVED"), "a key must not take it away");
    limit("unlimited");
    explorer.wait_for("saved again");
    assert!(!explorer.text().contains("NOT SAVED"));
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
}

#[test]
fn a_run_whose_directory_is_gone_goes_on_beside_it_at_a_key() {
    let mut explorer = Explorer::training();
    let (run, beside) = (explorer.run(), explorer.folder.path().join("run-rescued-1"));
    fs::rename(&run, explorer.folder.path().join("elsewhere")).unwrap();
    explorer.signal(Signal::USR1);
    explorer.wait_for("NOT SAVED");
    explorer.type_keys("q");
    explorer.wait_for("NOT SAVED: R saves and goes on, q saves and quits, Esc neither: in");
    explorer.wait_for("run-rescued-N");
    explorer.type_keys("R");
    explorer.wait_for("and the run goes on in a new directory: run-rescued-1");
    let moved = look(&beside).unwrap().unwrap().step();
    explorer.wait_until("a later checkpoint", |_| look(&beside).unwrap().unwrap().step() > moved);
    explorer.quits();
    explorer.ends(0, PATIENCE);
    assert!(!run.exists() && !explorer.folder.path().join("run-rescued-2").exists());
}
