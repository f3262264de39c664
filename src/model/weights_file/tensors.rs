//! The tensors of a file under TransformerLens 3's names, whichever of its versions wrote them and in whatever precision.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};

use super::{Problem, foreign};
use crate::model::place;

/// The tensors of a model, without TransformerLens' buffers.
pub(super) struct Tensors<'a> {
    by_name: BTreeMap<String, TensorView<'a>>,
    /// Whether names and shapes are those of TransformerLens 4: matrices as in PyTorch's `Linear`, `[out, in]`, with all
    /// heads side by side.
    is_linear: bool,
}

impl<'a> Tensors<'a> {
    /// The tensors of a file.
    ///
    /// # Errors
    /// Names the tensors of another library, or a tensor that is there twice.
    pub(super) fn new(all: BTreeMap<String, TensorView<'a>>) -> Result<Self, Problem> {
        let mut by_name = BTreeMap::new();
        for (name, tensor) in all.into_iter().filter(|(name, _)| !foreign::is_buffer(name)) {
            let inner = foreign::unwrapped(&name);
            if by_name.insert(inner.clone(), tensor).is_some() {
                return Err(Problem::Twice(inner));
            }
        }
        let is_linear = by_name.contains_key("embed.weight") && !by_name.contains_key("embed.W_E");
        if is_linear {
            let renamed =
                by_name.into_iter().map(|(name, tensor)| (name_in_3(&name).unwrap_or(name), tensor));
            return Ok(Self { by_name: renamed.collect(), is_linear });
        }
        match foreign::by_names(&by_name).filter(|_| !by_name.contains_key("embed.W_E")) {
            Some(whose) => Err(Problem::Names(whose)),
            None => Ok(Self { by_name, is_linear }),
        }
    }

    /// Whether names and shapes are those of TransformerLens 4.
    pub(super) fn is_linear(&self) -> bool {
        self.is_linear
    }

    /// The names, TransformerLens 3's.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.by_name.keys()
    }

    /// Whether there is a tensor of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The file's own name for a weight.
    pub(super) fn own_name(&self, name: &str) -> String {
        if self.is_linear { name_in_4(name) } else { name.into() }
    }

    /// The shape that the file has for a tensor.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N], Problem> {
        let found = self.by_name.get(name).ok_or_else(|| Problem::Missing(self.own_name(name)))?.shape();
        let name = || self.own_name(name);
        found.try_into().map_err(|_| Problem::Rank { name: name(), found: found.into(), wanted: N })
    }

    /// Columns of a matrix that maps row vectors.
    pub(super) fn columns(&self, name: &str) -> Result<usize, Problem> {
        let [first, second] = self.shape(name)?;
        Ok(if self.is_linear { first } else { second })
    }

    /// Rejects a tensor that does not fit a weight. One that is absent is no error here.
    pub(super) fn check(&self, weight: &place::TensorView) -> Result<(), Problem> {
        let Some(found) = self.by_name.get(&weight.name) else { return Ok(()) };
        let (name, wanted) = (self.own_name(&weight.name), self.shape_of(weight));
        if !matches!(found.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64) {
            return Err(Problem::Dtype { name, found: format!("{:?}", found.dtype()) });
        }
        if found.shape() != wanted {
            return Err(Problem::Shape { name, found: found.shape().into(), wanted });
        }
        Ok(())
    }

    /// The shape that a weight has in the file.
    fn shape_of(&self, weight: &place::TensorView) -> Vec<usize> {
        match (&weight.shape[..], leaf(&weight.name)) {
            (shape, _) if !self.is_linear => shape.into(),
            (&[n_heads, d_head, d_model], "W_O") => vec![d_model, n_heads * d_head],
            (&[n_heads, d_model, d_head], _) => vec![n_heads * d_head, d_model],
            (&[n_heads, d_head], "b_Q" | "b_K" | "b_V") => vec![n_heads * d_head],
            (&[rows, cols], leaf) if !matches!(leaf, "W_E" | "W_pos") => vec![cols, rows],
            (shape, _) => shape.into(),
        }
    }

    /// The values of a weight that was checked, row-major in TransformerLens 3's shape; `None` if it is absent.
    pub(super) fn read(&self, weight: &place::TensorView) -> Option<Vec<f32>> {
        let values = self.values(&weight.name)?;
        let transpose = |values: &[f32], rows: usize, cols: usize| -> Vec<f32> {
            (0..cols).flat_map(|col| (0..rows).map(move |row| values[row * cols + col])).collect()
        };
        Some(match (&weight.shape[..], leaf(&weight.name)) {
            _ if !self.is_linear => values,
            (&[n_heads, d_head, d_model], "W_O") => transpose(&values, d_model, n_heads * d_head),
            (&[_, d_model, d_head], _) => {
                let heads = values.chunks(d_head * d_model);
                heads.flat_map(|head| transpose(head, d_head, d_model)).collect()
            }
            (&[rows, cols], "W_in" | "W_out" | "W_U") => transpose(&values, cols, rows),
            _ => values,
        })
    }

    /// The values of a tensor as the file has them, in single precision; `None` if it is absent.
    pub(super) fn values(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.by_name.get(name)?;
        let bytes = tensor.data();
        Some(match tensor.dtype() {
            Dtype::F16 => bytes.as_chunks().0.iter().map(|two| f16::from_le_bytes(*two).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|two| bf16::from_le_bytes(*two).to_f32()).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight) as f32).collect(),
            _ => super::from_bytes(bytes),
        })
    }

    /// The precisions other than single of the model's tensors, in words.
    pub(super) fn other_precisions<'b>(&self, names: impl Iterator<Item = &'b str>) -> Vec<String> {
        let found =
            names.filter_map(|name| self.by_name.get(name)).map(|tensor| format!("{:?}", tensor.dtype()));
        let mut found: Vec<String> = found.filter(|dtype| dtype != "F32").collect();
        found.sort();
        found.dedup();
        found
    }
}

fn leaf(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Names of TransformerLens 3 and 4: the end of a tensor's name in each.
const NAMES: [(&str, &str); 16] = [
    ("embed.W_E", "embed.weight"),
    ("pos_embed.W_pos", "pos_embed.weight"),
    ("unembed.W_U", "unembed.weight"),
    ("unembed.b_U", "unembed.bias"),
    ("attn.W_Q", "attn.q.weight"),
    ("attn.W_K", "attn.k.weight"),
    ("attn.W_V", "attn.v.weight"),
    ("attn.W_O", "attn.o.weight"),
    ("attn.b_Q", "attn.q.bias"),
    ("attn.b_K", "attn.k.bias"),
    ("attn.b_V", "attn.v.bias"),
    ("attn.b_O", "attn.o.bias"),
    ("mlp.W_in", "mlp.in.weight"),
    ("mlp.b_in", "mlp.in.bias"),
    ("mlp.W_out", "mlp.out.weight"),
    ("mlp.b_out", "mlp.out.bias"),
];
/// Norms, of which only the name's end differs.
const NORMS: [&str; 4] = ["ln1", "ln2", "ln", "ln_final"];

/// TransformerLens 3's name of a weight, given TransformerLens 4's; `None` for other names.
fn name_in_3(name: &str) -> Option<String> {
    renamed(name, |(three, four)| (four, three), [("weight", "w"), ("bias", "b")])
}

/// TransformerLens 4's name of a weight, given TransformerLens 3's.
fn name_in_4(name: &str) -> String {
    renamed(name, |names| names, [("w", "weight"), ("b", "bias")]).unwrap_or_else(|| name.into())
}

fn renamed(
    name: &str,
    order: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
    leaves: [(&str, &str); 2],
) -> Option<String> {
    let (module, leaf) = name.rsplit_once('.')?;
    if NORMS.contains(&module.rsplit('.').next()?) {
        let (_, to) = leaves.into_iter().find(|(from, _)| *from == leaf)?;
        return Some(format!("{module}.{to}"));
    }
    NAMES.into_iter().map(order).find_map(|(from, to)| {
        let before = name.strip_suffix(from)?;
        (before.is_empty() || before.ends_with('.')).then(|| format!("{before}{to}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_one_version_is_one_of_the_other() {
        for (three, four) in [
            ("embed.W_E", "embed.weight"),
            ("blocks.3.attn.b_V", "blocks.3.attn.v.bias"),
            ("blocks.0.attn.W_O", "blocks.0.attn.o.weight"),
            ("blocks.0.mlp.ln.w", "blocks.0.mlp.ln.weight"),
            ("blocks.10.ln2.b", "blocks.10.ln2.bias"),
            ("blocks.0.mlp.b_out", "blocks.0.mlp.out.bias"),
            ("ln_final.w", "ln_final.weight"),
            ("unembed.W_U", "unembed.weight"),
        ] {
            assert_eq!((name_in_3(four).as_deref(), name_in_4(three).as_str()), (Some(three), four));
        }
        assert_eq!(name_in_3("blocks.0.attn.rotary.weight"), None);
    }
}
