//! Arrows go down only: who may know whom.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file of a layer.
fn files(layer: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer), &mut found);
    assert!(!found.is_empty(), "{layer}");
    found
}

/// No file of `layer` mentions any of `words` outside its comments.
#[track_caller]
fn does_not_know(layer: &str, words: &[&str]) {
    for file in files(layer) {
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let known = words.iter().find(|word| code.contains(*word));
            assert!(known.is_none(), "{}:{}: {}", file.display(), number + 1, known.unwrap_or(&""));
        }
    }
}

const SCREEN: [&str; 8] = [
    "ratatui",
    "crossterm",
    "crate::app",
    "crate::view",
    "crate::term",
    "crate::picture",
    "crate::cli",
    "crate::report",
];

#[test]
fn what_computes_knows_of_no_screen() {
    for layer in ["cuda", "task", "model", "analysis", "train"] {
        does_not_know(layer, &SCREEN);
    }
}

#[test]
fn what_computes_points_down() {
    does_not_know("cuda", &["crate::task", "crate::model", "crate::analysis", "crate::train"]);
    does_not_know("task", &["crate::model", "crate::analysis", "crate::train"]);
    does_not_know("model", &["crate::analysis", "crate::train"]);
    does_not_know("analysis", &["crate::train"]);
}

#[test]
fn the_app_and_its_views_know_of_no_thread_channel_clock_or_file() {
    for layer in ["app", "view"] {
        let outside =
            ["std::thread", "mpsc", "std::time", "Instant", "std::fs", "std::io", "std::net", "std::env"];
        does_not_know(layer, &[&outside[..], &["crate::cli", "crate::report"]].concat());
    }
}

#[test]
fn a_picture_needs_no_terminal() {
    does_not_know("picture", &["crossterm", "crate::term", "crate::app", "crate::view", "crate::cli"]);
    does_not_know("picture", &["crate::task", "crate::model", "crate::analysis", "crate::train"]);
}

#[test]
fn the_terminal_knows_of_no_model() {
    does_not_know(
        "term",
        &["crate::app", "crate::view", "crate::train", "crate::analysis", "crate::model", "crate::cli"],
    );
}

#[test]
fn only_the_tasks_know_which_tasks_there_are() {
    for layer in ["model", "analysis", "train", "app", "view", "term", "report", "cli"] {
        does_not_know(layer, &["majority::", "\"majority\""]);
    }
}
