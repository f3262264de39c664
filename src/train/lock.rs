//! At most one trainer per run directory. The system releases the lock however its holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use thiserror::Error;

use super::files::FileError;

/// Wait for the holder's name: it is written shortly after the lock is taken.
const NAME_ARRIVES: Duration = Duration::from_millis(5);
const LOOKS: usize = 20;

/// Wait for a process that only checks the lock, and holds it for a moment.
const LOOKER_LEAVES: Duration = Duration::from_millis(1);
const TRIES: usize = 1000;

/// A lock that cannot be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// The file system's error.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process holds the lock.
    #[error("held by {0}")]
    Held(String),
}

/// Held until dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock of a run directory.
    ///
    /// # Errors
    /// Names the process that holds the lock.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join("lock");
        let open = as_it_is().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(FileError::at("open", &path))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(owner(&path))),
            Err(TryLockError::Error(source)) => return Err(FileError::at("lock", &path)(source).into()),
        }
        // The name is only for the message of other processes.
        let name = format!("{}{}\n", std::process::id(), host());
        let _ = file.set_len(0).and_then(|()| file.write_all(name.as_bytes()));
        Ok(Self(file))
    }

    /// Whether the directory at this path is still the locked one: not renamed, removed or replaced.
    pub(super) fn is_of(&self, directory: &Path) -> bool {
        let identity = |of: &std::fs::Metadata| (of.dev(), of.ino());
        let ours = self.0.metadata().map(|ours| identity(&ours));
        let theirs = std::fs::symlink_metadata(directory.join("lock")).map(|theirs| identity(&theirs));
        matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    /// The holder of a run directory's lock, as `process 123 on NAME`; `None` when it is free. Never blocks a trainer.
    ///
    /// # Errors
    /// Names the lock file.
    pub fn holder(directory: &Path) -> Result<Option<String>, FileError> {
        let path = directory.join("lock");
        let file = match as_it_is().open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            open => open.map_err(FileError::at("open", &path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => {
                drop(Self(file));
                Ok(None)
            }
            Err(TryLockError::WouldBlock) => Ok(Some(owner(&path))),
            Err(TryLockError::Error(source)) => Err(FileError::at("lock", &path)(source)),
        }
    }
}

/// Options that follow no link and block on no pipe.
fn as_it_is() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Takes the exclusive lock, retrying while another process only checks it.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            // A shared lock fails only against a trainer's exclusive lock.
            Err(TryLockError::WouldBlock) => file.try_lock_shared()?,
            tried => return tried,
        }
        file.unlock().map_err(TryLockError::Error)?;
        thread::sleep(LOOKER_LEAVES);
    }
    Err(TryLockError::WouldBlock)
}

impl Drop for Lock {
    /// Closing the file is not enough: a child of this process holds a copy, and so the lock, from its fork until its
    /// exec.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// ` on NAME`, for directories that several machines share.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { String::new() } else { format!(" on {}", name.trim()) }
}

fn owner(path: &Path) -> String {
    for _ in 0..LOOKS {
        let mut name = String::new();
        let read = File::open(path).and_then(|file| file.take(256).read_to_string(&mut name));
        if read.is_ok() && name.ends_with('\n') {
            return format!("process {}", name.trim());
        }
        thread::sleep(NAME_ARRIVES);
    }
    "another process".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_file_does_not_keep_the_lock() {
        let run = tempfile::tempdir().unwrap();
        let lock = Lock::take(run.path()).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(Lock::take(run.path()), Err(LockError::Held(_))));
        drop(lock);
        Lock::take(run.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn the_holder_is_named_and_checking_leaves_nothing() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(Lock::holder(run.path()).unwrap(), None);
        assert!(!run.path().join("lock").exists());
        let lock = Lock::take(run.path()).unwrap();
        let holder = Lock::holder(run.path()).unwrap().unwrap();
        assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
        drop(lock);
        assert_eq!(Lock::holder(run.path()).unwrap(), None);
    }

    #[test]
    fn a_process_that_only_checks_blocks_no_trainer() {
        let run = tempfile::tempdir().unwrap();
        drop(Lock::take(run.path()).unwrap());
        let path = run.path().join("lock");
        let looker = File::open(&path).unwrap();
        looker.lock_shared().unwrap();
        let leaves = thread::spawn(move || {
            // Only after the main thread found it locked; a later release changes nothing.
            thread::sleep(Duration::from_millis(50));
            looker.unlock().unwrap();
        });
        Lock::take(run.path()).unwrap();
        leaves.join().unwrap();
    }
}
