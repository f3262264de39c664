//! The terminal is given back on every way out, and taken again after every stop.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::*;
use crate::bars::{PATIENCE, bar};
use crate::pty::{Pty, session_leader, under_a_shell};

#[test]
fn it_is_given_back_on_return() {
    let fixture = Fixture::shown();
    fixture.type_keys("q");
    let output = fixture.leaves(0, PATIENCE);
    assert!(output.ends_with(b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l"));
}

#[test]
fn it_is_given_back_before_an_error_is_printed() {
    let fixture = Fixture::shown();
    fixture.type_keys("e");
    let output = String::from_utf8(fixture.leaves(1, PATIENCE)).unwrap();
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert_eq!(after, "fixture: the terminal is already in use by this process\r\n");
}

#[test]
fn it_is_given_back_before_a_panic_is_printed() {
    let fixture = Fixture::shown();
    fixture.type_keys("p");
    let output = String::from_utf8(fixture.leaves(101, PATIENCE)).unwrap();
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("the screen's own thread") && after.contains("\r\n"), "{after:?}");
}

#[test]
fn it_is_given_back_on_every_signal_that_ends_us_and_later_ones_change_nothing() {
    let ends = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR2, Signal::ALARM];
    for (signal, status) in ends.map(|signal| (signal, 128 + signal.as_raw())) {
        let fixture = Fixture::shown();
        let started = Instant::now();
        fixture.signal(signal);
        fixture.wait_until("the fixture saves", |_| fixture.report().is_some());
        for later in [Signal::TERM, Signal::INT, Signal::HUP] {
            fixture.signal(later);
        }
        fixture.leaves(status, PATIENCE);
        assert!(started.elapsed() < bar(Duration::from_secs(2)), "{signal:?} took {:?}", started.elapsed());
    }
}

#[test]
fn a_main_loop_that_hangs_is_ended_after_ten_seconds() {
    let fixture = Fixture::shown();
    fixture.type_keys("x");
    fixture.wait_until("it hangs", |_| fixture.report().is_some());
    fixture.signal(Signal::TERM);
    let started = Instant::now();
    fixture.leaves(143, bar(Duration::from_secs(12)));
    assert!(started.elapsed() > Duration::from_secs(9), "gave {:?} only", started.elapsed());
}

#[test]
fn a_signal_that_does_not_end_us_is_an_event() {
    let fixture = Fixture::shown();
    fixture.signal(Signal::USR1);
    fixture.wait_for("User1");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn the_panic_of_another_thread_is_an_event_and_leaves_the_screen_alone() {
    let fixture = Fixture::shown();
    fixture.type_keys("w");
    fixture.wait_for("bad panicked: gone\\x1b[31m at tests/terminal/fixture.rs");
    let modes = fixture.modes();
    assert!(modes.is_alternate() && modes.unexpected.is_empty() && modes.outside == 0, "{modes:?}");
    fixture.type_keys("q");
    let output = String::from_utf8(fixture.leaves(0, PATIENCE)).unwrap();
    assert_eq!(output.matches("panicked").count(), 1, "printed besides");
}

#[test]
fn control_z_stops_the_job_with_the_terminal_given_back_and_returns() {
    let script = r#"set -m; "$@"; for round in 1 2 3 4 5; do echo stop $round; read go; fg; done; exit $?"#;
    let mut fixture = Fixture::start(under_a_shell(script, &this_executable()));
    fixture.wait_for("count 0");
    for round in 1..=5 {
        fixture.type_keys("\x1a");
        fixture.wait_at_most(bar(Duration::from_secs(1)), "a stop", |pty| {
            pty.text().contains(&format!("stop {round}"))
        });
        let modes = fixture.modes();
        assert!(modes.is_restored(), "{modes:?}");
        assert!(!fixture.settings_differ());
        // While it is stopped, the window changes and the shell writes on it.
        let (before, size) = (fixture.output().len(), (60 + round, 20 + round));
        fixture.resize(size.0, size.1);
        fixture.type_keys("\n");
        let repainted = |pty: &Pty| {
            let again = pty::emulate(&pty.output()[before..], size);
            difference(&again, &drawn(&shown(0), size.0, size.1)).is_none()
        };
        fixture.wait_at_most(bar(Duration::from_secs(1)), "a full repaint", repainted);
        assert!(fixture.settings_differ());
    }
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn in_the_background_it_waits_and_does_not_take_the_shells_settings_for_its_own() {
    let script = r#"set -m; "$@"; echo stop; read go; stty -echo; bg
        until jobs >jobs && grep -q Stopped jobs; do sleep 0.1; done
        cat jobs; stty echo; fg; exit $?"#;
    let fixture = Fixture::start(under_a_shell(script, &this_executable()));
    fixture.wait_for("count 0");
    fixture.type_keys("\x1a");
    fixture.wait_for("stop");
    let before = fixture.output().len();
    fixture.type_keys("\n");
    let shows_again = |pty: &Pty| shows(pty, &shown(0), (80, 24));
    fixture.wait_until("the screen again", shows_again);
    let meanwhile = String::from_utf8_lossy(&fixture.output()[before..]).into_owned();
    let (background, _) = meanwhile.split_once("\x1b[?1049h").unwrap();
    assert!(background.contains("Stopped") && !background.contains('\x1b'), "{background:?}");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn control_z_is_refused_where_nobody_could_continue_us() {
    let fixture = Fixture::shown();
    fixture.type_keys("\x1a");
    fixture.wait_for("cannot suspend: this is the first process of its session");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn a_stop_from_outside_ends_in_a_full_repaint() {
    let fixture = Fixture::shown();
    fixture.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(50));
    let before = fixture.output().len();
    fixture.signal(Signal::CONT);
    let repainted = |pty: &Pty| {
        let again = pty::emulate(&pty.output()[before..], (80, 24));
        difference(&again, &drawn(&shown(0), 80, 24)).is_none()
    };
    fixture.wait_until("a full repaint", repainted);
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn no_terminal_is_an_error_of_one_line_and_not_one_escape() {
    let piped = |term: &str| {
        let mut command = Command::new(this_executable());
        let folder = tempfile::tempdir().unwrap();
        fixture::arguments(&mut command, &folder.path().join("report"));
        command.env("TERM", term).stdin(Stdio::null()).output().unwrap()
    };
    let output = piped("xterm-256color");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.contains("`headcount train`"), "{error}");
    assert!(!output.stdout.contains(&0x1b) && !error.contains('\x1b'));

    let mut command = session_leader(&this_executable());
    command.env("TERM", "dumb");
    let mut fixture = Fixture::start(command);
    assert_eq!(fixture.wait_for_exit(PATIENCE).code(), Some(2));
    assert!(!fixture.settings_differ());
    let output = String::from_utf8(fixture.drain()).unwrap();
    assert!(output.contains("TERM is dumb") && !output.contains('\x1b'), "{output}");
}
