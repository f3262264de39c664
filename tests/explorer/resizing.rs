//! Windows that change, keys that are hammered.

use std::thread;
use std::time::{Duration, Instant};

use headcount::random::{Purpose, stream};
use rand::Rng;

use super::*;
use crate::bars::frames_in;
use crate::pty::emulate;

/// The screen equals what a repaint from nothing shows.
fn is_right(explorer: &Explorer, size: (u16, u16)) {
    let before = explorer.output().len();
    explorer.type_keys("\x0c");
    explorer.wait_until("a repaint that agrees", |pty| {
        let output = pty.output();
        output.len() > before
            && emulate(&output[before..], size).screen().text() == pty.emulator().screen().text()
    });
}

#[test]
fn a_storm_of_resizes_ends_in_the_right_screen() {
    let mut explorer = Explorer::training();
    explorer.rests();
    let (before, started) = (explorer.modes().frames, Instant::now());
    for step in 0..500 {
        explorer.resize(20 + step % 100, step % 40);
        thread::sleep(Duration::from_millis(1));
    }
    explorer.resize(101, 31);
    thread::sleep(Duration::from_millis(500));
    let frames = explorer.modes().frames - before;
    assert!(frames <= frames_in(started.elapsed()), "{frames} frames");
    is_right(&explorer, (101, 31));
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
}

/// Keys of the program, junk, half escapes, a mouse that nobody asked for, a paste.
const JUNK: [&str; 24] = [
    "1",
    "2",
    "3",
    "4",
    "6",
    "?",
    "\x1b",
    "\t",
    " ",
    "u",
    "r",
    "v",
    "f",
    "[",
    "]",
    "p",
    "s",
    "\x1b[A",
    "\x1b[999;999H",
    "\x1b[<35;300;200M",
    "\x1b[200~P,1,2,qq\x1b[201~",
    "\x1bO",
    "\u{202e}",
    "\x0c",
];

#[test]
fn hammering_and_resizing_change_neither_the_run_nor_the_memory() {
    let limited = epochs(1500);
    let quiet = folder_with(&limited);
    train(quiet.path());
    let mut explorer = Explorer::start(session_leader(&program()), &limited);
    explorer.is_up();
    let mut random = stream(11, Purpose::Data, 0);
    let mut paused = false;
    let end = 4500;
    for round in 0.. {
        explorer.type_keys(JUNK[random.gen_range(0..JUNK.len())]);
        if round % 50 == 0 && explorer.step() + 500 < end {
            explorer.type_keys("\x1bP");
            paused = !paused;
        }
        if round % 10 == 0 {
            explorer.resize(random.gen_range(0..150), random.gen_range(0..50));
        }
        thread::sleep(Duration::from_millis(4));
        if round > 700 || explorer.step() >= end {
            break;
        }
    }
    explorer.resize(80, 24);
    // Whatever has the focus, and whether or not it is paused by now.
    let deadline = Instant::now() + 2 * PATIENCE;
    let mut before = explorer.step();
    while before < end {
        assert!(Instant::now() < deadline, "stuck at step {before}, paused {paused}");
        thread::sleep(Duration::from_millis(300));
        if explorer.step() == before && before < end {
            explorer.type_keys("\x1b");
            thread::sleep(Duration::from_millis(100));
            explorer.type_keys("P");
        }
        before = explorer.step();
    }
    explorer.type_keys("\x1b");
    thread::sleep(Duration::from_millis(100));
    explorer.type_keys("\x1b");
    thread::sleep(Duration::from_millis(100));
    explorer.quits();
    let modes = explorer.modes();
    assert!(modes.unexpected.is_empty(), "{:?}", modes.unexpected);
    let run = explorer.run();
    let folder = explorer.take_folder();
    assert!(explorer.wait_for_exit(PATIENCE).success());
    for file in ["metrics.jsonl", "weights.safetensors"] {
        let read = |run: &Path| fs::read(run.join(file)).unwrap();
        assert!(read(&quiet.path().join("run")) == read(&run), "{file} differs in {folder:?}");
    }
}
