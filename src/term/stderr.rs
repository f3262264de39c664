//! Standard error while the screen is up. What libraries, the allocator or the runtime print there would be drawn over,
//! and lost with the alternate screen: it is kept, and printed once the terminal is back.

use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{fcntl_dupfd_cloexec, pread};
use rustix::stdio::{dup2_stderr, stderr};

/// More than this is not printed.
const MOST: u64 = 16 << 10;

/// How the runtime goes on after the reason why a process is aborted.
const HINT: &[u8] = b"note: run with `RUST_BACKTRACE";

/// Above the three standard files.
const FREE: i32 = 3;

pub(super) struct Held {
    real: OwnedFd,
    kept: OwnedFd,
}

impl Held {
    /// `None` where standard error is not a terminal, or cannot be kept.
    pub(super) fn start() -> Option<Self> {
        if !rustix::termios::isatty(stderr()) {
            return None;
        }
        let real = fcntl_dupfd_cloexec(stderr(), FREE).ok()?;
        let kept = memfd_create("stderr", MemfdFlags::CLOEXEC).ok()?;
        dup2_stderr(&kept).ok()?;
        Some(Self { real, kept })
    }

    /// Makes it standard error again. Like [`print`](Self::print) it may be called in the handler of a crash.
    pub(super) fn release(&self) {
        let _ = dup2_stderr(&self.real);
    }

    /// Writes what was kept, without the runtime's hint.
    pub(super) fn print(&self, write: impl Fn(&[u8])) {
        let (mut at, mut some) = (0, [0; 1024]);
        while let Ok(count @ 1..) = pread(&self.kept, &mut some, at)
            && at < MOST
        {
            let end = some[..count].windows(HINT.len()).position(|bytes| bytes == HINT);
            write(&some[..end.unwrap_or(count)]);
            at += count as u64;
        }
    }
}
