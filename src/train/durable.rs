//! Atomic file writes: a file is complete or absent, whatever happens meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::files::{FileError, Files, Written};

/// The name of a file while it is being written.
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b".") && name.ends_with(b".tmp")
}

/// Replaces `path` by `bytes`: writes, syncs and renames a sibling, then syncs the directory. Readable by its owner
/// only. After an error the old file, if any, is unchanged.
pub(super) fn replace(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let synced = place_after(files, path, bytes, |file| file.sync());
    synced.and_then(|()| files.sync_directory(directory_of(path))).map_err(FileError::at("write", path))
}

/// Like [`replace`], but not yet durable: once file and directory are synced, it is.
pub(super) fn place(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    place_after(files, path, bytes, |_| Ok(())).map_err(FileError::at("write", path))
}

/// Writes a sibling and renames it after `then`.
fn place_after(
    files: &dyn Files,
    path: &Path,
    bytes: &[u8],
    then: impl FnOnce(&mut dyn Written) -> io::Result<()>,
) -> io::Result<()> {
    let sibling = temporary(path);
    let written = write(files, &sibling, bytes)
        .and_then(|mut file| then(&mut *file))
        .and_then(|()| files.rename(&sibling, path));
    if written.is_err() {
        let _ = files.remove(&sibling);
    }
    written
}

fn write(files: &dyn Files, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn Written>> {
    match files.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = files.create(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes temporary files of killed processes. A file that stays only takes space.
pub(super) fn sweep(files: &dyn Files, directory: &Path) {
    let names = files.list(directory).unwrap_or_default();
    for name in names.iter().filter(|name| is_temporary(name)) {
        let _ = files.remove(&directory.join(name));
    }
}

/// Creates a directory and its parents, for its owner only.
///
/// # Errors
/// Names the directory.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FileError::at("create the directory", path))
}

#[cfg(test)]
mod tests {
    use super::super::files::Disk;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        replace(&Disk, &path, b"old").unwrap();
        fs::create_dir(temporary(&path)).unwrap();
        let error = replace(&Disk, &path, b"new").unwrap_err().to_string();
        assert!(error.contains("weights") && error.contains("cannot write"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn files_are_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("weights");
        replace(&Disk, &path, b"bytes").unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_link_at_the_path_is_replaced_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (dir.path().join("weights"), dir.path().join("elsewhere"));
        fs::write(&elsewhere, "precious").unwrap();
        for link in [&path, &temporary(&path)] {
            std::os::unix::fs::symlink(&elsewhere, link).unwrap();
        }
        replace(&Disk, &path, b"new").unwrap();
        assert!(!path.is_symlink() && fs::read(&path).unwrap() == b"new");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("link")).unwrap();
        assert!(Disk.append(&dir.path().join("link")).is_err());
        assert!(Disk.read(&dir.path().join("link"), 100).is_err());
    }

    #[test]
    fn only_temporaries_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".step-000001.safetensors.tmp", ".hidden", "notes.tmp", "step-000001.safetensors"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        sweep(&Disk, dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        assert!(!dir.path().join(".step-000001.safetensors.tmp").exists());
    }
}
