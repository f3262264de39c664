//! Data sets in files: safetensors, or a line of JSON per sequence.

mod lines;
mod reader;
mod tensors;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::data_error::{DataError, DataProblem};
use crate::memory;
use crate::model::weights_file::{Problem, read_bounded};
use crate::model::{ModelConfig, WeightsError};
use crate::task::{DataSource, Dataset, Listing, ListingError, TargetRule, TaskConfig};

/// Longest text accepted.
const MAX_TEXT: u64 = 1 << 30;

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
