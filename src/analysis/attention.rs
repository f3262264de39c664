//! What a head attends to.

use crate::model::{Activations, Mat, MatMut, Weights, Write, matmul};

/// Figures of one head over one sequence.
#[derive(Clone, Debug)]
pub struct HeadSummary {
    /// Length of what each key would write if attended to fully, |v `W_O`|, `[key]`.
    pub value_norms: Vec<f32>,
    /// Entropy of each query's pattern, in nats, `[query]`.
    pub entropy: Vec<f32>,
    /// Kullback-Leibler divergence of each query's pattern from uniform over the keys it may see, in nats, `[query]`.
    pub kl_from_uniform: Vec<f32>,
}

impl HeadSummary {
    /// Mean entropy over queries, in nats.
    pub fn mean_entropy(&self) -> f32 {
        mean(&self.entropy)
    }

    /// Mean divergence from uniform over queries, in nats.
    pub fn mean_kl(&self) -> f32 {
        mean(&self.kl_from_uniform)
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// Every head's, by layer, then head.
pub(super) fn summaries(weights: &Weights, from: &Activations) -> Vec<HeadSummary> {
    let c = weights.config();
    (0..c.n_layers)
        .flat_map(|layer| (0..c.n_heads).map(move |head| (layer, head)))
        .map(|(layer, head)| {
            let pattern =
                &from.blocks[layer].attn.pattern[head * from.len * from.len..][..from.len * from.len];
            let entropy: Vec<f32> = pattern.chunks_exact(from.len).map(entropy).collect();
            let kl_from_uniform = entropy
                .iter()
                .enumerate()
                .map(|(query, h)| (((query + 1) as f32).ln() - h).max(0.0))
                .collect();
            HeadSummary { value_norms: value_norms(weights, from, layer, head), entropy, kl_from_uniform }
        })
        .collect()
}

fn entropy(pattern: &[f32]) -> f32 {
    -pattern.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f32>()
}

fn value_norms(weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
    let c = weights.config();
    let values = &from.blocks[layer].attn.qkv[2 * c.d_heads() + head * c.d_head..];
    let w_o = &weights.part(&weights.layout.blocks[layer].w_o)[head * c.d_head * c.d_model..];
    let mut written = vec![0.0; from.len * c.d_model];
    matmul(
        MatMut::new(&mut written, from.len, c.d_model),
        Write::Set,
        1.0,
        Mat::strided(values, from.len, c.d_head, 3 * c.d_heads()),
        Mat::new(w_o, c.d_head, c.d_model),
    );
    written.chunks_exact(c.d_model).map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()).collect()
}
