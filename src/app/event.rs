//! What comes in and what goes out: everything the app learns, and everything it asks for.

use ratatui::crossterm::event::KeyEvent;

use crate::inquiry::{Answer, Inquiry};
use crate::train::{TrainCommand, TrainEvent};

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted, in one piece.
    Paste(String),
    /// The screen has this size now.
    Resize {
        /// Columns.
        width: u16,
        /// Lines.
        height: u16,
    },
    /// The trainer says something; a file that is only explored is announced by one `Snapshot`.
    Train(TrainEvent),
    /// An answer to [`Command::Ask`], whole or in part.
    Answer(Box<Answer>),
    /// A question that came to nothing.
    InquiryFailed(InquiryFailure),
    /// A message for the user.
    Notice(Notice),
    /// Optimiser steps per second, measured by the loop.
    StepRate(f64),
    /// Seconds since the trainer, which should be running, last said anything.
    TrainerSilent(f64),
}

/// Something to be done, which the app itself may not do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Tell the trainer.
    Train(TrainCommand),
    /// Answer a question; the latest of each kind wins.
    Ask(Box<Inquiry>),
    /// Put text on the clipboard of the machine that the terminal runs on.
    Copy(String),
    /// Write the numbers in view and their picture to files, and say which.
    Export(Export),
    /// Give the terminal back and stop, as a shell's `Ctrl-Z` does.
    Suspend,
    /// Redraw every cell.
    Repaint,
    /// Save and end.
    Quit,
}

/// A question that came to nothing, for its thread panicked or hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryFailure {
    /// That of the question.
    pub generation: u64,
    /// What became of the thread.
    pub what: String,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something did not work as asked.
    Warning,
    /// Something is lost or broken.
    Error,
}

/// A line for the user, shown until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// One line.
    pub text: String,
}

impl Notice {
    /// Good to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    /// Something did not work as asked.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { level: Level::Warning, text: text.into() }
    }

    /// Something is lost or broken.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

/// Files to be written: the numbers in two forms. Their picture is drawn where they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What the files' names start with.
    pub name: String,
    /// The focused table.
    pub csv: String,
    /// Every table of the view, with all that is needed to compute them again.
    pub json: String,
}
