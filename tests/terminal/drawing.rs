//! What is drawn arrives, in whole frames of the fewest bytes.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::bars::{PATIENCE, bar, frames_in};

#[test]
fn the_screen_is_what_was_drawn_and_the_terminal_is_changed_meanwhile() {
    let fixture = Fixture::shown();
    assert!(fixture.settings_differ() && fixture.modes().is_alternate() && !fixture.modes().is_restored());
    assert!(!fixture.emulator().cursor().visible);
    assert_eq!(difference(&fixture.emulator(), &drawn(&shown(0), 80, 24)), None);
    fixture.type_keys("nh");
    let heavy = State { count: 1, heavy: true, ..State::default() };
    fixture.wait_until("the second frame is right", |pty| shows(pty, &heavy, (80, 24)));
    assert_ne!(difference(&fixture.emulator(), &drawn(&shown(1), 80, 24)), None);
}

#[test]
fn nothing_changed_is_nothing_sent() {
    let fixture = Fixture::shown();
    fixture.settles();
    let before = fixture.output().len();
    fixture.type_keys("iiii");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(fixture.output().len(), before);
    fixture.type_keys("n");
    fixture.wait_for("count 1");
    assert_eq!(fixture.output()[before..], *b"\x1b[?2026h\x1b[1;7H\x1b[1;36m1\x1b[0m\x1b[?2026l");
}

/// The number of write calls that a process has made.
fn writes(fixture: &Fixture) -> usize {
    let io = std::fs::read_to_string(format!("/proc/{}/io", fixture.pid())).unwrap();
    let count = io.lines().find_map(|line| line.strip_prefix("syscw: "));
    count.unwrap().parse().unwrap()
}

#[test]
fn every_frame_is_one_write_and_nothing_is_written_outside() {
    let fixture = Fixture::shown();
    let before = (writes(&fixture), fixture.modes().frames);
    for count in 1..=20 {
        fixture.type_keys("n");
        fixture.wait_for(&format!("count {count}"));
    }
    let modes = fixture.modes();
    assert_eq!((writes(&fixture) - before.0, modes.frames - before.1), (20, 20));
    assert_eq!((modes.outside, &modes.unexpected), (0, &vec![]));
}

#[test]
fn a_storm_of_resizes_settles_on_the_last_size() {
    let mut fixture = Fixture::shown();
    fixture.type_keys("h");
    let heavy = State { heavy: true, ..State::default() };
    fixture.wait_until("the heavy screen", |pty| shows(pty, &heavy, (80, 24)));
    let (before, started) = (fixture.modes().frames, Instant::now());
    for step in 0..500 {
        fixture.resize(20 + step % 100, step % 40);
        thread::sleep(Duration::from_millis(1));
    }
    fixture.resize(101, 31);
    fixture.wait_at_most(bar(Duration::from_secs(1)), "the last size", |pty| shows(pty, &heavy, (101, 31)));
    let frames = fixture.modes().frames - before;
    // On a busy machine the storm lasts longer than its steps.
    assert!(frames <= frames_in(started.elapsed()), "{frames} frames");
    fixture.type_keys("q");
    fixture.leaves(0, PATIENCE);
}

#[test]
fn no_size_is_too_small_to_survive() {
    let mut fixture = Fixture::shown();
    for (width, height) in [(0, 0), (1, 1), (2, 1), (0, 24), (1, 200), (500, 1)] {
        fixture.resize(width, height);
        thread::sleep(Duration::from_millis(80));
    }
    fixture.resize(80, 24);
    fixture.wait_until("the first screen", |pty| shows(pty, &shown(0), (80, 24)));
}

/// What a program sent for a screen with everything on it.
fn modes_of_a_full_screen(no_color: &str) -> pty::modes::Modes {
    // The harness clears the variable, so that it is set behind its back.
    let mut command = Command::new("env");
    command.arg(format!("NO_COLOR={no_color}")).args(["setsid", "--ctty"]).arg(this_executable());
    let fixture = Fixture::start(command);
    fixture.wait_for("count 0");
    fixture.type_keys("\x1b[200~note\x1b[201~h");
    fixture.wait_until("note and letters", |pty| {
        let text = pty.text();
        text.contains("pasted note") && text.contains("hov")
    });
    fixture.modes()
}

#[test]
fn without_colours_only_attributes_are_sent() {
    let (without, with) = (modes_of_a_full_screen("1"), modes_of_a_full_screen(""));
    assert!(with.has_colors && !without.has_colors, "{without:?}");
    assert!([1, 7].iter().all(|attribute| without.attributes.contains(attribute)), "{without:?}");
}

#[test]
fn a_paste_is_one_event() {
    let fixture = Fixture::shown();
    fixture.type_keys("\x1b[200~qqq\x1b[201~");
    fixture.wait_for("pasted qqq");
}
