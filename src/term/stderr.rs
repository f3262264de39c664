//! Standard error during a session. Output of libraries, the allocator or the runtime would appear on the screen and
//! vanish with the alternate screen: it is captured, and printed after the terminal is restored.

use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{fcntl_dupfd_cloexec, pread};
use rustix::stdio::{dup2_stderr, stderr};

/// Most bytes printed.
const MOST: u64 = 16 << 10;

/// Start of the runtime's hint after the reason of an abort.
const HINT: &[u8] = b"note: run with `RUST_BACKTRACE";

/// First descriptor after the three standard files.
const FREE: i32 = 3;

pub(super) struct Held {
    real: OwnedFd,
    kept: OwnedFd,
}

impl Held {
    /// `None` if standard error is no terminal, or cannot be captured.
    pub(super) fn start() -> Option<Self> {
        if !rustix::termios::isatty(stderr()) {
            return None;
        }
        let real = fcntl_dupfd_cloexec(stderr(), FREE).ok()?;
        let kept = memfd_create("stderr", MemfdFlags::CLOEXEC).ok()?;
        dup2_stderr(&kept).ok()?;
        Some(Self { real, kept })
    }

    /// Restores standard error. Like [`print`](Self::print), may be called in a crash handler.
    pub(super) fn release(&self) {
        let _ = dup2_stderr(&self.real);
    }

    /// Writes the captured output, without the runtime's hint.
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
