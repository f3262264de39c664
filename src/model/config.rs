//! The shape of a model, in TransformerLens' terms.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::HeadId;
use super::parts::{Activation, Normalization};
use crate::task::Shape;

/// Most parameters accepted: this is a tool for small transformers.
const MAX_PARAMETERS: usize = 1 << 28;
const MAX_CONTEXT: usize = 4096;
/// Limit for one sequence; every training thread holds one.
const MAX_ACTIVATIONS_GIB: u128 = 4;

/// The hyperparameters that determine every weight's shape. The default is the notebook's model (60,106 parameters).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Blocks.
    pub n_layers: usize,
    /// Attention heads in a block.
    pub n_heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Neurons in a block; 0 makes an attention-only model.
    pub d_mlp: usize,
    /// Longest sequence.
    pub n_ctx: usize,
    /// Size of the vocabulary.
    pub d_vocab: usize,
    /// Number of output classes, if not `d_vocab`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub d_vocab_out: Option<usize>,
    /// The MLP's nonlinearity.
    pub act_fn: Activation,
    /// Normalisation before attention, MLP and unembedding.
    pub normalization_type: Normalization,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            n_layers: 1,
            n_heads: 2,
            d_model: 64,
            d_head: 32,
            d_mlp: 256,
            n_ctx: 128,
            d_vocab: 10,
            d_vocab_out: None,
            act_fn: Activation::SoluLn,
            normalization_type: Normalization::Ln,
        }
    }
}

/// An invalid model.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A dimension out of its range.
    #[error("model.{field} = {value}: must be from {min} to {max}")]
    Dimension {
        /// The setting's name.
        field: &'static str,
        /// Its value.
        value: usize,
        /// Minimum.
        min: usize,
        /// Maximum.
        max: usize,
    },
    /// One sequence would take too much memory.
    #[error(
        "one sequence of this model would take {gib} GiB of activations: more than {MAX_ACTIVATIONS_GIB}"
    )]
    TooMuchMemory {
        /// Size in GiB.
        gib: u128,
    },
    /// Each dimension alone is valid, but not all together.
    #[error("the model would have {parameters} parameters: more than {MAX_PARAMETERS}")]
    TooLarge {
        /// Number of parameters.
        parameters: u128,
    },
}

impl ModelConfig {
    /// Rejects dimensions that are zero or unreasonable.
    ///
    /// # Errors
    /// Names the first dimension that is out of range, or the number of parameters.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value, min, max) in [
            ("n_layers", self.n_layers, 1, 64),
            ("n_heads", self.n_heads, 1, 256),
            ("d_model", self.d_model, 1, 16_384),
            ("d_head", self.d_head, 1, 4096),
            ("d_mlp", self.d_mlp, 0, 65_536),
            ("n_ctx", self.n_ctx, 1, MAX_CONTEXT),
            ("d_vocab", self.d_vocab, 2, 65_535),
            ("d_vocab_out", self.outputs(), 2, 65_535),
        ] {
            if !(min..=max).contains(&value) {
                return Err(ConfigError::Dimension { field, value, min, max });
            }
        }
        let parameters = self.approximate_parameters();
        if parameters > MAX_PARAMETERS as u128 {
            return Err(ConfigError::TooLarge { parameters });
        }
        let gib = (self.approximate_activations(self.n_ctx) * 4) >> 30;
        if gib >= MAX_ACTIVATIONS_GIB {
            return Err(ConfigError::TooMuchMemory { gib });
        }
        Ok(())
    }

    /// Number of values for one sequence of `len` tokens, as a type that cannot overflow.
    pub fn approximate_activations(&self, len: usize) -> u128 {
        let [layers, heads, d_model, d_heads, d_mlp, len, outputs] =
            [self.n_layers, self.n_heads, self.d_model, self.d_heads(), self.d_mlp, len, self.outputs()]
                .map(|n| n as u128);
        layers * len * (6 * d_model + 4 * d_heads + 5 * d_mlp + heads * len) + len * (3 * d_model + outputs)
    }

    /// Parameters of the matrices only, as a type that cannot overflow: for the check before allocation.
    pub fn approximate_parameters(&self) -> u128 {
        let [layers, d_model, d_mlp, n_ctx, vocabularies, heads] = [
            self.n_layers,
            self.d_model,
            self.d_mlp,
            self.n_ctx,
            self.d_vocab + self.outputs(),
            self.d_heads(),
        ]
        .map(|n| n as u128);
        d_model * (vocabularies + n_ctx) + layers * (4 * d_model * heads + 2 * d_model * d_mlp)
    }

    /// Number of output classes: `d_vocab_out`.
    pub fn outputs(&self) -> usize {
        self.d_vocab_out.unwrap_or(self.d_vocab)
    }

    /// The same model in canonical form: redundant settings are removed.
    #[must_use]
    pub fn canonical(self) -> Self {
        Self { d_vocab_out: self.d_vocab_out.filter(|outputs| *outputs != self.d_vocab), ..self }
    }

    /// Shape of its inputs and outputs.
    pub fn shape(&self) -> Shape {
        Shape { n_ctx: self.n_ctx, d_vocab: self.d_vocab, d_vocab_out: self.outputs() }
    }

    /// Width of all heads together: `n_heads * d_head`.
    pub fn d_heads(&self) -> usize {
        self.n_heads * self.d_head
    }

    /// Every head, by layer, then head.
    pub fn heads(&self) -> impl Iterator<Item = HeadId> + use<> {
        let n_heads = self.n_heads;
        (0..self.n_layers).flat_map(move |layer| (0..n_heads).map(move |head| HeadId { layer, head }))
    }

    /// Whether blocks have an MLP.
    pub fn has_mlp(&self) -> bool {
        self.d_mlp > 0
    }

    /// Whether `mlp.ln` comes between the nonlinearity and `W_out`.
    pub fn has_mlp_norm(&self) -> bool {
        self.has_mlp() && self.act_fn.has_norm()
    }

    /// Whether there are norms before attention, MLP and unembedding.
    pub fn has_norms(&self) -> bool {
        self.normalization_type != Normalization::None
    }

    /// Whether layer norms carry a weight and a bias.
    pub fn has_affine_norms(&self) -> bool {
        self.normalization_type == Normalization::Ln
    }

    /// TransformerLens' scale of the initial weights: 0.8 / sqrt(`d_model`).
    pub fn initializer_range(&self) -> f32 {
        0.8 / (self.d_model as f32).sqrt()
    }
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SoluLn, Self::Gelu, Self::Relu];
}

impl Normalization {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ln, Self::LnPre, Self::None];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_out_of_range_is_named() {
        let error = ModelConfig { d_head: 0, ..ModelConfig::default() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "model.d_head = 0: must be from 1 to 4096");
    }

    #[test]
    fn as_many_outputs_as_tokens_is_the_default() {
        let says = |d_vocab_out| {
            serde_json::to_string(&ModelConfig { d_vocab_out, ..ModelConfig::default() }.canonical())
        };
        assert_eq!(says(Some(10)).unwrap(), says(None).unwrap());
        assert!(says(Some(9)).unwrap().contains("\"d_vocab_out\":9"));
    }

    #[test]
    fn a_sequence_that_would_not_fit_in_memory_is_refused() {
        let config = ModelConfig { n_heads: 256, d_head: 1, n_ctx: 4096, ..ModelConfig::default() };
        assert!(matches!(config.validate(), Err(ConfigError::TooMuchMemory { .. })));
    }

    #[test]
    fn dimensions_that_are_too_large_together_are_refused_without_overflow() {
        let config = ModelConfig { n_layers: 64, d_model: 16_384, d_mlp: 65_536, ..ModelConfig::default() };
        assert!(matches!(config.validate(), Err(ConfigError::TooLarge { .. })));
    }
}
