//! What helps people to find their way: help with examples, the version.

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

#[test]
fn the_help_of_every_command_ends_in_examples() {
    let dir = tempfile::tempdir().unwrap();
    let commands = commands();
    assert_eq!(commands.len(), 14, "{commands:?}");
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
