//! Weights in safetensors files under TransformerLens names.

mod container;
mod foreign;
mod tensors;
mod told;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::config::{ConfigError, ModelConfig};
use super::hooks::NamedTensor;
use super::layout::Layout;
use super::settings::ModelSettings;
use super::weights::Weights;
use crate::memory::{self, TooMuch};
pub use container::Container;
pub(crate) use container::{Part, encode};
use tensors::Tensors;

/// Metadata keys of the model's settings as JSON: the current one, and those of older versions.
const CONFIG_KEY: &str = "config";
const OLDER_CONFIG_KEYS: [&str; 2] = ["headcount.model", "headcount.run"];
/// Metadata key of the task's name.
pub(crate) const TASK_KEY: &str = "task";
/// Metadata key of the tokens' names, a JSON list.
pub(crate) const VOCABULARY_KEY: &str = "vocab";
/// Metadata key of the classes' names, a JSON list.
pub(crate) const OUTPUTS_KEY: &str = "vocab_out";
/// Metadata that stay true of other weights made of these.
const LASTING: [&str; 4] = [TASK_KEY, "run", VOCABULARY_KEY, OUTPUTS_KEY];
/// Largest file that a valid model ([`ModelConfig::validate`]) needs.
const MAX_FILE: u64 = 2 << 30;

/// A weights file that cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file system's error.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error.
        source: std::io::Error,
    },
    /// The contents are invalid.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: Problem,
    },
}

impl WeightsError {
    /// Whether other settings could make the file usable.
    pub fn is_of_settings(&self) -> bool {
        matches!(self, Self::Invalid { problem: Problem::Untold(_) | Problem::Contradiction { .. }, .. })
    }
}

/// A problem with a weights file.
#[derive(Debug, Error)]
pub enum Problem {
    /// Not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(String),
    /// Larger than any model that this program supports.
    #[error("{0} bytes: too large for a small transformer")]
    TooLarge(u64),
    /// Larger than the available memory.
    #[error(transparent)]
    Memory(#[from] TooMuch),
    /// Invalid dimensions.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A required weight is missing.
    #[error("no tensor `{0}`")]
    Missing(String),
    /// A file of another format.
    #[error("not a safetensors file but {0}")]
    Foreign(String),
    /// The tensors of another kind of model, or of something else.
    #[error("{0}")]
    Names(String),
    /// Two tensors with the same name after removing wrapper prefixes.
    #[error("`{0}` is there twice, with and without a prefix")]
    Twice(String),
    /// A part of a model that this program does not support.
    #[error("`{name}`: {what} is not supported")]
    Unsupported {
        /// The tensor.
        name: String,
        /// The part.
        what: &'static str,
    },
    /// No floating-point numbers, or of another precision.
    #[error("`{name}` is {found}, not F32, F16, BF16 or F64: save the model as float32")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A shape that differs from the model's.
    #[error("`{name}` has shape {found:?}, not {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The model's.
        wanted: Vec<usize>,
    },
    /// A number of dimensions that no model has.
    #[error("`{name}` has shape {found:?}, not one of {wanted} dimensions")]
    Rank {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The number of dimensions expected.
        wanted: usize,
    },
    /// The settings in the metadata cannot be read.
    #[error("its metadata `{key}`: {problem}")]
    Metadata {
        /// The key.
        key: &'static str,
        /// The problem.
        problem: String,
    },
    /// The tensors fit several models.
    #[error("the tensors do not tell {0}: say in a file for --config, a line `KEY = VALUE` each")]
    Untold(String),
    /// A setting that contradicts these tensors, or the file's own settings.
    #[error("{ours} contradicts {theirs}")]
    Contradiction {
        /// The setting and its source.
        ours: String,
        /// The file's setting.
        theirs: String,
    },
}

/// Weights from a file.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The weights.
    pub weights: Weights,
    /// Warnings: conversions, absent biases, ignored tensors, values that are not finite.
    pub notes: Vec<String>,
    /// The file's metadata about task, run and vocabulary.
    pub about: Vec<(String, String)>,
}

/// Reads weights written by headcount or by TransformerLens 3 or 4 (`safetensors.torch.save_file(model.state_dict(),
/// ...)`; `mask` and `IGNORE` buffers are skipped). Other precisions are converted, and absent biases are 0. The
/// configuration follows from the tensors, completed by the file's metadata and by `given`, then by TransformerLens'
/// defaults.
///
/// # Errors
/// Names the file, and the tensor that is missing or has a wrong dtype or shape, the settings that remain undetermined,
/// or those that contradict the file.
pub fn read_weights(path: &Path, given: Option<&ModelSettings>) -> Result<Opened, WeightsError> {
    let bytes = read_bounded(path)?;
    parse(&bytes, given).map_err(|problem| WeightsError::Invalid { path: path.into(), problem })
}

/// Reads a complete safetensors file of limited size; the error for another format names that format.
///
/// # Errors
/// Names the file.
pub fn read_bounded(path: &Path) -> Result<Vec<u8>, WeightsError> {
    let io = |source| WeightsError::Io { path: path.into(), source };
    let invalid = |problem| WeightsError::Invalid { path: path.into(), problem };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::Error::other("not a regular file")));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(foreign::HEAD as u64).read_to_end(&mut bytes).map_err(io)?;
    if let Some(kind) = foreign::by_content(&bytes) {
        return Err(invalid(Problem::Foreign(kind)));
    }
    if metadata.len() > MAX_FILE {
        return Err(invalid(Problem::TooLarge(metadata.len())));
    }
    container::length_of_header(&bytes).map_err(invalid)?;
    let cause = || format!("a file of {} bytes", metadata.len());
    // The file's bytes, and the values decoded from them.
    memory::check("reading it", 2 * u128::from(metadata.len()), cause)
        .map_err(|error| invalid(error.into()))?;
    bytes.reserve_exact((metadata.len() as usize).saturating_sub(bytes.len()));
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Like [`read_weights`], from the file's bytes.
///
/// # Errors
/// See [`Problem`].
pub fn parse(bytes: &[u8], given: Option<&ModelSettings>) -> Result<Opened, Problem> {
    let Container { metadata, tensors } = Container::parse(bytes)?;
    let tensors = Tensors::new(tensors)?;
    let own = own_settings(&metadata)?;
    let said: Vec<&ModelSettings> = own.iter().chain(given).collect();
    let config = told::settle(&tensors, &said)?;
    config.validate()?;
    let mut notes = Vec::new();
    let weights = fill(&config, &tensors, &mut notes)?;
    if let Some(name) = weights.first_non_finite() {
        let count = weights.values.iter().filter(|value| !value.is_finite()).count();
        notes.push(format!("{count} values are not finite, the first in `{name}`"));
    }
    let about = metadata.into_iter().filter(|(key, _)| LASTING.contains(&key.as_str())).collect();
    Ok(Opened { weights, notes, about })
}

/// The settings in a file's metadata.
fn own_settings(metadata: &BTreeMap<String, String>) -> Result<Option<ModelSettings>, Problem> {
    let mut keys = [CONFIG_KEY].into_iter().chain(OLDER_CONFIG_KEYS);
    let Some((key, json)) = keys.find_map(|key| Some((key, metadata.get(key)?))) else { return Ok(None) };
    let settings = ModelSettings::from_json(json, format!("the file's metadata `{key}`"));
    settings.map(Some).map_err(|problem| Problem::Metadata { key, problem })
}

fn fill(config: &ModelConfig, tensors: &Tensors<'_>, notes: &mut Vec<String>) -> Result<Weights, Problem> {
    // The settings may describe any model: allocate only once all its tensors are found.
    let layout = Layout::new(config);
    layout.tensors().iter().try_for_each(|weight| tensors.check(weight))?;
    let names = || layout.tensors().iter().map(|weight| weight.name.as_str());
    let absent: Vec<&str> = names().filter(|name| !tensors.has(name)).collect();
    if let Some(name) = absent.iter().find(|name| !(told::is_bias(name) || told::is_norm_bias(name))) {
        return Err(Problem::Missing(tensors.own_name(name)));
    }
    let is_left_out = |name: &&str| layout.tensor(name).is_none() && *name != "pos_embed.W_pos";
    let more: Vec<&str> = tensors.names().map(String::as_str).filter(is_left_out).collect();
    if let Some((name, what)) = more.iter().find_map(|name| Some((*name, foreign::unsupported_part(name)?))) {
        return Err(Problem::Unsupported { name: name.into(), what });
    }
    let other = tensors.other_precisions(names());
    notes.extend((!other.is_empty()).then(|| format!("converted from {} to F32", other.join(" and "))));
    notes.extend((!absent.is_empty()).then(|| format!("not there, so 0: {}", listed(&absent))));
    notes.extend((!more.is_empty()).then(|| format!("passed over, not of this model: {}", listed(&more))));
    let mut weights = Weights::zeros(config);
    for weight in layout.tensors() {
        tensors.read(weight).into_iter().for_each(|values| weights.set(&weight.name, &values));
    }
    Ok(weights)
}

/// The first names of a list.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let rest = names.len() - shown.len();
    shown.join(", ") + &(if rest > 0 { format!(" and {rest} more") } else { String::new() })
}

/// The values in a tensor's bytes.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

/// A tensor's bytes.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// One entry of a file's metadata, without reading its tensors; `None` if missing.
pub fn metadata_of(path: &Path, key: &str) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut len = [0; 8];
    file.read_exact(&mut len).ok()?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(len).min(MOST_METADATA)).read_to_end(&mut header).ok()?;
    let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
    Some(header.get("__metadata__")?.get(key)?.as_str()?.to_owned())
}

/// Limit of header bytes read for the metadata.
const MOST_METADATA: u64 = 1 << 20;

/// Encodes a weights file: the metadata contain the model's settings and `about`, so that the file is self-contained.
pub fn encode_weights(weights: &Weights, about: &[(&str, String)]) -> Vec<u8> {
    encode(&parts_of(weights), Some(weights_metadata(weights, about)))
}

/// The metadata of a weights file: the model's settings and `about`.
pub(crate) fn weights_metadata(weights: &Weights, about: &[(&str, String)]) -> HashMap<String, String> {
    let json = serde_json::to_string(weights.config()).expect("a configuration is always representable");
    let about = about.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    [(CONFIG_KEY.into(), json)].into_iter().chain(about).collect()
}

/// Encodes a safetensors file of these tensors; `about` becomes its metadata.
pub(crate) fn encode_tensors(tensors: &[NamedTensor], about: HashMap<String, String>) -> Vec<u8> {
    let part = |tensor: &NamedTensor| Part {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        bytes: to_bytes(&tensor.values),
    };
    encode(&tensors.iter().map(part).collect::<Vec<_>>(), Some(about))
}

/// The tensors of a weights file.
pub(crate) fn parts_of(weights: &Weights) -> Vec<Part> {
    let part = |tensor: &super::place::TensorView| Part {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        bytes: to_bytes(&weights.gather(tensor)),
    };
    weights.layout.tensors().iter().map(part).collect()
}
