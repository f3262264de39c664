//! Gradients of activations during the backward pass.

use super::config::ModelConfig;
use super::loss_dtype::LossDtype;

/// Gradients of activations during the backward pass; reused from sequence to sequence.
pub struct Adjoints {
    /// Precision of the loss.
    pub loss_dtype: LossDtype,
    /// Gradient of the residual stream, `[pos, d_model]`.
    pub(super) resid: Vec<f32>,
    /// Gradient of a sublayer's input, `[pos, d_model]`.
    pub(super) input: Vec<f32>,
    /// Of the neurons, `[pos, d_mlp]`.
    pub(super) hidden: Vec<f32>,
    /// Of `z`, `[pos, n_heads, d_head]`.
    pub(super) z: Vec<f32>,
    /// Of queries, keys and values, `[pos, 3, n_heads, d_head]`.
    pub(super) qkv: Vec<f32>,
    /// Of one head's scores, `[query, key]`.
    pub(super) scores: Vec<f32>,
    /// Of the logits, `[pos, d_vocab_out]`.
    pub(super) logits: Vec<f32>,
}

impl Adjoints {
    /// Number of values for a sequence of `len` positions, as a type that cannot overflow.
    pub(super) fn approximate_values(c: &ModelConfig, len: usize) -> u128 {
        let a_position = 2 * c.d_model + c.d_mlp + 4 * c.d_heads() + len + c.outputs();
        len as u128 * a_position as u128
    }

    /// Buffers for a sequence of `len` positions.
    pub fn new(c: &ModelConfig, len: usize) -> Self {
        let zeros = |width: usize| vec![0.0; len * width];
        Self {
            loss_dtype: LossDtype::default(),
            resid: zeros(c.d_model),
            input: zeros(c.d_model),
            hidden: zeros(c.d_mlp),
            z: zeros(c.d_heads()),
            qkv: zeros(3 * c.d_heads()),
            scores: zeros(len),
            logits: zeros(c.outputs()),
        }
    }
}
