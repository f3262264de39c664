//! A data set that cannot be used.

use std::fmt;

use thiserror::Error;

use crate::memory::TooMuch;
use crate::model::WeightsError;
use crate::model::weights_file::Problem;
use crate::task::{ListingError, TaskError};

/// Data that cannot be used.
#[derive(Debug, Error)]
pub enum DataError {
    /// The file cannot be read, or has another format.
    #[error(transparent)]
    Read(Box<WeightsError>),
    /// The contents are no data set.
    #[error("{path}{problem}")]
    Invalid {
        /// The file.
        path: String,
        /// The problem, after its place in the file.
        problem: DataProblem,
    },
    /// A data set that does not fit the model or the request.
    #[error("{path}: {problem}")]
    Unfit {
        /// The file.
        path: String,
        /// The problem.
        problem: ListingError,
    },
    /// Other contents than when the run was started.
    #[error(
        "{path}: not the data that the run was started with: its checksum is {found}, that of the run's data {wanted}"
    )]
    Changed {
        /// The file.
        path: String,
        /// Its checksum.
        found: String,
        /// The run's.
        wanted: String,
    },
    /// A path that a run's settings cannot name.
    #[error("{0}: the path is not UTF-8")]
    Path(String),
    /// The task's settings.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl From<WeightsError> for DataError {
    fn from(error: WeightsError) -> Self {
        Self::Read(Box::new(error))
    }
}

/// A problem in a data file.
#[derive(Debug, Error)]
pub enum DataProblem {
    /// Not a safetensors file.
    #[error(": {0}")]
    Format(#[from] Problem),
    /// Not JSON, or a value of another type.
    #[error(":{line}:{column}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The problem.
        problem: String,
    },
    /// The required tensor or key is missing.
    #[error("{0}: no `tokens`")]
    NoTokens(Place),
    /// A key that other lines have.
    #[error("{0}: no `train`, which other lines have")]
    NoTrain(Place),
    /// A tensor of another shape.
    #[error(": `{name}` has shape {found:?}, not {wanted}")]
    Shape {
        /// The tensor.
        name: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape required.
        wanted: String,
    },
    /// A tensor of another type.
    #[error(": `{name}` is {found}, not {wanted}")]
    Dtype {
        /// The tensor.
        name: &'static str,
        /// Its type.
        found: String,
        /// The types accepted.
        wanted: &'static str,
    },
    /// A value out of range.
    #[error("{place}: `{name}`{} holds {value}: {wanted}", position.map_or(String::new(), |at| format!(" at position {at}")))]
    Value {
        /// The row.
        place: Place,
        /// The tensor.
        name: &'static str,
        /// The position, if the tensor has several in a row.
        position: Option<usize>,
        /// The value.
        value: i64,
        /// The values accepted.
        wanted: String,
    },
    /// Names that are not a list of texts.
    #[error(": its metadata `{key}`, which should be a JSON list of names: {problem}")]
    Names {
        /// `vocab` or `vocab_out`.
        key: &'static str,
        /// The problem.
        problem: String,
    },
    /// Larger than the available memory.
    #[error(": {0}")]
    Memory(#[from] TooMuch),
}

/// A sequence's place in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The whole file.
    File,
    /// A row of the tensors, from 0.
    Row(usize),
    /// A line of the text, from 1.
    Line(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Row(row) => write!(f, ": row {row}"),
            Self::Line(line) => write!(f, ":{line}"),
        }
    }
}
