//! The command line: parses the request, and determines the exit status.

mod ablate;
mod afford;
mod args;
mod completions;
mod dose;
mod edits;
mod eval;
pub mod explore;
#[cfg(debug_assertions)]
mod fault;
mod input;
mod inspect;
mod last_words;
mod man;
mod measured;
mod output;
mod patch;
mod runs;
mod saved;
mod show;
mod tasks;
mod threads;
mod train;
mod version;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::model::WeightsError;
use crate::task::TaskError;
use crate::term::sanitize;
use crate::train::{DataError, DeviceError, FileError, RunDirError, TrainError};
use args::{Cli, Command};

/// A command that failed; its one line goes to stderr.
#[derive(Debug)]
pub enum Failure {
    /// An invalid request: exit status 2.
    Usage(String),
    /// A valid request that failed: exit status 1.
    Failed(String),
    /// Metrics could not be written to stdout, reported at once: exit status 1.
    Unheard,
    /// Another process is training in the run directory: exit status 3.
    Locked(String),
    /// A signal ended the process cleanly: the exit status, 128 plus the signal's number.
    Signal(u8),
}

impl Failure {
    fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Unheard => 1,
            Self::Locked(_) => 3,
            Self::Signal(status) => *status,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(line) | Self::Failed(line) | Self::Locked(line) => f.write_str(line),
            Self::Unheard => f.write_str("metrics could not be written to stdout"),
            Self::Signal(status) => write!(f, "ended by signal {}", status - 128),
        }
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        if error.is_of_settings() { Self::Usage(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match &error {
            DataError::Unfit { .. } | DataError::Task(_) => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::Usage(format!("--device: {error}"))
    }
}

impl From<RunDirError> for Failure {
    fn from(error: RunDirError) -> Self {
        match &error {
            RunDirError::Locked { .. } => Self::Locked(error.to_string()),
            RunDirError::Config { .. } | RunDirError::Contradiction { .. } => Self::Usage(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let done = threads::start().and_then(|()| match cli.command {
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Eval(args)) => eval::run(&args),
        Some(Command::Ablate(args)) => ablate::run(&args),
        Some(Command::Patch(args)) => patch::run(&args),
        Some(Command::Show(args)) => show::run(&args),
        Some(Command::Tasks(args)) => tasks::run(&args),
        Some(Command::Runs(args)) => runs::run(&args),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man) => man::run(),
        Some(Command::Explore(args)) => explore::run(&args),
        None => explore::run(&cli.explore),
    });
    end(done)
}

/// The exit status; prints a failure in one line.
fn end(done: Result<(), Failure>) -> ExitCode {
    let Err(failure) = done else { return ExitCode::SUCCESS };
    if !matches!(failure, Failure::Signal(_) | Failure::Unheard) {
        say(&format!("headcount: {}", sanitize(&failure.to_string())));
    }
    ExitCode::from(failure.status())
}

/// Prints help and version as clap does; a mistake in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return end(output::said(error.print().and_then(|()| std::io::stdout().flush())));
    }
    let text = error.to_string();
    let line = if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        missing_command(&text)
    } else {
        let told =
            text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
        told.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    };
    say(&format!("headcount: {}", sanitize(line.trim_start_matches("error: "))));
    ExitCode::from(2)
}

/// Extracts the commands from the help that clap shows instead of an error.
fn missing_command(help: &str) -> String {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names =
        commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    format!("a command is missing, one of: {}", names.join(", "))
}

/// A line on stderr; writing may fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
