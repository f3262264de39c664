//! The safetensors container. The header is parsed here and not by the crate, which accepts repeated keys silently and
//! rejects numbers in metadata.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use safetensors::tensor::{Dtype, TensorInfo, TensorView};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::Problem;

/// Longest header accepted.
const MAX_HEADER: u64 = 1 << 20;
const METADATA: &str = "__metadata__";

/// The contents of a safetensors file.
pub struct Container<'a> {
    /// Metadata; numbers as text.
    pub metadata: BTreeMap<String, String>,
    /// The tensors by name.
    pub tensors: BTreeMap<String, TensorView<'a>>,
}

impl<'a> Container<'a> {
    /// Reads a file's bytes: the tensors must fill the file without gaps or overlaps.
    ///
    /// # Errors
    /// Says what is wrong with the header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Problem> {
        let (header, data) = split(bytes)?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| Problem::Format(format!("its header: {error}")))?;
        let mut by_offset: Vec<_> = header.tensors.iter().collect();
        by_offset.sort_by_key(|(_, info)| info.data_offsets);
        let mut end = 0;
        let mut tensors = BTreeMap::new();
        for (name, info) in by_offset {
            let bad = |what: &str| Problem::Format(format!("`{name}` {what}"));
            if info.data_offsets.0 != end {
                return Err(bad("does not begin where the tensor before it ends"));
            }
            end = info.data_offsets.1;
            let bytes =
                data.get(info.data_offsets.0..end).ok_or_else(|| bad("lies beyond the end of the file"))?;
            // The crate multiplies without checking for overflow.
            let bits = info.shape.iter().try_fold(info.dtype.bitsize(), |bits, &size| bits.checked_mul(size));
            let view = bits.and_then(|_| TensorView::new(info.dtype, info.shape.clone(), bytes).ok());
            let view = view.ok_or_else(|| bad("has another number of bytes than its shape says"))?;
            tensors.insert(name.clone(), view);
        }
        if end != data.len() {
            return Err(Problem::Format(format!("{} bytes after its last tensor", data.len() - end)));
        }
        Ok(Self { metadata: header.metadata, tensors })
    }
}

/// The header's length, from a file's first bytes.
pub(super) fn length_of_header(bytes: &[u8]) -> Result<usize, Problem> {
    let Some(length) = bytes.first_chunk() else {
        return Err(Problem::Format(format!("{} bytes", bytes.len())));
    };
    match u64::from_le_bytes(*length) {
        length if length > MAX_HEADER => Err(Problem::Format(format!("a header of {length} bytes"))),
        length => Ok(length as usize),
    }
}

/// The header's text and the data after it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    let length = length_of_header(bytes)?;
    bytes[8..].split_at_checked(length).ok_or_else(|| Problem::Format("cut off within its header".into()))
}

#[derive(Default)]
struct Header {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                let mut described = false;
                while let Some(name) = map.next_key::<String>()? {
                    let again = if name == METADATA {
                        header.metadata = map.next_value::<Option<Metadata>>()?.unwrap_or_default().0;
                        std::mem::replace(&mut described, true)
                    } else {
                        header.tensors.insert(name.clone(), map.next_value()?).is_some()
                    };
                    if again {
                        return Err(repeated(&name));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn repeated<E: Error>(name: &str) -> E {
    E::custom(format_args!("`{name}` is there twice"))
}

#[derive(Default)]
struct Metadata(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metadata by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
                    if entries.insert(name.clone(), text).is_some() {
                        return Err(repeated(&name));
                    }
                }
                Ok(Metadata(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A tensor in the form stored in a file.
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// Its values, f32 in little-endian order.
    pub(crate) bytes: Vec<u8>,
}

/// A header to write: metadata first, so that the same model gives the same bytes.
struct Outline<'a>(&'a BTreeMap<String, String>, &'a [(&'a str, TensorInfo)]);

impl Serialize for Outline<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.is_empty() {
            map.serialize_entry(METADATA, self.0)?;
        }
        self.1.iter().try_for_each(|(name, info)| map.serialize_entry(name, info))?;
        map.end()
    }
}

/// Encodes a safetensors file of these tensors.
pub(crate) fn encode(parts: &[Part], metadata: Option<HashMap<String, String>>) -> Vec<u8> {
    let metadata = metadata.into_iter().flatten().collect();
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut end = 0;
    let outline: Vec<_> = parts
        .iter()
        .map(|part| {
            let data_offsets = (end, end + part.bytes.len());
            end = data_offsets.1;
            (part.name.as_str(), TensorInfo { dtype: Dtype::F32, shape: part.shape.clone(), data_offsets })
        })
        .collect();
    let mut header = serde_json::to_vec(&Outline(&metadata, &outline)).expect("names and numbers only");
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    parts.iter().for_each(|part| bytes.extend(&part.bytes));
    bytes
}
