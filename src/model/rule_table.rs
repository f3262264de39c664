//! An edit as a table of a TOML file.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tokens of another sequence that the words of an edit name.
const SHOWN: usize = 8;

/// An edit as a table of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditTable {
    /// The site, by TransformerLens' name without the block and `hook_`.
    pub site: String,
    /// Block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// All if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// All if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neurons: Option<Vec<usize>>,
    /// `3,5-9,token=7`; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<String>,
    /// What the values become, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<To>,
    /// Tokens of the sequence whose values are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Vec<Name>>,
    /// The new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<f32>,
    /// Added to every value, or times the direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<f32>,
    /// A factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// The least and the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clamp: Option<[f32; 2]>,
    /// Keys that the queries do not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hide: Option<String>,
    /// Of `add` and of `to = "without"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<DirectionTable>,
    /// The only reader that sees the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<ReaderTable>,
}

/// What values become, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// 0.
    Zero,
    /// The mean over sequences and positions.
    Mean,
    /// The mean over sequences at each position.
    MeanPosition,
    /// The values of another sequence.
    Resample,
    /// Themselves without the direction.
    Without,
    /// Equal attention to every visible key.
    Uniform,
    /// Attention to the query.
    Identity,
    /// Attention to the key before.
    Previous,
}

/// A token or class, by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Name {
    /// By number.
    Number(usize),
    /// By name.
    Text(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(name) => name.fmt(f),
        }
    }
}

/// A direction: one of the three, and what is subtracted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectionTable {
    /// The unembedding of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Name>,
    /// The mean over positions with this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Name>,
    /// The probe of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Name>,
    /// The class that is subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minus: Option<Name>,
}

/// A reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderTable {
    /// `q`, `k`, `v`, `mlp` or `logits`.
    pub site: String,
    /// Block; none of the logits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Of `q`, `k` and `v`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<usize>,
}

/// `z 1.2 at 3,5-9: scaled by 0.5, for mlp 1 alone`.
impl fmt::Display for EditTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.site)?;
        match (self.layer, self.heads.as_ref().or(self.neurons.as_ref())) {
            (layer, Some(numbers)) => {
                let layer = layer.unwrap_or(0);
                let all: Vec<String> = numbers.iter().map(|number| format!("{layer}.{number}")).collect();
                write!(f, " {}", all.join(","))?;
            }
            (Some(layer), None) => write!(f, " {layer}")?,
            (None, None) => {}
        }
        if let Some(positions) = &self.positions {
            write!(f, " at {positions}")?;
        }
        f.write_str(": ")?;
        self.write_becomes(f)?;
        match &self.reader {
            None => Ok(()),
            Some(ReaderTable { site, layer, head }) => {
                let place = [layer, head].into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
                let gap = if place.is_empty() { "" } else { " " };
                write!(f, ", for {site}{gap}{} alone", place.join("."))
            }
        }
    }
}

impl EditTable {
    fn write_becomes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let along =
            || self.direction.as_ref().map_or(String::new(), |direction| format!(" times {direction}"));
        if let Some(to) = self.to {
            return match to {
                To::Zero => f.write_str("to zero"),
                To::Mean => f.write_str("to its mean"),
                To::MeanPosition => f.write_str("to its mean at each position"),
                To::Resample => f.write_str("from another sequence"),
                To::Without => {
                    write!(
                        f,
                        "without {}",
                        self.direction.as_ref().map_or(String::new(), ToString::to_string)
                    )
                }
                To::Uniform => f.write_str("uniform"),
                To::Identity => f.write_str("identity"),
                To::Previous => f.write_str("previous"),
            };
        }
        match (self.set, self.add, self.scale, self.clamp) {
            (Some(value), ..) => write!(f, "set to {value}"),
            (_, Some(value), ..) => write!(f, "plus {value}{}", along()),
            (_, _, Some(value), _) => write!(f, "times {value}"),
            (.., Some([low, high])) => write!(f, "clamped to {low} to {high}"),
            _ => match (&self.hide, &self.from) {
                (Some(keys), _) => write!(f, "without keys {keys}"),
                (None, Some(from)) => {
                    let names: Vec<String> = from.iter().take(SHOWN).map(ToString::to_string).collect();
                    write!(f, "from {}", names.join(" "))?;
                    if from.len() > SHOWN { write!(f, " … ({} tokens)", from.len()) } else { Ok(()) }
                }
                (None, None) => Ok(()),
            },
        }
    }
}

impl fmt::Display for DirectionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [("class", &self.class), ("mean", &self.mean), ("probe", &self.probe)];
        for (kind, name) in kinds {
            if let Some(name) = name {
                write!(f, "{kind} {name}")?;
            }
        }
        self.minus.as_ref().map_or(Ok(()), |name| write!(f, " - {name}"))
    }
}
