//! Errors of the terminal, each in one line.

use std::io;

/// An error of the terminal layer. The message is one line: what failed, and where.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// No terminal, or one that cannot move its cursor.
    #[error("the screen needs a terminal and {reason}; use `headcount train` to train without a screen")]
    NoTerminal {
        /// What is missing, as the second half of a sentence.
        reason: &'static str,
    },
    /// The terminal that standard output is connected to cannot be opened.
    #[error("cannot open the terminal of standard output: {0}")]
    Open(#[source] io::Error),
    /// A call on the terminal failed.
    #[error("cannot {action} the terminal: {source}")]
    Terminal {
        /// The operation, as a verb.
        action: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A thread of the terminal layer could not be started.
    #[error("cannot start the {name} thread: {source}")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// Signals cannot be watched.
    #[error("cannot watch signals: {0}")]
    Signals(#[source] io::Error),
    /// All threads that report keys, signals or training have ended.
    #[error("nothing is left that would report a key or a signal")]
    Deaf,
    /// A second session was started while the first holds the terminal.
    #[error("the terminal is already in use by this process")]
    AlreadyBorrowed,
}

impl TermError {
    /// For `map_err`: adds the operation.
    pub(super) fn cannot<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Terminal { action, source: source.into() }
    }
}
