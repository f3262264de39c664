//! A terminal that is gone, and one that nobody reads.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::*;
use crate::bars::{PATIENCE, bar};
use crate::fixture::FLOOD;
use crate::pty::{session_leader, under_a_shell};

/// Hangs up and returns the status, the processor time in milliseconds and the time until it was gone.
fn hang_up(command: Command) -> (Option<i32>, u64, Duration) {
    let mut fixture = Fixture::start(command);
    fixture.wait_for("count 0");
    let started = Instant::now();
    fixture.hang_up();
    let status = fixture.wait_for_exit(PATIENCE);
    let report = fixture.report().unwrap_or_else(|| panic!("{status} without a report"));
    (status.code(), report, started.elapsed())
}

#[test]
fn a_hang_up_ends_us_soon_and_without_load() {
    let child_of_a_deaf_leader = r#"trap : HUP; "$@"; exit $?"#;
    for command in
        [session_leader(&this_executable()), under_a_shell(child_of_a_deaf_leader, &this_executable())]
    {
        let (status, milliseconds, took) = hang_up(command);
        assert_eq!(status, Some(129));
        assert!(milliseconds <= 100, "{milliseconds} ms of processor time");
        assert!(took < bar(Duration::from_secs(1)), "took {took:?}, of which 0.3 s are the fixture's");
    }
}

#[test]
fn a_hang_up_under_nohup_goes_on_without_a_screen() {
    let nohup = under_a_shell(r#"trap "" HUP; exec "$@""#, &this_executable());
    let (status, milliseconds, _) = hang_up(nohup);
    assert_eq!(status, Some(7), "the status of a fixture that was told to train on");
    assert!(milliseconds <= 100, "{milliseconds} ms of processor time");
}

#[test]
fn a_terminal_that_nobody_reads_delays_frames_and_nothing_else() {
    let fixture = Fixture::shown();
    fixture.pause(true);
    fixture.type_keys("hf");
    fixture.wait_until("the flood is over while nobody reads", |_| fixture.report().is_some());
    let slowest = fixture.report().unwrap();
    assert!(u128::from(slowest) < bar(Duration::from_millis(250)).as_millis(), "a draw took {slowest} ms");
    assert!(!fixture.text().contains(&format!("count {FLOOD}")));
    fixture.pause(false);
    let last = State { count: FLOOD, heavy: true, ..State::default() };
    fixture.wait_at_most(bar(Duration::from_secs(3)), "the last frame", |pty| shows(pty, &last, (80, 24)));
    assert!(fixture.modes().frames < FLOOD as usize / 2, "frames were queued up");
}

#[test]
fn a_terminal_that_nobody_reads_is_given_back_in_time() {
    let fixture = Fixture::shown();
    fixture.pause(true);
    fixture.type_keys("hf");
    fixture.wait_until("the flood is over while nobody reads", |_| fixture.report().is_some());
    fixture.signal(Signal::TERM);
    // The last frame is cut short, and the modes must be right all the same once somebody reads again.
    fixture.leaves(143, bar(Duration::from_secs(2)));
}
