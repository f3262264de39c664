//! The parts of a head's QK circuit beside tokens with tokens: tokens with positions, and the biases.

use super::circuits::{Head, transposed};
use super::low_rank::LowRank;
use super::readout::product;
use crate::model::{HeadId, Mat, ModelConfig, PositionEmbedding, Weights, centre};

/// Whether positions have vectors that enter queries and keys.
pub fn has_quadrants(c: &ModelConfig) -> bool {
    matches!(c.positional_embedding_type, PositionEmbedding::Standard | PositionEmbedding::Shortformer)
}

/// Terms of the product of query and key of one head; all without 1/`attn_scale` and norm scales.
#[derive(Clone, Debug)]
pub struct Quadrants {
    /// `W_E W_Q W_K^T W_pos^T`, `[query token, key position]`; without columns unless [`has_quadrants`].
    pub token_position: LowRank,
    /// `W_pos W_Q W_K^T W_E^T`, `[query position, key token]`; without rows unless [`has_quadrants`].
    pub position_token: LowRank,
    /// `b_Q W_K^T W_E^T` by key token, and `W_E W_Q b_K` by query token.
    pub token_bias: [Vec<f32>; 2],
    /// The same with `W_pos`, by position; empty without vectors of positions.
    pub position_bias: [Vec<f32>; 2],
    /// `b_Q b_K`, of every query with every key.
    pub both_biases: f32,
}

impl Quadrants {
    /// Multiplies the weight matrices. The head must exist.
    pub fn new(weights: &Weights, id: HeadId) -> Self {
        let (c, head) = (weights.config(), Head { weights, id });
        let tokens = head.queries_and_keys(weights.part(&weights.layout.w_e));
        let w_pos = weights.layout.w_pos.as_ref().map(|w_pos| weights.part(w_pos));
        let positions = w_pos.map(|w_pos| head.queries_and_keys(w_pos)).unwrap_or_default();
        let [b_q, b_k] = biases(weights, id);
        let with = |rows: &[f32], bias: &[f32]| {
            let rows_len = rows.len() / c.d_head;
            product(Mat::new(rows, rows_len, c.d_head), Mat::new(bias, c.d_head, 1), rows_len, 1)
        };
        let bias_of = |[queries, keys]: &[Vec<f32>; 2]| [with(keys, b_q), with(queries, b_k)];
        let map = |a: &[f32], b: &[f32]| LowRank::new(a.to_vec(), b.to_vec(), c.d_head);
        Self {
            token_position: map(&tokens[0], &positions[1]),
            position_token: map(&positions[0], &tokens[1]),
            token_bias: bias_of(&tokens),
            position_bias: bias_of(&positions),
            both_biases: b_q.iter().zip(b_k).map(|(q, k)| q * k).sum(),
        }
    }
}

/// `b_Q` and `b_K` of a head.
fn biases(weights: &Weights, id: HeadId) -> [&[f32]; 2] {
    let c = weights.config();
    let all = weights.part(&weights.layout.blocks[id.layer].attn.b_qkv);
    [0, 1].map(|part| &all[part * c.d_heads() + id.head * c.d_head..][..c.d_head])
}

/// `W_E W_U`, centred over classes: the path from the tokens straight to the logits, `[token, class]`.
pub fn direct_path(weights: &Weights) -> LowRank {
    let c = weights.config();
    let mut w_u = weights.part(&weights.layout.w_u).to_vec();
    centre(&mut w_u, c.outputs());
    let w_e = weights.part(&weights.layout.w_e).to_vec();
    LowRank::new(w_e, transposed(&w_u, c.d_model, c.outputs()), c.d_model)
}
