//! Data sets in files: safetensors, or a line of JSON per sequence.

mod lines;
mod tensors;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use thiserror::Error;

use crate::memory::{self, TooMuch};
use crate::model::weights_file::{Problem, read_bounded};
use crate::model::{ModelConfig, WeightsError};
use crate::task::{
    Class, DataSource, Dataset, Listing, ListingError, Rows, TargetRule, TaskConfig, TaskError, Token,
};

/// As in PyTorch's cross-entropy: a target that is not scored.
const UNSCORED: i64 = -100;
/// Longest text accepted.
const MAX_TEXT: u64 = 1 << 30;

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

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Row(row) => write!(f, ": row {row}"),
            Self::Line(line) => write!(f, ":{line}"),
        }
    }
}

/// A data set, and the checksum of its file.
#[derive(Debug)]
pub struct DataFile {
    /// The sequences.
    pub listing: Listing,
    /// CRC-32 in hexadecimal digits.
    pub crc32: String,
}

impl DataFile {
    /// Reads a safetensors file with `tokens` `[n, pos]`, `targets` `[n, pos]` (-100: not scored), optionally `lengths`
    /// `[n]` and `train` `[n]` (bool), and the metadata `vocab` and `vocab_out` (JSON lists of names); or JSON lines
    /// with the same keys, the names in the first line. A `rule` takes the place of the file's targets.
    ///
    /// # Errors
    /// Names the file, the row or line, the position and the value.
    pub fn read(path: &Path, rule: Option<TargetRule>) -> Result<Self, DataError> {
        let invalid = |problem: DataProblem| DataError::Invalid { path: path.display().to_string(), problem };
        let (bytes, listing) = if let Some(text) = json_text(path)? {
            let listing = lines::listing(&text, rule).map_err(invalid)?;
            (text, listing)
        } else {
            let bytes = read_bounded(path)?;
            let listing = tensors::listing(&bytes, rule).map_err(invalid)?;
            (bytes, listing)
        };
        if listing.rows.is_empty() {
            return Err(unfit(path)(ListingError::Empty));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let crc32 = format!("{:08x}", crc32fast::hash(&bytes));
        // Names of other classes than the tokens that a rule gives.
        let outputs = listing.outputs.filter(|_| rule.is_none());
        Ok(Self { listing: Listing { name, outputs, ..listing }, crc32 })
    }

    /// The sequences that are not for training as a validation set.
    ///
    /// # Errors
    /// Names the file, and the sequence that does not fit the model.
    pub fn dataset(self, path: &Path, model: &ModelConfig) -> Result<Dataset, DataError> {
        self.listing.dataset(model.shape()).map_err(unfit(path))
    }

    /// The data of a run, split into training and validation.
    ///
    /// # Errors
    /// Names the file, and what has changed since the run was started or does not fit.
    pub fn of_run(
        task: &TaskConfig,
        source: &DataSource,
        (model, seed): (&ModelConfig, u64),
    ) -> Result<Dataset, DataError> {
        let path = Path::new(&source.file);
        let listing = Self::read(path, source.targets)?.unchanged(path, source)?.listing;
        let (found, wanted) = (listing.rows.len(), task.sequences);
        if found != wanted {
            return Err(unfit(path)(ListingError::Sequences { found, wanted }));
        }
        let named = Listing { name: task.name.clone(), ..listing };
        named.split(model.shape(), task.train_len(), seed).map_err(unfit(path))
    }

    /// The source of a run on this file.
    ///
    /// # Errors
    /// When the path is no UTF-8, so that the run's settings cannot name the file.
    pub fn source(&self, path: &Path) -> Result<DataSource, DataError> {
        let absolute = path.canonicalize().unwrap_or_else(|_| path.into());
        let file = absolute.to_str().ok_or_else(|| DataError::Path(path.display().to_string()))?.to_owned();
        let train = self.listing.train.as_ref();
        Ok(DataSource {
            file,
            crc32: self.crc32.clone(),
            targets: self.listing.rule,
            train_sequences: train.map(|marks| marks.iter().filter(|mark| **mark).count()),
        })
    }

    /// This file, if it has the checksum of a run's data.
    ///
    /// # Errors
    /// Gives both checksums.
    pub fn unchanged(self, path: &Path, wanted: &DataSource) -> Result<Self, DataError> {
        if self.crc32 == wanted.crc32 {
            return Ok(self);
        }
        let (path, wanted) = (path.display().to_string(), wanted.crc32.clone());
        Err(DataError::Changed { path, found: self.crc32, wanted })
    }
}

fn unfit(path: &Path) -> impl Fn(ListingError) -> DataError {
    move |problem| DataError::Unfit { path: path.display().to_string(), problem }
}

/// The text of a file that begins as JSON does: a safetensors file has a zero among its first eight bytes.
fn json_text(path: &Path) -> Result<Option<Vec<u8>>, DataError> {
    let failed = |source| DataError::from(WeightsError::Io { path: path.into(), source });
    let mut file = File::open(path).map_err(failed)?;
    let mut text = Vec::new();
    file.by_ref().take(8).read_to_end(&mut text).map_err(failed)?;
    let start = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text).trim_ascii_start();
    if !start.starts_with(b"{") || text.contains(&0) {
        return Ok(None);
    }
    let len = file.metadata().map_err(failed)?.len();
    let invalid = |problem| DataError::Invalid { path: path.display().to_string(), problem };
    if len > MAX_TEXT {
        return Err(invalid(Problem::TooLarge(len).into()));
    }
    // The text, and the numbers read from it.
    memory::check("reading it", 4 * u128::from(len), || format!("a file of {len} bytes"))
        .map_err(|error| invalid(error.into()))?;
    file.take(MAX_TEXT).read_to_end(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// The sequences read so far.
struct Reader {
    rows: Rows,
    rule: Option<TargetRule>,
    tokens: Vec<Token>,
    targets: Vec<Option<Class>>,
}

impl Reader {
    fn new(rule: Option<TargetRule>, rows: Rows) -> Self {
        Self { rows, rule, tokens: Vec::new(), targets: Vec::new() }
    }

    /// Adds a row of tokens and, if it has any, targets: the first `len` (all, if `None`) are the sequence.
    fn row(
        &mut self,
        place: Place,
        tokens: impl ExactSizeIterator<Item = i64>,
        targets: Option<impl Iterator<Item = i64>>,
        len: Option<i64>,
    ) -> Result<(), DataProblem> {
        let width = tokens.len();
        let value =
            |name, position, value, wanted| DataProblem::Value { place, name, position, value, wanted };
        let len = match len {
            None => width,
            Some(len) => {
                usize::try_from(len).ok().filter(|len| (1..=width).contains(len)).ok_or_else(|| {
                    value("lengths", None, len, format!("a sequence here has 1 to {width} tokens"))
                })?
            }
        };
        self.tokens.clear();
        for (at, found) in tokens.enumerate() {
            let token = Token::try_from(found).ok().filter(|token| *token < Token::MAX);
            let most = Token::MAX - 1;
            // Padding may be any number, and is no token then.
            let token = token.or((at >= len).then_some(Token::MAX));
            let wanted = || format!("a token is 0 to {most}");
            self.tokens.push(token.ok_or_else(|| value("tokens", Some(at), found, wanted()))?);
        }
        self.targets.clear();
        if let Some(rule) = self.rule {
            self.targets.extend(rule.targets(&self.tokens[..len]).iter());
        } else {
            for (at, found) in targets.into_iter().flatten().take(len).enumerate() {
                let class = Class::try_from(found).ok().filter(|class| *class < Class::MAX);
                let wanted = || format!("a class is 0 or more, {UNSCORED} where none is scored");
                let is_scored = found != UNSCORED;
                let class = class.filter(|_| is_scored);
                if is_scored && class.is_none() {
                    return Err(value("targets", Some(at), found, wanted()));
                }
                self.targets.push(class);
            }
        }
        self.targets.resize(width, None);
        self.rows.push(&self.tokens, &self.targets, len);
        Ok(())
    }
}
