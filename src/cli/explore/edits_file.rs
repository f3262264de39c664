//! Saved edits: files of `edits` in the run's directory.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::super::output;
use crate::app::{Event, Notice};
use crate::term::sanitize;

/// The directory beside the exports.
pub fn folder(exports: &Path) -> PathBuf {
    exports.with_file_name("edits")
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

fn shown(path: &Path) -> String {
    sanitize(&path.display().to_string()).into_owned()
}

/// Writes a file, in place of one of this name; the notice says where it is, or why not.
pub fn save(folder: &Path, name: &str, text: &str) -> Notice {
    let path = path(folder, name);
    // Creates the last directory only, as exports do.
    let made = match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if !folder.is_dir() => Err(error.to_string()),
        _ => output::write_text(&path, text).map_err(|failure| failure.to_string()),
    };
    match made {
        Ok(()) => Notice::info(format!("{}: for o here, and for --edits", shown(&path))),
        Err(why) => Notice::error(format!("cannot save {}: {why}", shown(&path))),
    }
}

/// The text of a file; or else a notice with the names that there are.
pub fn load(folder: &Path, name: &str) -> Event {
    let path = path(folder, name);
    match fs::read_to_string(&path) {
        Ok(text) => Event::Edits(text),
        Err(error) => {
            let names = names(folder);
            let has = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            Event::Notice(Notice::warning(format!("{}: {error}; saved: {has}", shown(&path))))
        }
    }
}

/// The names of the saved files, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let toml = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let stem = |path: PathBuf| Some(sanitize(path.file_stem()?.to_str()?).into_owned());
    let mut names: Vec<String> = toml.filter_map(stem).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Level;

    #[test]
    fn what_is_saved_can_be_loaded_and_what_is_not_names_what_is() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir.path().join("exports"));
        assert_eq!(folder, dir.path().join("edits"));
        for text in ["one", "two"] {
            assert_eq!(save(&folder, "mine", text).level, Level::Info);
            assert!(matches!(load(&folder, "mine"), Event::Edits(found) if found == text));
        }
        let Event::Notice(notice) = load(&folder, "other") else { panic!("there is no such file") };
        assert!(notice.text.contains("saved: mine"), "{}", notice.text);
        let missing = save(&dir.path().join("none/edits"), "mine", "");
        assert!(missing.level == Level::Error && missing.text.contains("none/edits"), "{}", missing.text);
    }
}
