//! One trainer to a run directory. The system lets go of the lock however its holder ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;

use super::files::FileError;
use super::run_dir::RunDirError;

/// A holder writes its name a moment after it has the lock.
const NAME_ARRIVES: Duration = Duration::from_millis(5);
const LOOKS: usize = 20;

/// Held as long as this lives.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock of a run directory.
    ///
    /// # Errors
    /// Names the process that has it.
    pub fn take(directory: &Path) -> Result<Self, RunDirError> {
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let open = options.custom_flags(flags.bits().cast_signed()).open(&path);
        let mut file = open.map_err(FileError::at("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RunDirError::Locked {
                    path: directory.display().to_string(),
                    owner: owner(&path),
                });
            }
            Err(TryLockError::Error(source)) => return Err(FileError::at("lock", &path)(source).into()),
        }
        // Who holds it is only for the message that others print.
        let name = format!("{}{}\n", std::process::id(), host());
        let _ = file.set_len(0).and_then(|()| file.write_all(name.as_bytes()));
        Ok(Self(file))
    }
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
        assert!(matches!(Lock::take(run.path()), Err(RunDirError::Locked { .. })));
        drop(lock);
        Lock::take(run.path()).unwrap();
        drop(copy);
    }
}
