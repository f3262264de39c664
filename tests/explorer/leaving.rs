//! Every way out gives the terminal back and saves the run.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::*;
use crate::pty::under_a_shell;

#[test]
fn by_key() {
    for keys in ["qq", "\x03"] {
        let explorer = Explorer::training();
        explorer.type_keys(keys);
        let output = explorer.leaves(0, PATIENCE);
        let output = String::from_utf8(output).unwrap();
        let (before, after) = output.rsplit_once("\x1b[?1049l").unwrap();
        assert!(before.ends_with("\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h"));
        assert_eq!(after, "run saved in run: `headcount --run run` goes on\r\n");
    }
}

/// What is on the terminal after the explorer has left it by a key.
fn last_words(explorer: Explorer) -> String {
    explorer.type_keys("\x03");
    let output = String::from_utf8(explorer.leaves(0, PATIENCE)).unwrap();
    output.rsplit_once("\x1b[?1049l").unwrap().1.to_owned()
}

#[test]
fn with_the_place_of_a_run_that_it_has_trained_and_of_no_other() {
    let explorer = Explorer::start(session_leader(&program()), &epochs(2));
    explorer.is_up();
    explorer.wait_for("finished  6/6");
    assert_eq!(last_words(explorer), "run saved in run: `headcount --run run` opens it\r\n");
    assert_eq!(last_words(Explorer::finished()), "");
}

/// Any signal by its number, those without a name too.
fn send(explorer: &Explorer, signal: i32) {
    let sent = Command::new("kill").args([format!("-{signal}"), explorer.pid().to_string()]).status();
    assert!(sent.unwrap().success(), "signal {signal} cannot be sent");
}

#[test]
fn by_signal_with_the_status_of_the_first_whatever_comes_after() {
    // Those that a user or a batch system sends, and one of every other kind: timers, limits, power, real time.
    for signal in [15, 2, 1, 3, 12, 14, 16, 24, 26, 27, 29, 30, 34, 64] {
        let explorer = Explorer::training();
        let started = Instant::now();
        send(&explorer, signal);
        takes_note(explorer.pid().as_raw_nonzero().get().cast_unsigned());
        for later in [Signal::TERM, Signal::INT, Signal::HUP, Signal::USR2] {
            explorer.signal(later);
        }
        explorer.leaves(128 + signal, PATIENCE);
        // A little of it is the test's own.
        assert!(started.elapsed() < bar(Duration::from_millis(600)), "{signal}: {:?}", started.elapsed());
    }
}

#[test]
fn by_the_signal_of_a_crash_with_the_terminal_given_back() {
    for signal in [4, 5, 6, 7, 8, 11, 31] {
        let mut explorer = Explorer::training();
        send(&explorer, signal);
        assert_eq!(explorer.wait_for_exit(PATIENCE).signal(), Some(signal));
        assert!(!explorer.settings_differ(), "signal {signal}");
        explorer.drain();
        assert!(explorer.modes().is_restored(), "signal {signal}: {:?}", explorer.modes());
        assert!(look(&explorer.run()).unwrap().unwrap().skipped.is_empty());
    }
}

#[test]
fn not_by_a_signal_that_it_was_started_with_ignored() {
    let script = r#"trap "" INT QUIT USR2; exec "$@""#;
    let explorer = Explorer::start(under_a_shell(script, &program()), ENDLESS);
    explorer.is_up();
    explorer.trains_on(30);
    for signal in [Signal::INT, Signal::QUIT, Signal::USR2] {
        explorer.signal(signal);
    }
    explorer.trains_on(300);
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
}

#[test]
fn whatever_the_tests_themselves_were_started_with() {
    let mut again = Command::new("sh");
    again.args(["-c", r#"trap "" INT QUIT HUP; exec "$@""#, "sh"]).arg(std::env::current_exe().unwrap());
    again.args(["--exact", "leaving::by_a_signal_that_scripts_ignore", "--nocapture"]);
    let output = again.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[test]
fn by_a_signal_that_scripts_ignore() {
    let explorer = Explorer::training();
    explorer.signal(Signal::INT);
    explorer.leaves(130, PATIENCE);
}

#[test]
fn by_signal_while_it_is_paused() {
    let explorer = Explorer::training();
    explorer.rests();
    let started = Instant::now();
    explorer.signal(Signal::TERM);
    explorer.leaves(143, PATIENCE);
    assert!(started.elapsed() < bar(SOON), "{:?}", started.elapsed());
}

#[test]
fn by_failure_with_the_reason_after_the_screen() {
    // Such decay multiplies the weights by thousands at every step.
    let config = ENDLESS.replace("[train]\n", "[train]\nmax_lr = 100.0\nweight_decay = 100.0\n");
    let mut explorer = Explorer::start(session_leader(&program()), &config);
    explorer.is_up();
    explorer.wait_for("TRAINING FAILED");
    explorer.type_keys("qq");
    assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(1));
    let output = String::from_utf8(explorer.drain()).unwrap();
    assert!(explorer.modes().is_restored());
    let (_, after) = output.rsplit_once("\x1b[?1049l").unwrap();
    assert!(after.contains("not finite") && after.lines().count() == 1, "{after:?}");
    let found = look(&explorer.run()).unwrap().unwrap();
    assert!(found.state.unwrap().weights.first_non_finite().is_none());
}

/// Stops the program by a signal and has `resume` continue it: all of the screen is redrawn, although nothing on it
/// has changed.
fn is_drawn_after_a_stop(explorer: &Explorer, program: Pid, signal: Signal, resume: impl FnOnce()) {
    explorer.settles();
    let shown = explorer.text();
    let before = explorer.output().len();
    kill_process(program, signal).unwrap();
    let stat = format!("/proc/{program}/stat");
    explorer.wait_until("a stop", |_| fs::read_to_string(&stat).unwrap().contains(") T "));
    resume();
    explorer.wait_until("the same screen again", |pty| {
        crate::pty::emulate(&pty.output()[before..], (80, 24)).screen().text().join("\n") == shown
    });
}

#[test]
fn a_stop_by_a_signal_ends_in_a_full_repaint_of_a_screen_at_rest() {
    let explorer = Explorer::finished();
    explorer.wait_for("weights @6");
    is_drawn_after_a_stop(&explorer, explorer.pid(), Signal::STOP, || explorer.signal(Signal::CONT));
    explorer.type_keys("q");
    explorer.leaves(0, PATIENCE);
    let script = r#"set -m; "$@"; read go; fg; exit $?"#;
    let explorer = Explorer::start(under_a_shell(script, &program()), ENDLESS);
    explorer.is_up();
    explorer.trains_on(30);
    explorer.rests();
    let program = Pid::from_raw(explorer.holder().cast_signed()).unwrap();
    is_drawn_after_a_stop(&explorer, program, Signal::TSTP, || explorer.type_keys("\n"));
    explorer.type_keys("\x03");
    explorer.leaves(0, PATIENCE);
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
    explorer.rests();
    for round in 1..=rounds {
        explorer.type_keys("\x1a");
        explorer.wait_at_most(bar(Duration::from_secs(2)), "a stop", |pty| {
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
