//! The terminal as a file: input, output, size and settings. No call blocks for ever.
//!
//! Replaces crossterm's `enable_raw_mode` and `size`, which act on the file that the shell shares, and whose writes block
//! while nobody reads the terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{self, OptionalActions, QueueSelector, Termios};

use super::TermError;

/// How long to wait for a full terminal before checking whether to give up.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// The terminal that standard output is connected to.
pub(super) struct Tty {
    file: OwnedFd,
    /// Held during a write, so that the writer thread and a restoration never interleave.
    output: Mutex<()>,
    /// Set while the terminal is being restored: an incomplete frame is abandoned.
    closed: AtomicBool,
}

/// Result of a read.
pub(super) enum Input {
    Bytes(usize),
    Nothing,
    HangUp,
}

impl Tty {
    /// Opens the terminal a second time: only this description becomes non-blocking; the one on standard output is
    /// shared with the shell.
    pub(super) fn open() -> Result<Self, TermError> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let by_name = termios::ttyname(rustix::stdio::stdout(), Vec::new())
            .and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
        // After `su` the device belongs to another user, and in a container its name may be missing.
        let file = by_name
            .or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty()))
            .map_err(|error| TermError::Open(error.into()))?;
        Ok(Self::over(file))
    }

    fn over(file: OwnedFd) -> Self {
        Self { file, output: Mutex::new(()), closed: AtomicBool::new(true) }
    }

    /// The size in cells; 0 by 0 if unknown.
    pub(super) fn size(&self) -> Size {
        termios::tcgetwinsize(&self.file)
            .map_or(Size::ZERO, |size| Size { width: size.ws_col, height: size.ws_row })
    }

    pub(super) fn settings(&self) -> io::Result<Termios> {
        Ok(termios::tcgetattr(&self.file)?)
    }

    /// Takes effect at once: waiting for the output to drain could block for ever.
    pub(super) fn set(&self, settings: &Termios) -> io::Result<()> {
        Ok(termios::tcsetattr(&self.file, OptionalActions::Now, settings)?)
    }

    /// Whether this process may change the terminal. A background job must leave it to the shell; without job control
    /// there is no other owner.
    pub(super) fn is_ours(&self) -> bool {
        termios::tcgetpgrp(&self.file).map_or(true, |group| group == rustix::process::getpgrp())
    }

    /// Whether the other end has gone.
    pub(super) fn is_hung_up(&self) -> bool {
        let mut ask = [PollFd::new(&self.file, PollFlags::empty())];
        let answered = poll(&mut ask, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        answered.is_ok() && ask[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> Input {
        match rustix::io::read(&self.file, buffer) {
            Ok(count) if count > 0 => Input::Bytes(count),
            Err(Errno::AGAIN | Errno::INTR) => Input::Nothing,
            // End of file can also mean Ctrl-D, after the shell switched raw mode off.
            _ if self.is_hung_up() => Input::HangUp,
            _ => Input::Nothing,
        }
    }

    pub(super) fn reopen(&self) {
        self.closed.store(false, Ordering::Release);
    }

    /// Writes a frame, however long the terminal takes. Returns `false` if abandoned because the terminal is being
    /// restored.
    pub(super) fn write_frame(&self, frame: &[u8]) -> io::Result<bool> {
        let _turn = self.turn();
        if self.closed.load(Ordering::Acquire) {
            return Ok(false);
        }
        self.write(frame, || self.closed.load(Ordering::Acquire))
    }

    /// Writes a few bytes within `patience`.
    pub(super) fn write_within(&self, bytes: &[u8], patience: Duration) -> io::Result<bool> {
        let _turn = self.turn();
        let deadline = Instant::now() + patience;
        self.write(bytes, || Instant::now() >= deadline)
    }

    /// Writes the last bytes. If nobody reads the terminal, discards its pending output to make room: without these
    /// bytes the terminal would stay in an unusable mode.
    pub(super) fn write_last(&self, bytes: &[u8], patience: Duration) {
        self.closed.store(true, Ordering::Release);
        let _turn = self.turn();
        let deadline = Instant::now() + patience;
        if !matches!(self.write(bytes, || Instant::now() >= deadline), Ok(true)) {
            let _ = termios::tcflush(&self.file, QueueSelector::OFlush);
            let _ = self.write(bytes, || true);
        }
    }

    /// Like [`write_last`](Self::write_last), but waits neither for the terminal nor for another write.
    pub(super) fn write_at_once(&self, bytes: &[u8]) {
        self.closed.store(true, Ordering::Release);
        if !matches!(self.write(bytes, || true), Ok(true)) {
            let _ = termios::tcflush(&self.file, QueueSelector::OFlush);
            let _ = self.write(bytes, || true);
        }
    }

    fn write(&self, mut bytes: &[u8], give_up: impl Fn() -> bool) -> io::Result<bool> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.file, bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if give_up() => return Ok(false),
                Err(Errno::AGAIN) => {
                    let mut room = [PollFd::new(&self.file, PollFlags::OUT)];
                    let _ = poll(&mut room, Some(&LOOK_AGAIN));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    /// A pseudo-terminal: the emulator's end, and ours in raw mode.
    pub(in crate::term) fn pair() -> (OwnedFd, Tty) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY;
        let slave = rustix::fs::open(ptsname(&master, Vec::new()).unwrap(), flags, Mode::empty()).unwrap();
        let tty = Tty::over(slave);
        let mut settings = tty.settings().unwrap();
        settings.make_raw();
        tty.set(&settings).unwrap();
        (master, tty)
    }

    /// The bytes available at the other end.
    pub(in crate::term) fn waiting(master: &OwnedFd) -> Vec<u8> {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        loop {
            let mut file = [PollFd::new(master, PollFlags::IN)];
            if poll(&mut file, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })) == Ok(0) {
                return all;
            }
            let count = rustix::io::read(master, &mut some).unwrap();
            all.extend_from_slice(&some[..count]);
        }
    }

    #[test]
    fn the_last_bytes_reach_a_full_terminal() {
        let (master, tty) = pair();
        // The kernel frees some buffer space asynchronously for a while.
        while tty.write_within(b"x", Duration::from_millis(50)).unwrap() {}
        assert!(!tty.write_within(b"refused", Duration::from_millis(50)).unwrap());
        let started = Instant::now();
        tty.write_last(b"goodbye", Duration::from_millis(50));
        assert!(started.elapsed() < Duration::from_secs(1));
        let seen = waiting(&master);
        assert!(seen.ends_with(b"xgoodbye"), "{:?}", String::from_utf8_lossy(&seen));
    }

    #[test]
    fn a_frame_is_given_up_once_the_terminal_is_given_back() {
        let (_master, tty) = pair();
        tty.reopen();
        std::thread::scope(|scope| {
            let frame = scope.spawn(|| tty.write_frame(&vec![b'x'; 100_000]).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!frame.is_finished());
            tty.write_last(b"goodbye", Duration::from_millis(50));
            assert!(!frame.join().unwrap());
        });
        assert!(!tty.write_frame(b"late").unwrap());
    }

    #[test]
    fn a_hang_up_is_told_from_silence() {
        let (master, tty) = pair();
        assert!(matches!(tty.read(&mut [0; 8]), Input::Nothing) && !tty.is_hung_up());
        drop(master);
        assert!(matches!(tty.read(&mut [0; 8]), Input::HangUp) && tty.is_hung_up());
        tty.write_last(b"goodbye", Duration::from_secs(5));
        assert!(tty.write_frame(b"frame").is_ok_and(|written| !written));
    }
}
