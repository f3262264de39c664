//! Weights as safetensors under TransformerLens' names.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use thiserror::Error;

use super::cache::NamedTensor;
use super::config::{Activation, ConfigError, ModelConfig, Normalization};
use super::layout::Layout;
use super::weights::Weights;

/// The key of a file's metadata under which the model's configuration is kept, as JSON.
const CONFIG_KEY: &str = "headcount.model";
/// No model within the limits of [`ModelConfig::validate`] needs a larger file.
const MAX_FILE: u64 = 2 << 30;
const MAX_HEADER: u64 = 1 << 20;

/// A file of weights that cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file system's word.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// What is wrong in the file.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong in a file of weights.
#[derive(Debug, Error)]
pub enum Problem {
    /// Not a safetensors file at all.
    #[error("not a safetensors file: {0}")]
    Format(String),
    /// Larger than any model this program takes.
    #[error("{0} bytes: too large for a small transformer")]
    TooLarge(u64),
    /// Dimensions that make no model.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A weight that must be there is not.
    #[error("no tensor `{0}`")]
    Missing(String),
    /// A name that no such model has.
    #[error("unexpected tensor `{0}`")]
    Unexpected(String),
    /// Not f32.
    #[error("`{name}` is {found}, not F32")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// Another shape than the model's.
    #[error("`{name}` has shape {found:?}, not {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The model's.
        wanted: Vec<usize>,
    },
    /// The tensors fit more than one model.
    #[error("the tensors do not tell {0}; give the model's settings with --config")]
    Ambiguous(&'static str),
}

/// Weights from a file.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The weights.
    pub weights: Weights,
    /// Warnings: what had to be assumed, values that are not finite.
    pub notes: Vec<String>,
}

/// Reads weights that headcount or TransformerLens wrote (`safetensors.torch.save_file(model.state_dict(), ...)`;
/// `mask` and `IGNORE` buffers are skipped). The configuration is `config` if given, else the file's own, else told from
/// the tensors.
///
/// # Errors
/// Names the file, and the tensor with a missing or unexpected name, another dtype or another shape.
pub fn read_weights(path: &Path, config: Option<&ModelConfig>) -> Result<Opened, WeightsError> {
    let bytes = read_bounded(path)?;
    parse(&bytes, config).map_err(|problem| WeightsError::Invalid { path: path.into(), problem })
}

/// Reads a whole safetensors file of reasonable size, its header checked before anything is believed.
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
    if metadata.len() > MAX_FILE {
        return Err(invalid(Problem::TooLarge(metadata.len())));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.by_ref().take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if header > MAX_HEADER {
        return Err(invalid(Problem::Format(format!("a header of {header} bytes"))));
    }
    Ok(bytes)
}

/// As [`read_weights`], from the file's bytes.
///
/// # Errors
/// See [`Problem`].
pub fn parse(bytes: &[u8], config: Option<&ModelConfig>) -> Result<Opened, Problem> {
    let format = |error: safetensors::SafeTensorError| Problem::Format(error.to_string());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(format)?;
    let file = SafeTensors::deserialize(bytes).map_err(format)?;
    let tensors: BTreeMap<String, TensorView<'_>> =
        file.tensors().into_iter().filter(|(name, _)| !is_buffer(name)).collect();
    let own = metadata.metadata().as_ref().and_then(|entries| entries.get(CONFIG_KEY)).map(|json| {
        serde_json::from_str::<ModelConfig>(json)
            .map_err(|error| Problem::Format(format!("its {CONFIG_KEY}: {error}")))
    });
    let mut notes = Vec::new();
    let config = match (config, own.transpose()?) {
        (Some(config), _) => config.clone(),
        (None, Some(config)) => config,
        (None, None) => infer(&tensors, &mut notes)?,
    };
    config.validate()?;
    let weights = fill(&config, &tensors)?;
    if let Some(name) = weights.first_non_finite() {
        let count = weights.values.iter().filter(|value| !value.is_finite()).count();
        notes.push(format!("{count} values are not finite, the first in `{name}`"));
    }
    Ok(Opened { weights, notes })
}

/// Constants that TransformerLens keeps in its state dict, and moments in our checkpoints: not weights.
fn is_buffer(name: &str) -> bool {
    let (module, leaf) = name.rsplit_once('.').unwrap_or_default();
    matches!(leaf, "mask" | "IGNORE") || module == "optimizer"
}

fn fill(config: &ModelConfig, tensors: &BTreeMap<String, TensorView<'_>>) -> Result<Weights, Problem> {
    // The file may name any model: nothing is allocated for one that it does not hold.
    let layout = Layout::new(config);
    if let Some(name) = tensors.keys().find(|name| layout.tensor(name).is_none()) {
        return Err(Problem::Unexpected(name.clone()));
    }
    for wanted in layout.tensors() {
        let found = tensors.get(&wanted.name).ok_or_else(|| Problem::Missing(wanted.name.clone()))?;
        check(&wanted.name, found, &wanted.shape)?;
    }
    let mut weights = Weights::zeros(config);
    for (name, found) in tensors {
        weights.set(name, &from_bytes(found.data()));
    }
    Ok(weights)
}

fn check(name: &str, found: &TensorView<'_>, wanted: &[usize]) -> Result<(), Problem> {
    if found.dtype() != Dtype::F32 {
        return Err(Problem::Dtype { name: name.into(), found: format!("{:?}", found.dtype()) });
    }
    if found.shape() != wanted {
        return Err(Problem::Shape { name: name.into(), found: found.shape().into(), wanted: wanted.into() });
    }
    Ok(())
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

/// The configuration that these tensors belong to.
fn infer(
    tensors: &BTreeMap<String, TensorView<'_>>,
    notes: &mut Vec<String>,
) -> Result<ModelConfig, Problem> {
    fn shape<const N: usize>(
        tensors: &BTreeMap<String, TensorView<'_>>,
        name: &str,
    ) -> Result<[usize; N], Problem> {
        let found = tensors.get(name).ok_or_else(|| Problem::Missing(name.into()))?.shape();
        found.try_into().map_err(|_| Problem::Shape {
            name: name.into(),
            found: found.into(),
            wanted: vec![0; N],
        })
    }
    let has = |name: &str| tensors.contains_key(name);
    let [d_vocab, d_model] = shape(tensors, "embed.W_E")?;
    let [n_ctx, _] = shape(tensors, "pos_embed.W_pos")?;
    let [n_heads, _, d_head] = shape(tensors, "blocks.0.attn.W_Q")?;
    let n_layers = (0..tensors.len()).take_while(|layer| has(&format!("blocks.{layer}.attn.W_Q"))).count();
    let d_mlp = if has("blocks.0.mlp.W_in") { shape::<2>(tensors, "blocks.0.mlp.W_in")?[1] } else { 0 };
    let normalization_type = if has("ln_final.w") { Normalization::Ln } else { Normalization::LnPre };
    let affine = normalization_type == Normalization::Ln;
    if affine && d_mlp > 0 && !has("blocks.0.mlp.ln.w") {
        return Err(Problem::Ambiguous("gelu from relu"));
    }
    if !affine {
        notes.push("no layer norm weights: taken for folded weights (LNPre) with act_fn solu_ln".into());
    }
    let act_fn = Activation::SoluLn;
    Ok(ModelConfig { n_layers, n_heads, d_model, d_head, d_mlp, n_ctx, d_vocab, act_fn, normalization_type })
}

/// The bytes of a file of weights, their configuration in its metadata.
pub fn encode_weights(weights: &Weights) -> Vec<u8> {
    let json = serde_json::to_string(weights.config()).expect("a configuration is always representable");
    encode(&parts_of(weights), Some(HashMap::from([(CONFIG_KEY.into(), json)])))
}

/// The bytes of a safetensors file of these tensors.
pub fn encode_tensors(tensors: &[NamedTensor]) -> Vec<u8> {
    let part = |tensor: &NamedTensor| Part {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        bytes: to_bytes(&tensor.values),
    };
    encode(&tensors.iter().map(part).collect::<Vec<_>>(), None)
}

/// A tensor as a file holds it.
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// Its values, f32 in little-endian order.
    pub(crate) bytes: Vec<u8>,
}

/// The parts of a file of weights.
pub(crate) fn parts_of(weights: &Weights) -> Vec<Part> {
    let part = |tensor: &super::layout::TensorView| Part {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
        bytes: to_bytes(&weights.gather(tensor)),
    };
    weights.layout.tensors().iter().map(part).collect()
}

/// The bytes of a safetensors file of these parts.
pub(crate) fn encode(parts: &[Part], metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let views = parts.iter().map(|part| {
        let view = TensorView::new(Dtype::F32, part.shape.clone(), &part.bytes);
        (part.name.as_str(), view.expect("as many bytes as the shape says"))
    });
    serialize(views, metadata).expect("every tensor was checked when its view was made")
}
