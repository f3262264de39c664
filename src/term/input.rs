//! The thread that reads the terminal and detects a hang-up.

use std::io::PipeReader;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::events::Outlet;
use super::ground::Ground;
use super::keys::{Decoder, Typed};
use super::tty::{Input, Tty};
use super::{TermError, TermEvent};

/// Larger than a terminal driver's buffer.
const BUFFER: usize = 8192;

/// Pause when a terminal reports readable data but has none.
const BREATHER: Duration = Duration::from_millis(50);

/// The next action.
enum Next {
    Read,
    Silence,
    HangUp,
    Stop,
}

/// Reads until the other end of `stop` is dropped or the terminal hangs up; calls `hung_up` only on a hang-up.
pub(super) fn spawn(
    tty: Arc<Tty>,
    esc_delay: Duration,
    stop: PipeReader,
    outlet: Outlet,
    grounds: SyncSender<Option<Ground>>,
    hung_up: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, TermError> {
    thread::Builder::new()
        .name("keys".into())
        .spawn(move || {
            if read_all(&tty, Decoder::new(esc_delay), &stop, &outlet, &grounds) {
                hung_up();
            }
        })
        .map_err(|source| TermError::Thread { name: "key", source })
}

/// Returns whether the terminal hung up.
fn read_all(
    tty: &Tty,
    mut decoder: Decoder,
    stop: &PipeReader,
    outlet: &Outlet,
    grounds: &SyncSender<Option<Ground>>,
) -> bool {
    let mut buffer = vec![0; BUFFER];
    let tell = |typed| match typed {
        Typed::Key(key) => outlet.send(TermEvent::Key(key)),
        Typed::Paste(text) => outlet.send(TermEvent::Paste(text)),
        // A late answer has no receiver.
        Typed::Ground(ground) => drop(grounds.try_send(ground)),
    };
    loop {
        match wait(tty, stop, decoder.deadline()) {
            Next::Stop => return false,
            Next::HangUp => return true,
            Next::Silence => decoder.silence(Instant::now(), tell),
            Next::Read => match tty.read(&mut buffer) {
                Input::Bytes(count) => decoder.feed(&buffer[..count], Instant::now(), tell),
                Input::Nothing => thread::sleep(BREATHER),
                Input::HangUp => return true,
            },
        }
    }
}

fn wait(tty: &Tty, stop: &PipeReader, deadline: Option<Instant>) -> Next {
    let mut files = [PollFd::new(tty, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut files, left.and_then(|left| Timespec::try_from(left).ok()).as_ref()) {
            Ok(0) => return Next::Silence,
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(_) => return Next::Read,
        }
    }
    let [terminal, stopped] = files.map(|file| file.revents());
    if !stopped.is_empty() {
        Next::Stop
    } else if terminal.contains(PollFlags::IN) {
        Next::Read
    } else {
        Next::HangUp
    }
}
