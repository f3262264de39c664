//! What helps people to find their way: help with examples, completions, the manual page, the version.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::*;

/// Every command that has a help, as its words.
fn commands() -> Vec<Vec<String>> {
    fn below(dir: &Path, command: &[String]) -> Vec<Vec<String>> {
        let help = help(dir, command);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| {
            let is_name = line.starts_with("  ") && !line.starts_with("   ");
            line.split_whitespace().next().filter(|name| is_name && *name != "help")
        });
        let of = |name: &str| below(dir, &[command, &[name.to_owned()]].concat());
        [command.to_vec()].into_iter().chain(names.flat_map(of)).collect()
    }
    below(tempfile::tempdir().unwrap().path(), &[])
}

fn help(dir: &Path, command: &[String]) -> String {
    let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
    let ran = run(dir, &args);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
    ran.stdout
}

/// The names of the commands right below the program.
fn names() -> BTreeSet<String> {
    commands().into_iter().filter_map(|command| command.into_iter().next()).collect()
}

#[test]
fn the_help_of_every_command_ends_in_examples() {
    let dir = tempfile::tempdir().unwrap();
    let commands = commands();
    assert_eq!(commands.len(), 18, "{commands:?}");
    for command in commands {
        let help = help(dir.path(), &command);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{command:?}: {help}"));
        let examples: Vec<&str> = examples.lines().collect();
        assert!((2..=4).contains(&examples.len()), "{command:?}: {examples:?}");
        assert!(examples.iter().all(|line| line.starts_with("  headcount")), "{command:?}: {examples:?}");
    }
}

#[test]
fn the_version_is_short_and_long() {
    let dir = tempfile::tempdir().unwrap();
    let first = concat!("headcount ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(run(dir.path(), &["-V"]).stdout, first);
    let long = run(dir.path(), &["--version"]).stdout;
    let rest: Vec<&str> = long.strip_prefix(first).unwrap().lines().collect();
    let features = if cfg!(feature = "cuda") { "features: cuda" } else { "features: none" };
    assert!(rest.len() == 2 && rest[0].starts_with(features), "{long}");
    let sets = ["x86-v4", "x86-v3", "neon", "scalar"];
    assert!(sets.iter().any(|set| rest[1] == format!("simd: {set}")), "{long}");
}

fn completions(shell: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["completions", shell]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{shell}");
    ran.stdout
}

#[test]
fn every_shell_is_told_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = completions(shell);
        for name in names() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    refuses(dir.path(), &["completions", "csh"], 2, &["csh", "bash", "zsh", "fish"]);
}

/// What a shell prints for a script of ours in the file `completions` followed by `then`.
fn in_shell(shell: &[&str], then: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("completions"), completions(shell[0])).unwrap();
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", then]).current_dir(dir.path()).env("HOME", dir.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{shell:?}: {then}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

const BASH: [&str; 3] = ["bash", "--noprofile", "--norc"];

#[test]
fn bash_completes_our_commands_and_options() {
    in_shell(&BASH, "bash -n completions");
    let loaded = in_shell(&BASH, ". ./completions; complete -p headcount");
    assert!(loaded.contains("-F _headcount") && loaded.trim_end().ends_with("headcount"), "{loaded}");
    // What a press of Tab after these words would offer.
    let offered = |words: &[&str]| {
        let line = format!(
            ". ./completions; COMP_WORDS=({}); COMP_CWORD={}; \
             _headcount headcount '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        in_shell(&BASH, &line)
    };
    assert_eq!(offered(&["headcount", "comp"]).trim(), "completions");
    assert_eq!(offered(&["headcount", "inspect", "attr"]).trim(), "attribution");
    assert_eq!(offered(&["headcount", "train", "--res"]).trim(), "--resume");
}

/// Whether a shell that not every machine has is here; a test that cannot use it says so.
fn has(shell: &str) -> bool {
    let tried = Command::new(shell).args(["-c", "true"]).stdin(Stdio::null()).output();
    let is_here = tried.is_ok_and(|output| output.status.success());
    if !is_here {
        eprintln!("not installed: {shell}");
    }
    is_here
}

#[test]
fn zsh_and_fish_where_they_are_installed_complete_them_too() {
    if has("zsh") {
        let zsh = ["zsh", "-f"];
        in_shell(&zsh, "zsh -n completions");
        let loaded = "autoload -U compinit; compinit -u -D; . ./completions; print $_comps[headcount]";
        assert_eq!(in_shell(&zsh, loaded).trim(), "_headcount");
    }
    if has("fish") {
        let fish = ["fish", "--no-config"];
        in_shell(&fish, "fish --no-execute completions");
        let offered = in_shell(&fish, "source completions; complete -C 'headcount comp'");
        assert!(offered.starts_with("completions\t"), "{offered}");
    }
}

#[test]
fn the_manual_page_is_one_page_of_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &["man"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let page = ran.stdout;
    let count = |start: &str| page.lines().filter(|line| line.starts_with(start)).count();
    let title = concat!(".TH headcount 1 \"\" \"headcount ", env!("CARGO_PKG_VERSION"), "\"");
    assert_eq!((count(".TH "), count(title)), (1, 1), "{page}");
    assert!(page.contains("\n.SH NAME\nheadcount \\- Train"), "{page}");
    for section in ["SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "\"EXIT STATUS\"", "EXAMPLES"] {
        assert_eq!(count(&format!(".SH {section}")), 1, "{section}");
    }
    let below: Vec<Vec<String>> = commands().into_iter().filter(|command| !command.is_empty()).collect();
    assert_eq!(count(".SS "), below.len());
    for command in below {
        assert!(page.contains(&format!("\n.SS \"headcount {}\"\n", command.join(" "))), "{command:?}");
    }
    assert!(page.is_ascii() && page.lines().all(|line| !line.is_empty()), "not for every formatter");
    assert_eq!(count(".ie "), 1, "definitions are repeated");
    assert_eq!((count(".EX"), count(".TP") > 50), (count(".EE"), true));
}
