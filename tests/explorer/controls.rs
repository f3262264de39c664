//! The tests of the tests: a program that does what it must not is noticed.

use std::time::{Duration, Instant};

use super::*;

/// A shell script in a terminal, and nothing of ours.
fn script(script: &str) -> Pty {
    let mut command = Command::new("setsid");
    command.args(["--ctty", "sh", "-c", script]);
    Pty::spawn(&mut command, folder_with("")).unwrap()
}

#[test]
#[should_panic(expected = "still not: a word")]
fn a_wait_ends_in_failure() {
    script("sleep 60").wait_at_most(Duration::from_millis(100), "a word", |pty| pty.text().contains("word"));
}

#[test]
#[should_panic(expected = "still running")]
fn a_program_that_stays_is_noticed() {
    script("sleep 60").ends(0, Duration::from_millis(100));
}

#[test]
#[should_panic(expected = "settings are not what they were")]
fn settings_that_stay_changed_are_noticed() {
    script("stty raw -echo").ends(0, PATIENCE);
}

#[test]
#[should_panic(expected = "1049: true")]
fn a_screen_that_stays_is_noticed() {
    script(r"printf '\033[?1049h'").ends(0, PATIENCE);
}

#[test]
fn what_is_written_last_is_read_all_the_same() {
    let mut pty = script("sleep 0.1; head -c 30000 /dev/zero | tr '\\0' x; printf end");
    pty.carry(100);
    assert!(pty.ends(0, PATIENCE).ends_with(b"xend"));
}

#[test]
fn a_slow_line_is_slow_and_what_waits_on_it_is_counted() {
    let pty = script("head -c 20000 /dev/zero | tr '\\0' x; sleep 60");
    pty.carry(960);
    let started = Instant::now();
    pty.wait_until("it is on the line", |pty| pty.queued() + pty.output().len() >= 20_000);
    pty.wait_until("some arrives", |pty| pty.output().len() > 480);
    let (arrived, most) = (pty.output().len(), 960.0 * started.elapsed().as_secs_f64() + 100.0);
    assert!((arrived as f64) < most, "{arrived} bytes in {:?}", started.elapsed());
    assert!(pty.queued() > 10_000);
}

#[cfg(not(debug_assertions))]
#[test]
fn nobody_can_ask_a_release_for_a_fault() {
    for fault in ["trainer-panic", "trainer-hang", "screen-panic"] {
        let mut command = session_leader(&program());
        command.env("HEADCOUNT_TEST_FAULT", fault);
        let explorer = Explorer::start(command, ENDLESS);
        explorer.trains_on(300);
        explorer.type_keys("\x03");
        explorer.leaves(0, PATIENCE);
    }
}
