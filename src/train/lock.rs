//! One trainer to a run directory. The system lets go of the lock however its holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use thiserror::Error;

use super::files::FileError;

/// A holder writes its name a moment after it has the lock.
const NAME_ARRIVES: Duration = Duration::from_millis(5);
const LOOKS: usize = 20;

/// Whoever only looks whether it is held keeps others from it for a moment.
const LOOKER_LEAVES: Duration = Duration::from_millis(1);
const TRIES: usize = 1000;

/// A lock that cannot be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// The file system's word.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has it.
    #[error("held by {0}")]
    Held(String),
}

/// Held as long as this lives.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock of a run directory.
    ///
    /// # Errors
    /// Names the process that has it.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join("lock");
        let open = as_it_is().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(FileError::at("open", &path))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(owner(&path))),
            Err(TryLockError::Error(source)) => return Err(FileError::at("lock", &path)(source).into()),
        }
        // Who holds it is only for the message that others print.
        let name = format!("{}{}\n", std::process::id(), host());
        let _ = file.set_len(0).and_then(|()| file.write_all(name.as_bytes()));
        Ok(Self(file))
    }

    /// Whether the directory at that path is still the one that was locked: not renamed, removed or replaced.
    pub(super) fn is_of(&self, directory: &Path) -> bool {
        let identity = |of: &std::fs::Metadata| (of.dev(), of.ino());
        let ours = self.0.metadata().map(|ours| identity(&ours));
        let theirs = std::fs::symlink_metadata(directory.join("lock")).map(|theirs| identity(&theirs));
        matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    /// Who holds the lock of a run directory, as `process 123 on NAME`; `None` when it is free. Holds up no trainer.
    ///
    /// # Errors
    /// Names the lock's file.
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

/// Follows no link, and waits for no pipe.
fn as_it_is() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Locks for oneself alone, past those who only look.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            // Only a trainer's lock does not go together with a looker's.
            Err(TryLockError::WouldBlock) => file.try_lock_shared()?,
            tried => return tried,
        }
        file.unlock().map_err(TryLockError::Error)?;
        thread::sleep(LOOKER_LEAVES);
    }
    Err(TryLockError::WouldBlock)
}

impl Drop for Lock {
    /// Closing alone would leave it held for as long as a child of this process has a copy of the file, which each child
    /// has from its birth until it runs its own program.
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
    fn a_copy_of_the_file_does_not_keep_it_held() {
        let run = tempfile::tempdir().unwrap();
        let lock = Lock::take(run.path()).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(Lock::take(run.path()), Err(LockError::Held(_))));
        drop(lock);
        Lock::take(run.path()).unwrap();
        drop(copy);
    }

    #[test]
    fn the_holder_is_named_and_looking_leaves_nothing() {
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
    fn whoever_looks_keeps_no_trainer_out() {
        let run = tempfile::tempdir().unwrap();
        drop(Lock::take(run.path()).unwrap());
        let path = run.path().join("lock");
        let looker = File::open(&path).unwrap();
        looker.lock_shared().unwrap();
        let leaves = thread::spawn(move || {
            // Not before the other has found it locked; later makes no difference.
            thread::sleep(Duration::from_millis(50));
            looker.unlock().unwrap();
        });
        Lock::take(run.path()).unwrap();
        leaves.join().unwrap();
    }
}
