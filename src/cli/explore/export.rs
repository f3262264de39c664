//! Writes exports of the screen: its numbers and its picture.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::app::{Export, Notice};
use crate::term::sanitize;

/// Most names tried for one prefix.
const MOST: usize = 10_000;

/// Writes the files under a free name, readable by their owner only; the notice gives the name or the error.
pub fn write(dir: &Path, export: &Export, svg: &str) -> Notice {
    match try_write(dir, export, svg) {
        Ok(name) => {
            Notice::info(format!("{name}.csv .json .svg in {}", sanitize(&dir.display().to_string())))
        }
        Err(reason) => Notice::error(format!("cannot export: {reason}")),
    }
}

fn try_write(dir: &Path, export: &Export, svg: &str) -> Result<String, String> {
    // Creates the last directory only: files in place of a removed run would block the next run there.
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if !dir.is_dir() => return Err(format!("{}: {error}", dir.display())),
        _ => {}
    }
    for number in 1..=MOST {
        let name = format!("{}-{number:03}", export.name);
        let files = [("json", &*export.json), ("csv", &*export.csv), ("svg", svg)];
        let any = |(kind, _): &(&str, &str)| dir.join(format!("{name}.{kind}")).symlink_metadata().is_ok();
        if files.iter().any(any) {
            continue;
        }
        match files.iter().try_for_each(|(kind, text)| write_new(&dir.join(format!("{name}.{kind}")), text)) {
            // Another process took the name meanwhile.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{}: {error}", dir.join(name).display())),
            Ok(()) => return Ok(name),
        }
    }
    Err(format!("{} is taken {MOST} times over", export.name))
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::app::Level;

    fn export() -> Export {
        Export { name: "neurons-step-000287-trained".into(), csv: "a\n1\n".into(), json: "{}".into() }
    }

    #[test]
    fn names_never_collide_and_files_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let exports = dir.path().join("exports");
        for number in 1..=3 {
            let notice = write(&exports, &export(), "<svg/>");
            assert_eq!(notice.level, Level::Info);
            let path = exports.join(format!("neurons-step-000287-trained-{number:03}.csv"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(&exports).unwrap().count(), 9);
    }

    #[test]
    fn a_failed_export_is_a_notice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let notice = write(&file, &export(), "");
        assert_eq!(notice.level, Level::Error);
        assert!(notice.text.contains("file"), "{}", notice.text);
    }

    #[test]
    fn a_removed_run_directory_is_not_created_again() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let notice = write(&run.join("exports"), &export(), "");
        assert!(notice.level == Level::Error && notice.text.contains("run/exports"), "{}", notice.text);
        assert!(!run.exists());
    }
}
