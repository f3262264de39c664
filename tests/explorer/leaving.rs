//! Every way out gives the terminal back and saves the run.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::*;
use crate::pty::under_a_shell;

#[test]
fn by_key() {
    for keys in ["qq", "\x03"] {
        let explorer = Explorer::training();
        explorer.type_keys(keys);
        let output = explorer.leaves(0, PATIENCE);
        assert!(output.ends_with(b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?1049l"));
    }
}

#[test]
fn by_signal_with_the_status_of_the_first_whatever_comes_after() {
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)]
    {
        let explorer = Explorer::training();
        let started = Instant::now();
        explorer.signal(signal);
        takes_note(explorer.pid().as_raw_nonzero().get().cast_unsigned());
        for later in [Signal::TERM, Signal::INT, Signal::HUP] {
            explorer.signal(later);
        }
        explorer.leaves(status, PATIENCE);
        // A little of it is the test's own.
        let limit = watch(SOON, Duration::from_millis(600));
        assert!(started.elapsed() < limit, "{signal:?}: {:?}", started.elapsed());
    }
}

#[test]
fn by_signal_while_it_is_paused() {
    let explorer = Explorer::training();
    explorer.rests();
    let started = Instant::now();
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn by_failure_with_the_reason_after_the_screen() {
    // Such decay multiplies the weights by thousands at every step.
    let config = ENDLESS.replace("[train]\n", "[train]\nmax_lr = 100.0\nweight_decay = 100.0\n");
    let mut explorer = Explorer::start(session_leader(&program()), &config);
    explorer.is_up();
    explorer.wait_until("the trainer has failed", |explorer| explorer.output().len() > 30);
    thread::sleep(Duration::from_millis(500));
    explorer.type_keys("qq");
    assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(1));
    let output = String::from_utf8(explorer.drain()).unwrap();
    assert!(explorer.modes().is_restored());
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("not finite") && after.lines().count() == 1, "{after:?}");
    let found = look(&explorer.run()).unwrap().unwrap();
    assert!(found.state.unwrap().weights.first_non_finite().is_none());
}

#[test]
fn usr1_saves_and_ends_nothing() {
    let explorer = Explorer::training();
    let saved = || look(&explorer.run()).unwrap().unwrap().step();
    let before = saved();
    explorer.signal(Signal::USR1);
    let interval = 500;
    explorer.wait_until("a checkpoint between two regular ones", |_| {
        let step = saved();
        step > before && step % interval != 0
    });
    explorer.trains_on(3);
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
}

#[test]
fn control_z_gives_the_terminal_back_for_a_while() {
    let rounds: u16 = if is_long() { 20 } else { 3 };
    let script =
        r#"set -m; "$@"; for round in $(seq ROUNDS); do echo stop $round.; read go; fg; done; exit $?"#;
    let script = script.replace("ROUNDS", &rounds.to_string());
    let mut explorer = Explorer::start(under_a_shell(&script, &program()), ENDLESS);
    explorer.is_up();
    explorer.trains_on(30);
    explorer.rests_under_a_shell();
    for round in 1..=rounds {
        explorer.type_keys("\x1a");
        explorer.wait_at_most(Duration::from_secs(2), "a stop", |pty| {
            pty.text().contains(&format!("stop {round}."))
        });
        assert!(explorer.modes().is_restored() && !explorer.settings_differ());
        let (before, size) = (explorer.output().len(), (80 + round, 24 + round));
        explorer.resize(size.0, size.1);
        explorer.type_keys("\n");
        explorer.wait_until("the screen again", |pty| pty.modes().is_alternate());
        explorer.wait_until("a full repaint", |pty| {
            let output = pty.output();
            crate::pty::emulate(&output[before..], size).screen().text() == pty.emulator().screen().text()
        });
        assert!(explorer.settings_differ());
    }
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
}

impl Explorer {
    /// As [`rests`](Explorer::rests), where the process that was started is a shell.
    fn rests_under_a_shell(&self) {
        self.type_keys("P");
        self.wait_until("training rests", |_| {
            let step = self.step();
            thread::sleep(Duration::from_millis(150));
            self.step() == step
        });
    }
}
