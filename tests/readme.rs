//! What the README says is what the program does.

use std::fs;
use std::path::Path;

use headcount::app::glossary;
use headcount::app::keymap::markdown_table;

/// Holds a part of the README, marked by its name, against what the program has; `UPDATE=1` writes it.
#[track_caller]
fn assert_written(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {name}: written by `UPDATE=1 cargo test --test readme` -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = readme.split_once(&begin).expect("the beginning is marked");
    let (written, after) = rest.split_once(&end).expect("the end is marked");
    let current = format!("\n{}\n", text.trim_end());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{begin}{current}{end}{after}")).unwrap();
    } else {
        assert_eq!(written, current, "run `UPDATE=1 cargo test --test readme`");
    }
}

/// In one test: both write the same file.
#[test]
fn keys_and_glossary_are_those_of_the_program() {
    assert_written("keys", &markdown_table());
    assert_written("glossary", &glossary());
}

#[test]
fn every_file_the_readme_points_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let local: Vec<&str> = links.filter(|link| !link.starts_with("http") && !link.starts_with('#')).collect();
    assert!(!local.is_empty());
    local.iter().for_each(|link| assert!(root.join(link).exists(), "{link}"));
}
