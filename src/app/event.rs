//! Input and output of the app: the events it receives, and the commands it returns.

use crossterm::event::KeyEvent;

use crate::inquiry::{Answer, Inquiry};
use crate::train::{CurvePoint, TrainCommand, TrainEvent};

/// An event.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted, in one piece.
    Paste(String),
    /// The screen size has changed.
    Resize {
        /// Columns.
        width: u16,
        /// Lines.
        height: u16,
    },
    /// From the trainer; explored weights arrive as one `Snapshot`.
    Train(TrainEvent),
    /// An answer to [`Command::Ask`], whole or in part.
    Answer(Box<Answer>),
    /// A question that failed.
    InquiryFailed(InquiryFailure),
    /// A message for the user.
    Notice(Notice),
    /// Optimiser steps per second, measured by the loop.
    StepRate(f64),
    /// The text of a file of edits.
    Edits(String),
    /// Seconds since the last event of a trainer that should be running.
    TrainerSilent(f64),
}

/// An effect for the event loop to perform: the app does no I/O.
#[derive(Clone, Debug)]
pub enum Command {
    /// Send the trainer a command.
    Train(TrainCommand),
    /// Answer a question; the latest of each kind replaces earlier ones.
    Ask(Box<Inquiry>),
    /// Put text on the clipboard of the terminal's machine.
    Copy(String),
    /// Write the numbers on screen and their picture to files, and name the files.
    Export(Export),
    /// Write edits to a file of this name in the run's directory, and name the file.
    SaveEdits {
        /// Without directory and ending.
        name: String,
        /// The file.
        text: String,
    },
    /// Read the file of edits of this name, and answer with [`Event::Edits`].
    LoadEdits(String),
    /// Keep points of curves for later sessions.
    KeepPoints(Vec<CurvePoint>),
    /// Release the terminal and stop the process, as `Ctrl-Z` in a shell does.
    Suspend,
    /// Redraw every cell.
    Repaint,
    /// Save and quit.
    Quit,
}

/// A question that failed: its thread panicked or hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryFailure {
    /// Generation of the question.
    pub generation: u64,
    /// What happened to the thread.
    pub what: String,
}

/// Severity of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For information.
    Info,
    /// Something did not work as requested.
    Warning,
    /// Something is lost or broken.
    Error,
}

/// A line for the user, shown until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Severity.
    pub level: Level,
    /// One line.
    pub text: String,
}

impl Notice {
    /// For information.
    pub fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    /// Something did not work as requested.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// Something is lost or broken.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

/// Files to write: the numbers in two formats. Their picture is drawn when they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Prefix of the file names.
    pub name: String,
    /// The focused table.
    pub csv: String,
    /// Every table of the view, with everything needed to recompute it.
    pub json: String,
}
