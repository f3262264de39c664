//! Safetensors files with a checksum of names, contents and metadata.

use std::collections::HashMap;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors};

use crate::model::weights_file::{Part, encode, from_bytes};
use crate::model::{Layout, Weights};

const CHECKSUM_KEY: &str = "headcount.crc32";
/// Longest header accepted.
pub(super) const MAX_HEADER: u64 = 1 << 20;

/// Encodes a file of these tensors, with its checksum.
pub(super) fn seal(parts: &[Part], mut metadata: HashMap<String, String>) -> Vec<u8> {
    let contents = parts.iter().map(|part| (part.name.as_str(), part.bytes.as_slice()));
    metadata.insert(CHECKSUM_KEY.into(), checksum(&metadata, contents.collect()));
    encode(parts, Some(metadata))
}

/// A file whose checksum fits, and its metadata.
///
/// # Errors
/// Says what does not match; `kind` names the expected file.
pub(super) fn unseal<'a>(
    bytes: &'a [u8],
    kind: &str,
) -> Result<(SafeTensors<'a>, HashMap<String, String>), String> {
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if header > MAX_HEADER {
        return Err(format!("not {kind}: a header of {header} bytes"));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not {kind}: {error}"))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let mut metadata = header.metadata().clone().ok_or("no metadata")?;
    let stored = metadata.remove(CHECKSUM_KEY).ok_or("no checksum")?;
    let tensors = file.tensors();
    let parts = tensors.iter().map(|(name, view)| (name.as_str(), view.data())).collect();
    if checksum(&metadata, parts) != stored {
        return Err("its checksum does not fit".into());
    }
    Ok((file, metadata))
}

/// A tensor of finite f32 values.
///
/// # Errors
/// Says what does not match.
pub(super) fn floats(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 || view.shape() != shape {
        return Err(format!("`{name}` is {:?} {:?}, not F32 {shape:?}", view.dtype(), view.shape()));
    }
    let values = from_bytes(view.data());
    let bad = values.iter().filter(|value| !value.is_finite()).count();
    if bad == 0 { Ok(values) } else { Err(format!("{bad} values of `{name}` are not finite")) }
}

/// The weights in a file that holds `others` tensors more.
///
/// # Errors
/// Says what does not match.
pub(super) fn weights(
    file: &SafeTensors<'_>,
    layout: &Arc<Layout>,
    others: usize,
) -> Result<Weights, String> {
    let (found, wanted) = (file.len(), layout.tensors().len() + others);
    if found != wanted {
        return Err(format!("{found} tensors instead of {wanted}"));
    }
    let mut weights = Weights { values: vec![0.0; layout.len], layout: Arc::clone(layout) };
    for tensor in layout.tensors() {
        weights.set(&tensor.name, &floats(file, &tensor.name, &tensor.shape)?);
    }
    Ok(weights)
}

/// Checksum of names, contents and metadata, independent of their order in the file.
fn checksum(metadata: &HashMap<String, String>, mut tensors: Vec<(&str, &[u8])>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    let mut entries: Vec<_> = metadata.iter().collect();
    entries.sort();
    tensors.sort_by_key(|(name, _)| *name);
    for (key, value) in entries {
        hasher.update(key.as_bytes());
        hasher.update(value.as_bytes());
    }
    for (name, bytes) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    format!("{:08x}", hasher.finalize())
}
