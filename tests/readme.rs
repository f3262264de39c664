//! What the README says is what the program does.

use std::fs;
use std::path::Path;

use headcount::app::keymap::markdown_table;

const BEGIN: &str = "<!-- keys: written by `UPDATE=1 cargo test --test readme` -->\n";
const END: &str = "<!-- end of keys -->";

#[test]
fn the_key_table_is_the_one_that_dispatches() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning is marked");
    let (table, after) = rest.split_once(END).expect("the table's end is marked");
    let current = format!("\n{}\n", markdown_table().trim_end());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{current}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, current, "run `UPDATE=1 cargo test --test readme`");
    }
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
