//! What the environment says about the terminal, and no terminal at all.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;

/// What the program sends in an environment, and its status after it was told to quit.
fn sent(folder: TempDir, variables: &[&str]) -> (Vec<u8>, Option<i32>, crate::pty::modes::Modes, TempDir) {
    let mut command = Command::new("env");
    command.args(variables).args(["setsid", "--ctty"]).arg(program());
    let mut explorer = Explorer::go_on(command, folder);
    if !variables.contains(&"TERM=dumb") && !variables.contains(&"-uTERM") {
        explorer.wait_until("a frame", |pty| pty.modes().frames > 0);
        for key in ["1", "2", "3", "4", "6", "\x03"] {
            explorer.type_keys(key);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let status = explorer.wait_for_exit(PATIENCE).code();
    let output = explorer.drain();
    let modes = explorer.modes();
    assert!(modes.is_restored(), "{variables:?}: {modes:?}");
    (output, status, modes, explorer.take_folder())
}

#[test]
fn colours_and_glyphs_are_those_that_the_terminal_has() {
    let mut folder = folder_with(&epochs(2));
    train(folder.path());
    for term in ["xterm-256color", "screen", "tmux-256color", "linux", "vt100"] {
        for (no_color, locale) in [("", "C.UTF-8"), ("1", "C.UTF-8"), ("", "C")] {
            let variables =
                [&format!("TERM={term}"), &format!("NO_COLOR={no_color}"), &format!("LC_ALL={locale}")];
            let variables: Vec<&str> = variables.iter().map(|variable| variable.as_str()).collect();
            let (output, status, modes, same) = sent(folder, &variables);
            folder = same;
            assert_eq!(status, Some(0), "{variables:?}");
            assert!(no_color.is_empty() || !modes.has_colors, "{variables:?}");
            assert!(term != "vt100" || !modes.has_colors, "{variables:?}");
            assert!(
                locale != "C" || output.is_ascii(),
                "{variables:?}: {:?}",
                String::from_utf8_lossy(&output)
            );
            assert!(
                !String::from_utf8_lossy(&output).contains("38;2;"),
                "{variables:?}: no truecolour was offered"
            );
        }
    }
    for dumb in ["TERM=dumb", "-uTERM"] {
        let (output, status, _, same) = sent(folder, &[dumb]);
        folder = same;
        assert_eq!(status, Some(2), "{dumb}");
        let output = String::from_utf8(output).unwrap();
        assert!(!output.contains('\x1b') && output.contains("headcount train"), "{dumb}: {output}");
    }
}

#[test]
fn without_a_terminal_nothing_is_started() {
    let folder = folder_with(ENDLESS);
    let files: [fn() -> Stdio; 2] = [Stdio::null, Stdio::piped];
    for (stdin, stdout) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(one, other)| (files[one], files[other])) {
        let mut command = Command::new(program());
        let started = Instant::now();
        let command = arguments(&mut command, "explore", folder.path()).env("TERM", "xterm-256color");
        let output = command.stdin(stdin()).stdout(stdout()).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert_eq!((error.lines().count(), output.stdout.len()), (1, 0), "{error}");
        assert!(error.contains("headcount train") && !error.contains('\x1b'), "{error}");
        assert!(!folder.path().join("run").exists());
    }
}
