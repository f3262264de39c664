//! Parts of the program that die or hang, when a build with debug assertions is asked for it.

use std::os::unix::process::ExitStatusExt;

use super::*;

/// Asks for a fault while it trains.
fn with_fault(fault: &str) -> Explorer {
    let mut command = session_leader(&program());
    command.env("HEADCOUNT_TEST_FAULT", fault);
    let explorer = Explorer::start(command, ENDLESS);
    explorer.is_up();
    explorer
}

/// What was printed when the screen was gone.
fn last_words(output: Vec<u8>) -> String {
    let output = String::from_utf8(output).unwrap();
    output.rsplit_once("\x1b[?1049l").unwrap().1.to_owned()
}

/// The run can be gone on with.
fn is_sound(run: &Path) {
    let found = look(run).unwrap().unwrap();
    assert!(found.state.is_some() && found.skipped.is_empty(), "{:?}", found.skipped);
}

#[test]
fn a_trainer_that_dies_is_said_on_the_screen_and_after_it() {
    let mut explorer = with_fault("trainer-panic");
    explorer.wait_for("TRAINING FAILED at step 199: the trainer died: HEADCOUNT_TEST_FAULT");
    explorer.wait_for("the trainer thread died");
    // The screen lives on.
    explorer.type_keys("2");
    explorer.wait_for("▐2 Attention▌");
    explorer.type_keys("q");
    let said = last_words(explorer.ends(1, PATIENCE));
    assert_eq!(said, "headcount: the trainer died: HEADCOUNT_TEST_FAULT asks for it\r\n");
    is_sound(&explorer.run());
}

#[test]
fn a_trainer_that_hangs_is_said_on_the_screen_and_holds_nobody_up() {
    let mut explorer = with_fault("trainer-hang");
    explorer.wait_for("silent ");
    explorer.type_keys("2");
    explorer.wait_for("▐2 Attention▌");
    let asked = std::time::Instant::now();
    explorer.type_keys("\x03");
    let said = last_words(explorer.ends(1, PATIENCE));
    assert!(said.contains("the trainer hangs") && said.lines().count() == 1, "{said:?}");
    assert!(asked.elapsed() < bar(2 * SOON), "{:?}", asked.elapsed());
    is_sound(&explorer.run());
}

#[test]
fn an_answer_that_panics_or_hangs_is_said_and_its_thread_started_again() {
    for (fault, said) in [
        ("inquiry-panic", "ANALYSIS died and was started again: HEADCOUNT_TEST_FAULT asks for it"),
        ("inquiry-hang", "ANALYSIS hangs and was started again"),
    ] {
        let mut explorer = with_fault(fault);
        explorer.type_keys("5");
        explorer.wait_for(said);
        // Asked again, the question is answered, and so are others.
        explorer.type_keys("\r");
        explorer.wait_for("copying");
        explorer.type_keys("2");
        explorer.wait_for("attention of head");
        explorer.type_keys("q");
        explorer.wait_for("q again stops");
        explorer.type_keys("q");
        explorer.ends(0, PATIENCE);
    }
}

#[test]
fn a_screen_that_dies_gives_the_terminal_back_and_the_run_is_saved() {
    let explorer = with_fault("screen-panic");
    let run = explorer.run();
    let mut explorer = explorer;
    let said = last_words(explorer.ends(101, PATIENCE));
    assert!(said.contains("panicked at src/cli/fault.rs"), "{said:?}");
    assert!(is_saved(&run).step() >= 200);
}

#[test]
fn what_ends_the_process_at_once_is_said_after_the_screen() {
    let crashes = [
        ("trainer-out-of-memory", "memory allocation of 9223372036854775807 bytes failed", 1),
        ("trainer-overflow", "thread 'trainer'", 4),
    ];
    for (fault, reason, lines) in crashes {
        let mut explorer = with_fault(fault);
        assert_eq!(explorer.wait_for_exit(PATIENCE).signal(), Some(Signal::ABORT.as_raw()));
        assert!(!explorer.settings_differ());
        let said = last_words(explorer.drain());
        assert!(explorer.modes().is_restored(), "{:?}", explorer.modes());
        assert!(said.contains(reason) && said.lines().count() <= lines, "{said:?}");
        is_sound(&explorer.run());
    }
}

#[test]
fn without_a_screen_one_line_says_that_the_trainer_died_and_where() {
    let folder = folder_with(ENDLESS);
    let train = |variables: &[(&str, &str)]| {
        let mut command = Command::new(program());
        let command = arguments(&mut command, "train", folder.path()).args(["--quiet", "--resume"]);
        command.env_remove("RUST_BACKTRACE").envs(variables.iter().copied());
        let output = command.env("HEADCOUNT_TEST_FAULT", "trainer-panic").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = train(&[]);
    assert!(said.starts_with("headcount: the trainer died: HEADCOUNT_TEST_FAULT"), "{said}");
    assert!(said.lines().count() == 1 && said.contains("src/cli/fault.rs:"), "{said}");
    is_sound(&folder.path().join("run"));
    let said = train(&[("RUST_BACKTRACE", "1")]);
    assert!(said.contains("stack backtrace") && said.contains("\nheadcount: the trainer died"), "{said}");
}
