//! What the terminal layer tells the main loop.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use ratatui::crossterm::event::KeyEvent;

/// Something that happened to the terminal or the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TermEvent {
    /// A key, or a key with modifiers.
    Key(KeyEvent),
    /// A bracketed paste, as it came: [`sanitize`](super::sanitize()) it before it is shown.
    Paste(String),
    /// The terminal has this size now; pass it on to [`Screen::resize`](super::Screen::resize).
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// The frame in flight has been written: the screen takes the next one.
    FrameWritten,
    /// The frame in flight was lost; the next one repaints everything.
    WriteFailed(String),
    /// The terminal is gone. Nothing more will be read or drawn.
    HangUp {
        /// The process was started to outlive its terminal (`nohup`): finish the session and train on.
        /// Otherwise save and leave; the process is ended in ten seconds if it is still there.
        keep_training: bool,
    },
    /// A signal that asks for something.
    Signal(SignalKind),
    /// The process was stopped from outside and goes on: [`Session::reclaim`](super::Session::reclaim)
    /// takes the terminal again. A stop by [`Session::suspend`](super::Session::suspend) is not reported.
    Continued,
    /// A thread other than the one that owns the screen has panicked.
    WorkerPanicked {
        /// The thread's name.
        thread: String,
        /// What it said, with the place in the source; already sanitized.
        message: String,
    },
}

/// The signals that the main loop acts on. Of those that end the process only the first is reported,
/// and the process is ended ten seconds later if it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalKind {
    /// Any signal that would end the process, by its number: save and leave. (Ctrl-C on the screen is a key.)
    Fatal(u8),
    /// SIGUSR1, which batch systems send ahead of the end: save. No limit of time applies.
    User1,
    /// SIGTSTP from another process: [`Session::suspend`](super::Session::suspend).
    Suspend,
}

impl SignalKind {
    /// SIGHUP, or the end of the terminal.
    pub const HANG_UP: Self = Self::Fatal(signal_hook::consts::SIGHUP as u8);

    /// The exit status of a process that leaves because of this signal: 128 and the signal's number.
    /// `None` where the process is not expected to leave.
    pub fn exit_code(self) -> Option<u8> {
        match self {
            Self::Fatal(number) => Some(128 + number),
            Self::User1 | Self::Suspend => None,
        }
    }
}

/// The way into the main loop's channel, whatever that channel's events are.
#[derive(Clone)]
pub(super) struct Outlet(Arc<dyn Fn(TermEvent) + Send + Sync>);

impl Outlet {
    pub(super) fn new<T: From<TermEvent> + Send + 'static>(sender: Sender<T>) -> Self {
        // Nobody listens any more once the main loop is on its way out.
        Self(Arc::new(move |event| drop(sender.send(event.into()))))
    }

    pub(super) fn send(&self, event: TermEvent) {
        (self.0)(event);
    }
}
