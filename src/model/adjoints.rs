//! Gradients of activations during the backward pass.

use super::clone_into::fit;
use super::config::ModelConfig;
use super::loss_dtype::LossDtype;
use super::tile::Tile;

/// Gradients of activations during the backward pass; reused from tile to tile. A stage that has fewer rows than the tile
/// uses the first ones.
#[derive(Default)]
pub struct Adjoints {
    /// Precision of the loss.
    pub loss_dtype: LossDtype,
    /// Gradient of the residual stream, `[pos, d_model]`.
    pub(super) resid: Vec<f32>,
    /// Gradient of a sublayer's input, `[pos, d_model]`.
    pub(super) input: Vec<f32>,
    /// Of the input of queries and keys where they also read `W_pos`, `[pos, d_model]`.
    pub(super) positioned: Vec<f32>,
    /// Of the input of queries where not every row is one, `[query, d_model]`.
    pub(super) of_queries: Vec<f32>,
    /// Of the neurons, `[pos, d_mlp]`.
    pub(super) hidden: Vec<f32>,
    /// Of `z`, `[pos, n_heads, d_head]`.
    pub(super) z: Vec<f32>,
    /// Of queries, keys and values, `[pos, 3, n_heads, d_head]`.
    pub(super) qkv: Vec<f32>,
    /// Of one head's scores over one sequence, `[query, key]`.
    pub(super) scores: Vec<f32>,
    /// Of the logits, `[pos, d_vocab_out]`.
    pub(super) logits: Vec<f32>,
}

impl Adjoints {
    /// Number of values for `rows` positions, as a type that cannot overflow.
    pub(super) fn approximate_values(c: &ModelConfig, rows: usize) -> u128 {
        let a_position = 4 * c.d_model + c.d_mlp + 4 * c.d_heads() + rows + c.outputs();
        rows as u128 * a_position as u128
    }

    /// Sizes the buffers for a tile.
    pub(super) fn fit(&mut self, c: &ModelConfig, tile: &Tile<'_>) {
        let rows = tile.rows();
        for buffer in [&mut self.resid, &mut self.input, &mut self.positioned, &mut self.of_queries] {
            fit(buffer, rows * c.d_model);
        }
        fit(&mut self.hidden, rows * c.d_mlp);
        fit(&mut self.z, rows * c.d_heads());
        fit(&mut self.qkv, rows * 3 * c.d_heads());
        let longest = tile.sequences.iter().map(|sequence| sequence.keys.len()).max().unwrap_or(0);
        fit(&mut self.scores, longest * longest);
        fit(&mut self.logits, rows * c.outputs());
    }
}
