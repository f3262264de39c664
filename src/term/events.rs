//! Events that the terminal layer sends to the main loop.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crossterm::event::KeyEvent;

/// An event of the terminal or the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermEvent {
    /// A key, or a key with modifiers.
    Key(KeyEvent),
    /// A bracketed paste, unchanged: [`sanitize`](super::sanitize()) it before showing it.
    Paste(String),
    /// The terminal's size has changed; pass the size to [`Screen::resize`](super::Screen::resize).
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The frame in flight was written: the screen accepts the next one.
    FrameWritten,
    /// The frame in flight was lost; the next one repaints everything.
    WriteFailed(String),
    /// The terminal is gone. Nothing more can be read or drawn.
    HangUp {
        /// The process was started to outlive its terminal (`nohup`): finish the session and continue training.
        /// Otherwise save and leave; after ten seconds the process is ended.
        keep_training: bool,
    },
    /// A signal that requires an action.
    Signal(SignalKind),
    /// The process continues after a stop from outside: call [`Session::reclaim`](super::Session::reclaim). A stop by
    /// [`Session::suspend`](super::Session::suspend) is not reported.
    Continued,
    /// A thread has panicked that does not own the screen.
    WorkerPanicked {
        /// The thread's name.
        thread: String,
        /// The panic's message and source location; already sanitized.
        message: String,
    },
}

/// The signals that the main loop handles. Of the fatal signals only the first is reported; ten seconds later the
/// process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalKind {
    /// A signal that would end the process, by number: save and leave. (Ctrl-C on the screen is a key.)
    Fatal(u8),
    /// SIGUSR1, which batch systems send before the end: save, without a time limit.
    User1,
    /// SIGTSTP from another process: [`Session::suspend`](super::Session::suspend).
    Suspend,
}

impl SignalKind {
    /// SIGHUP, or the end of the terminal.
    pub const HANG_UP: Self = Self::Fatal(signal_hook::consts::SIGHUP as u8);

    /// The exit status of a process that leaves because of this signal: 128 plus the signal's number. `None` if the
    /// process should not leave.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::Fatal(number) => Some(128 + number),
            Self::User1 | Self::Suspend => None,
        }
    }
}

/// Sends to the main loop's channel, for any type of event.
#[derive(Clone)]
pub(super) struct Outlet(Arc<dyn Fn(TermEvent) + Send + Sync>);

impl Outlet {
    pub(super) fn new<T: From<TermEvent> + Send + 'static>(sender: Sender<T>) -> Self {
        // The main loop may have ended.
        Self(Arc::new(move |event| drop(sender.send(event.into()))))
    }

    pub(super) fn send(&self, event: TermEvent) {
        (self.0)(event);
    }
}
