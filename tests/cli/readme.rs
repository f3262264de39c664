//! The commands of the README, run as they are printed.

use std::process::Command;

use super::*;

/// Settings with which a run takes a moment.
const SMALL: &str = "--set model.n_ctx=10 --set task.sequences=20 --set train.batch_size=16";

/// The commands for a shell, in the order of the README, without comments.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter_map(|line| line.split(" #").next());
    lines.map(str::trim).filter(|line| line.starts_with("headcount")).map(ToOwned::to_owned).collect()
}

/// The same with the reader's own files, and with runs that take a moment.
fn of_this_folder(command: &str) -> String {
    let short = command.replace("train.steps=10000", "train.steps=2").replace("/data/runs", "runs");
    let short = short.replace("train.steps=200", "train.steps=2");
    let short = short.replace("--weights W", "--weights runs/majority-23").replace("@FILE", "@tokens.txt");
    if short.contains("--seed 7 --epochs 60") { format!("{short} {SMALL}") } else { short }
}

/// The data set that the README's lines of Python write.
fn own_data(dir: &Path) {
    let mut text = String::from(
        r#"{"vocab":["a","b","c","d","e","f","g","h","i","j"],"vocab_out":["other","as the first"]}"#,
    );
    for row in 0..40 {
        let tokens: Vec<usize> = (0..16).map(|at| (row * at + at * at) % 10).collect();
        let class = |at: usize| (at > 0).then(|| usize::from(tokens[at] == tokens[0]));
        let targets: Vec<Option<usize>> = (0..16).map(class).collect();
        text.push('\n');
        text += &serde_json::json!({ "tokens": tokens, "targets": targets }).to_string();
    }
    fs::write(dir.join("own.safetensors"), text).unwrap();
}

#[test]
fn every_command_of_the_readme_does_what_it_is_printed_for() {
    let dir = tempfile::tempdir().unwrap();
    let shell = |line: &str| {
        let program = Path::new(env!("CARGO_BIN_EXE_headcount")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(dir.path()).env("PATH", path).env("HOME", dir.path());
        command.output().unwrap()
    };
    fs::write(dir.path().join("tokens.txt"), "1 5 3 6 0 9 6 4 2 3\n").unwrap();
    let config =
        "seed = 9\n[model]\nn_ctx = 10\n[task]\nsequences = 20\n[train]\nbatch_size = 16\nepochs = 1\n";
    fs::write(dir.path().join("mine.toml"), config).unwrap();
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let edits = readme.split("```toml\n").find(|block| block.starts_with("[[edit]]")).unwrap();
    fs::write(dir.path().join("edits.toml"), edits.split("```").next().unwrap()).unwrap();
    for folder in [".local/share/bash-completion/completions", ".local/share/man/man1"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    own_data(dir.path());
    let trained =
        shell(&format!("headcount train --quiet {SMALL} --steps 420 --set train.checkpoint_every=210"));
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));

    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in &commands {
        let ran = shell(&of_this_folder(command));
        assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
