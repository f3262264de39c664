//! What the environment says about the terminal, and no terminal at all.

use std::process::{Output, Stdio};
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
    let offered = ["TERM=xterm-256color", "COLORTERM=truecolor"];
    let (output, _, _, same) = sent(folder, &offered);
    folder = same;
    assert!(String::from_utf8_lossy(&output).contains("8;2;"), "truecolour was offered");
    for dumb in ["TERM=dumb", "-uTERM"] {
        let (output, status, _, same) = sent(folder, &[dumb]);
        folder = same;
        assert_eq!(status, Some(2), "{dumb}");
        let output = String::from_utf8(output).unwrap();
        assert!(!output.contains('\x1b') && output.contains("headcount train"), "{dumb}: {output}");
    }
}

/// What `train` sends to its terminal in an environment.
fn trained(variables: &[&str]) -> String {
    let folder = folder_with(&epochs(2));
    let mut command = Command::new("env");
    command.args(variables).args(["setsid", "--ctty"]).arg(program());
    arguments(&mut command, "train", folder.path());
    let mut pty = Pty::spawn(&mut command, folder).unwrap();
    assert_eq!(pty.wait_for_exit(PATIENCE).code(), Some(0), "{variables:?}");
    String::from_utf8(pty.drain()).unwrap()
}

#[test]
fn training_on_a_terminal_shows_its_epochs_in_characters_that_the_terminal_has() {
    for variables in [["TERM=dumb", "LC_ALL=C.UTF-8"], ["TERM=xterm", "LC_ALL=C"]] {
        let sent = trained(&variables);
        assert_eq!(sent.matches("epoch ").count(), 2, "{variables:?}: {sent}");
        assert!(variables[0] != "TERM=dumb" || !sent.contains('\x1b'), "{sent:?}");
        assert!(variables[1] != "LC_ALL=C" || sent.is_ascii(), "{sent:?}");
    }
}

/// The program on a finished run, whose terminal answers so when it is asked for its background.
fn on_a_terminal_that_says(answer: &str, more: &[&str]) -> Explorer {
    let folder = folder_with(&epochs(2));
    train(folder.path());
    let mut command = session_leader(&program());
    command.env(crate::pty::ANSWER, answer);
    arguments(&mut command, "explore", folder.path()).args(more);
    let explorer = Explorer::spawn(&mut command, folder).unwrap();
    explorer.wait_for("2 Attention");
    explorer
}

#[test]
fn colours_are_those_for_the_background_that_the_terminal_names() {
    let faint = |index: u8| move |output: &str| output.contains(&format!("38;5;{index}m"));
    let (on_dark, on_light) = (faint(247), faint(241));
    for (answer, options, dark, light) in [
        ("\x1b]11;rgb:0000/2b2b/3636\x1b\\", &[][..], true, false),
        ("\x1b]11;rgb:fdfd/f6f6/e3e3\x07", &[], false, true),
        ("\x1b]11;rgb:8080/8080/8080\x07", &[], false, false),
        ("", &[], false, false),
        ("", &["--theme", "light"], false, true),
        ("", &["--theme", "dark"], true, false),
        ("\x1b]11;rgb:ffff/ffff/ffff\x07", &["--theme", "plain"], false, false),
    ] {
        let mut explorer = on_a_terminal_that_says(answer, options);
        explorer.wait_for("keys");
        assert_eq!(explorer.modes().questions, usize::from(options.is_empty()), "{answer:?} {options:?}");
        assert_eq!(explorer.modes().has_colors, dark || light, "{answer:?} {options:?}");
        explorer.type_keys("\x03");
        assert_eq!(explorer.wait_for_exit(PATIENCE).code(), Some(0));
        let output = String::from_utf8_lossy(&explorer.drain()).into_owned();
        assert_eq!((on_dark(&output), on_light(&output)), (dark, light), "{answer:?} {options:?}");
    }
}

#[test]
fn a_late_answer_of_the_terminal_is_no_key() {
    let explorer = on_a_terminal_that_says("", &[]);
    explorer.wait_for("20 seq. ──");
    let before = explorer.text();
    // Of these letters many are keys.
    for piece in ["\x1b]11;rgb:ff", "ff/f6f6/e3e3", "\x1b\\"] {
        explorer.type_keys(piece);
        std::thread::sleep(Duration::from_millis(100));
    }
    explorer.type_keys("1");
    explorer.wait_for("▐1 Train▌");
    explorer.type_keys("2");
    explorer.wait_for("▐2 Attention▌");
    assert_eq!(explorer.text(), before);
    assert!(!explorer.modes().has_colors && explorer.modes().unexpected.is_empty());
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
        assert!(started.elapsed() < bar(Duration::from_millis(100)), "{:?}", started.elapsed());
        refuses(&output, folder.path());
    }
    for closed in ["<&-", ">&-", "<&- >&-"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!(r#"exec "$@" {closed}"#), "sh"]).arg(program());
        let command = arguments(&mut command, "explore", folder.path()).env("TERM", "xterm-256color");
        refuses(&command.stdin(Stdio::null()).output().unwrap(), folder.path());
    }
}

/// In one line, and without a trace.
fn refuses(output: &Output, folder: &Path) {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!((error.lines().count(), output.stdout.len()), (1, 0), "{error}");
    assert!(error.contains("headcount train") && !error.contains('\x1b'), "{error}");
    assert!(!folder.join("run").exists());
}

/// Every control character but NUL, which no name can have, in both sets; a title, a colour; text that runs backwards.
fn hostile() -> String {
    let controls = (1..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32);
    controls.chain("\x1b]0;t\x07\x1b[31m\x1bPq\x1b\\\u{202e}\u{2066}\u{200d}漢".chars()).collect()
}

#[test]
fn names_that_are_commands_reach_the_terminal_as_text() {
    let folder = folder_with(&epochs(2));
    let name = format!("run{}", hostile());
    let command = |what: &str| {
        let mut command = session_leader(&program());
        command.args([what, "--config", "settings.toml", "--device", "cpu", "--run", &name]);
        command.current_dir(folder.path());
        command
    };
    let is_harmless = |output: &[u8]| {
        let text = String::from_utf8_lossy(output);
        let is_harmful =
            |c: &char| matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert_eq!(text.chars().find(is_harmful), None, "{text:?}");
    };
    // Once to train, and once to be told by name that it is there.
    for status in [0, 1] {
        let mut trainer = Pty::spawn(command("train").arg("--quiet"), folder_with("")).unwrap();
        let output = trainer.ends(status, PATIENCE);
        is_harmless(&output);
        assert!(!output.contains(&7) && output.is_empty() == (status == 0), "{:?}", trainer.text());
    }
    let mut explorer = Pty::spawn(&mut command("explore"), folder_with("")).unwrap();
    explorer.is_up();
    for keys in ["1", "2e", "3"] {
        explorer.type_keys(keys);
        explorer.settles();
    }
    explorer.type_keys("q");
    let output = explorer.ends(0, PATIENCE);
    is_harmless(&output);
    let modes = explorer.modes();
    assert!(modes.unexpected.is_empty() && modes.copied.is_empty(), "{modes:?}");
}
