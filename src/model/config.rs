//! The shape of a model, in TransformerLens' terms.

mod usual;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::HeadId;
use super::parts::norm::Norm;
use super::parts::{Activation, Normalization, PositionEmbedding};
use super::visible::{AttentionDirection, VisibleKeys};
use crate::task::{Shape, Token};

/// Most parameters accepted: this is a tool for small transformers.
const MAX_PARAMETERS: usize = 1 << 28;
const MAX_CONTEXT: usize = 4096;
/// Limit for one sequence; every training thread holds one.
const MAX_ACTIVATIONS_GIB: u128 = 4;

/// TransformerLens' default of `attn_scale`: the root of `d_head`.
const AUTOMATIC: f64 = -1.0;

/// The hyperparameters of a model, under TransformerLens' names. The default is the notebook's model (60,106
/// parameters). Settings that few models change are written only if changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Whether blocks have no MLP, whatever `d_mlp` says.
    #[serde(skip_serializing_if = "usual::flag")]
    pub attn_only: bool,
    /// The MLP's nonlinearity.
    pub act_fn: Activation,
    /// Normalisation before attention, MLP and unembedding.
    pub normalization_type: Normalization,
    /// Added to the variance, or to the mean of squares, before the square root of a norm.
    #[serde(skip_serializing_if = "usual::eps")]
    pub eps: f64,
    /// How the model knows the order of its tokens.
    #[serde(skip_serializing_if = "usual::choice")]
    pub positional_embedding_type: PositionEmbedding,
    /// Number of dimensions of a head that `rotary` rotates, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotary_dim: Option<usize>,
    /// Ratio of the wavelengths of `rotary`, longest to shortest.
    #[serde(skip_serializing_if = "usual::rotary_base")]
    pub rotary_base: f64,
    /// Whether `rotary` rotates adjacent dimensions, and not those half of `rotary_dim` apart.
    #[serde(skip_serializing_if = "usual::flag")]
    pub rotary_adjacent_pairs: bool,
    /// Whether a query sees later keys.
    #[serde(skip_serializing_if = "usual::choice")]
    pub attention_dir: AttentionDirection,
    /// The token whose keys no query sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pad_token: Option<Token>,
    /// Whether attention scores are divided by `attn_scale`.
    #[serde(skip_serializing_if = "usual::use_attn_scale")]
    pub use_attn_scale: bool,
    /// Divisor of attention scores; -1: the root of `d_head`.
    #[serde(skip_serializing_if = "usual::attn_scale")]
    pub attn_scale: f64,
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
            attn_only: false,
            act_fn: Activation::SoluLn,
            normalization_type: Normalization::Ln,
            eps: 1e-5,
            positional_embedding_type: PositionEmbedding::Standard,
            rotary_dim: None,
            rotary_base: 10_000.0,
            rotary_adjacent_pairs: false,
            attention_dir: AttentionDirection::Causal,
            pad_token: None,
            use_attn_scale: true,
            attn_scale: AUTOMATIC,
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
    /// Another setting out of its range.
    #[error("model.{field} = {value}: must be {wanted}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// Its value.
        value: String,
        /// The valid values.
        wanted: String,
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
        self.validate_settings()?;
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

    /// Rejects settings that are no dimension of a weight.
    fn validate_settings(&self) -> Result<(), ConfigError> {
        let rotary = self.rotary_dim();
        let is_rotary = self.positional_embedding_type == PositionEmbedding::Rotary;
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let pad_token = self.pad_token.unwrap_or_default();
        for (field, value, good, wanted) in [
            ("eps", self.eps.to_string(), (0.0..=1.0).contains(&self.eps), "from 0 to 1".to_owned()),
            (
                "attn_scale",
                self.attn_scale.to_string(),
                positive(self.attn_scale) || usual::attn_scale(&self.attn_scale),
                "above 0, or -1 for the root of d_head".to_owned(),
            ),
            (
                "rotary_dim",
                rotary.to_string(),
                !is_rotary || rotary > 0 && rotary.is_multiple_of(2) && rotary <= self.d_head,
                format!("even, from 2 to d_head = {}", self.d_head),
            ),
            (
                "rotary_base",
                self.rotary_base.to_string(),
                !is_rotary || positive(self.rotary_base),
                "above 0".to_owned(),
            ),
            (
                "pad_token",
                pad_token.to_string(),
                usize::from(pad_token) < self.d_vocab,
                format!("below d_vocab = {}", self.d_vocab),
            ),
        ] {
            if !good {
                return Err(ConfigError::Setting { field, value, wanted });
            }
        }
        Ok(())
    }

    /// Number of values for one sequence of `len` tokens, as a type that cannot overflow.
    pub fn approximate_activations(&self, len: usize) -> u128 {
        let [layers, heads, d_model, d_heads, d_mlp, len, outputs] =
            [self.n_layers, self.n_heads, self.d_model, self.d_heads(), self.d_mlp, len, self.outputs()]
                .map(|n| n as u128);
        let positioned = u128::from(self.positional_embedding_type == PositionEmbedding::Shortformer);
        let streams = (6 + positioned) * d_model;
        layers * len * (streams + 4 * d_heads + 5 * d_mlp + heads * len) + len * (3 * d_model + outputs)
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
        Self {
            d_vocab_out: self.d_vocab_out.filter(|outputs| *outputs != self.d_vocab),
            rotary_dim: self.rotary_dim.filter(|rotary| *rotary != self.d_head),
            d_mlp: if self.attn_only { 0 } else { self.d_mlp },
            attn_only: false,
            ..self
        }
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
        self.d_mlp > 0 && !self.attn_only
    }

    /// Whether there are norms before attention, MLP and unembedding.
    pub fn has_norms(&self) -> bool {
        self.normalization_type != Normalization::None
    }

    /// The norm before attention, MLP and unembedding.
    pub(super) fn norm(&self) -> Norm {
        Norm { kind: self.normalization_type, eps: self.eps as f32 }
    }

    /// The norm after `solu_ln`.
    pub(super) fn norm_of_neurons(&self) -> Norm {
        Norm { kind: self.normalization_type.of_neurons(), eps: self.eps as f32 }
    }

    /// Number of dimensions of a head that `rotary` rotates.
    pub fn rotary_dim(&self) -> usize {
        self.rotary_dim.unwrap_or(self.d_head)
    }

    /// Factor of attention scores.
    pub fn score_scale(&self) -> f32 {
        if !self.use_attn_scale {
            1.0
        } else if usual::attn_scale(&self.attn_scale) {
            1.0 / (self.d_head as f32).sqrt()
        } else {
            1.0 / self.attn_scale as f32
        }
    }

    /// The keys that each query of a sequence sees.
    pub fn visible_keys(&self, tokens: &[Token]) -> VisibleKeys {
        VisibleKeys::new(self.attention_dir, self.pad_token, tokens)
    }

    /// TransformerLens' scale of the initial weights: 0.8 / sqrt(`d_model`).
    pub fn initializer_range(&self) -> f32 {
        0.8 / (self.d_model as f32).sqrt()
    }
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
    fn a_setting_out_of_range_is_named() {
        let base = ModelConfig { d_head: 5, ..ModelConfig::default() };
        let rotary = ModelConfig { positional_embedding_type: PositionEmbedding::Rotary, ..base.clone() };
        for (config, said) in [
            (rotary.clone(), "model.rotary_dim = 5: must be even, from 2 to d_head = 5"),
            (ModelConfig { rotary_dim: Some(6), ..rotary.clone() }, "model.rotary_dim = 6: must be even"),
            (ModelConfig { rotary_dim: Some(4), rotary_base: 0.0, ..rotary }, "model.rotary_base = 0"),
            (ModelConfig { eps: f64::NAN, ..base.clone() }, "model.eps = NaN: must be from 0 to 1"),
            (ModelConfig { attn_scale: -2.0, ..base.clone() }, "model.attn_scale = -2: must be above 0"),
            (ModelConfig { pad_token: Some(10), ..base.clone() }, "model.pad_token = 10: must be below"),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        assert_eq!(base.validate(), Ok(()));
    }

    #[test]
    fn a_model_without_mlp_has_one_canonical_form() {
        let config = ModelConfig { attn_only: true, rotary_dim: Some(32), ..ModelConfig::default() };
        assert!(!config.has_mlp());
        assert_eq!(config.canonical(), ModelConfig { d_mlp: 0, ..ModelConfig::default() });
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
