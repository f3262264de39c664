//! What can go wrong with a terminal, in one line each.

use std::io;

/// A failure of the terminal layer. Its message is one line that says what and where.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// There is nothing to draw on: no terminal, or one that cannot move its cursor.
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
        /// What was tried, as a verb.
        action: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// A thread of the terminal layer could not be started.
    #[error("cannot start the {name} thread: {source}")]
    Thread {
        /// The thread's name.
        name: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// Signals cannot be watched.
    #[error("cannot watch signals: {0}")]
    Signals(#[source] io::Error),
    /// Every thread that reports keys, signals or the training has ended.
    #[error("nothing is left that would report a key or a signal")]
    Deaf,
    /// A second session was asked for while the first holds the terminal.
    #[error("the terminal is already in use by this process")]
    AlreadyBorrowed,
}

impl TermError {
    /// For `map_err`: names what was tried.
    pub(super) fn cannot<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Terminal { action, source: source.into() }
    }
}
