//! What goes over the line, and what does not.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// Bytes a second in each of some stretches of a second and a little.
fn counted(explorer: &Explorer, stretches: usize) -> Vec<usize> {
    let mut before = explorer.output().len();
    let mut next = || {
        let started = Instant::now();
        thread::sleep(Duration::from_secs(1));
        let now = explorer.output().len();
        let bytes = now - std::mem::replace(&mut before, now);
        (bytes as f64 / started.elapsed().as_secs_f64()) as usize
    };
    (0..stretches).map(|_| next()).collect()
}

#[test]
fn an_idle_screen_sends_nothing() {
    let time = watch(Duration::from_millis(1500), Duration::from_secs(10));
    let paused = Explorer::training();
    paused.rests();
    for explorer in [paused, Explorer::finished()] {
        explorer.wait_until("nothing more is sent", |pty| {
            let before = pty.output().len();
            thread::sleep(time);
            pty.output().len() == before
        });
        // It is not dead either.
        let before = explorer.modes().frames;
        explorer.type_keys("?");
        explorer.wait_until("a frame after a key", |pty| pty.modes().frames > before);
    }
}

#[test]
fn what_the_user_waits_for_is_not_held_back_for_the_line() {
    let folder = folder_with(&epochs(2));
    train(folder.path());
    let started = Instant::now();
    let explorer = Explorer::go_on(session_leader(&program()), folder);
    explorer.wait_for("weights @6");
    explorer.wait_for("attention of head 0.0");
    assert!(started.elapsed() < bar(Duration::from_millis(300)), "{:?}", started.elapsed());
    explorer.type_keys("q");
    explorer.leaves(0, PATIENCE);
}

/// What a slow line may carry for training on a screen of this size: 1 KiB/s at 80 by 24, and 4 KiB/s at 200 by 50.
fn allowance((width, height): (u16, u16)) -> usize {
    if width * height > 80 * 24 { 4 << 10 } else { 1 << 10 }
}

fn cells((width, height): (u16, u16)) -> usize {
    usize::from(width) * usize::from(height)
}

fn training_sends_little(size: (u16, u16), rate: &str) {
    let mut explorer = Explorer::training_with(&["--line-rate", rate]);
    let allowed = if rate == SLOW { allowance(size) } else { 6 << 10 };
    explorer.resize(size.0, size.1);
    let seconds = watch(Duration::from_secs(3), Duration::from_secs(60)).as_secs() as usize;
    let views: &[&str] = if is_long() { &["1", "2", "3", "4", "5", "6"] } else { &["1"] };
    for view in views {
        let before = (explorer.output().len(), explorer.modes().frames);
        explorer.type_keys(view);
        thread::sleep(Duration::from_millis(300));
        let change = explorer.output().len() - before.0;
        assert!(change <= 24 * cells(size), "view {view}: {change} bytes to change to it");
        // What the change of view took is earned again first.
        thread::sleep(Duration::from_millis(2500));
        let frames = explorer.modes().frames;
        let mut bytes = counted(&explorer, seconds);
        let frames = explorer.modes().frames - frames;
        bytes.sort_unstable();
        let (median, most) = (bytes[bytes.len() / 2], bytes[bytes.len() * 99 / 100]);
        println!(
            "{}x{}, view {view}: {change} bytes at first, then {frames} frames, median {median}, most {most} a second",
            size.0, size.1
        );
        // A few seconds may hold a frame more than is their share.
        let share = if is_long() { allowed } else { 2 * allowed };
        assert!(bytes.iter().sum::<usize>() <= bytes.len() * share, "view {view}: {bytes:?}");
        assert!(most <= 4 * allowed, "view {view}: {bytes:?}");
        let is_live = frames >= 4 * seconds || rate == SLOW || size != (80, 24);
        assert!(!is_long() || is_live, "view {view}: {frames} frames in {seconds} s");
    }
    let modes = explorer.modes();
    assert_eq!((modes.outside, &modes.unexpected), (0, &vec![]));
}

#[test]
fn training_sends_little_and_only_whole_frames() {
    training_sends_little((80, 24), SLOW);
    training_sends_little((80, 24), DEFAULT);
}

#[test]
fn training_sends_little_to_a_large_screen_too() {
    training_sends_little((200, 50), SLOW);
    training_sends_little((200, 50), DEFAULT);
}

#[test]
fn a_move_of_the_cursor_sends_little() {
    let mut explorer = Explorer::finished();
    let sizes: &[(u16, u16)] = if is_long() { &[(80, 24), (200, 50)] } else { &[(80, 24)] };
    for &size in sizes {
        explorer.resize(size.0, size.1);
        for view in ["1", "2", "3", "4", "5", "6"] {
            explorer.type_keys(view);
            explorer.wait_for(&format!("▐{view} "));
            // From wherever it is to the last position, and to the first.
            let sent = ["$", "0"].map(|key| {
                explorer.settles();
                let before = (explorer.output().len(), explorer.modes().frames);
                explorer.type_keys(key);
                explorer.wait_until("a frame", |pty| pty.modes().frames > before.1);
                explorer.settles();
                explorer.output().len() - before.0
            });
            let sent = sent[0].max(sent[1]);
            println!("{}x{}, view {view}: {sent} bytes to move the cursor", size.0, size.1);
            assert!(sent <= 4 * allowance(size), "view {view}: {sent} bytes");
        }
    }
}
