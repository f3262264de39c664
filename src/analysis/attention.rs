//! Attention patterns and their summaries.

use super::readout::product;
use crate::model::{Activations, HeadId, Mat, VisibleKeys, Weights, sum_p_ln_p};

/// Figures of one head over one sequence.
#[derive(Clone, Debug)]
pub struct HeadSummary {
    /// Length of what each key would write at an attention of 1, |v `W_O`|, `[key]`.
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

/// The summaries of all heads, by layer, then head.
pub(super) fn summaries(weights: &Weights, from: &Activations) -> Vec<HeadSummary> {
    weights
        .config()
        .heads()
        .map(|HeadId { layer, head }| {
            let pattern =
                &from.blocks[layer].attn.pattern[head * from.len * from.len..][..from.len * from.len];
            let entropy: Vec<f32> = pattern.chunks_exact(from.len).map(entropy).collect();
            let queries = pattern.chunks_exact(from.len).enumerate();
            let kl_from_uniform =
                queries.map(|(query, row)| kl_from_uniform(query, row, &from.keys)).collect();
            HeadSummary { value_norms: value_norms(weights, from, layer, head), entropy, kl_from_uniform }
        })
        .collect()
}

/// Not computed as the logarithm of the number of keys minus the entropy: near uniform, few digits would remain. Rounding
/// can make a divergence slightly negative, which becomes 0; NaN stays NaN.
fn kl_from_uniform(query: usize, pattern: &[f32], keys: &VisibleKeys) -> f32 {
    let divergence = sum_p_ln_p(&pattern[..keys.end(query)], keys.of(query).count() as f32);
    if divergence < 0.0 { 0.0 } else { divergence }
}

/// Rounding must not leave a sign before zero.
fn entropy(pattern: &[f32]) -> f32 {
    0.0 - sum_p_ln_p(pattern, 1.0)
}

/// |v `W_O`| of one head, `[key]`.
fn value_norms(weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
    let c = weights.config();
    let values = &from.blocks[layer].attn.qkv[2 * c.d_heads() + head * c.d_head..];
    let rows = || values.chunks(3 * c.d_heads()).map(|row| &row[..c.d_head]);
    let matrix = Mat::strided(values, from.len, c.d_head, 3 * c.d_heads());
    let w_o = &weights.part(&weights.layout.blocks[layer].attn.w_o)[head * c.d_head * c.d_model..];
    let w_o = Mat::new(w_o, c.d_head, c.d_model);
    let is_wide = c.d_model > 2 * c.d_head;
    let norms = is_wide.then(|| norms_by_gram(rows(), matrix, w_o, c.d_head)).flatten();
    norms.unwrap_or_else(|| norms_of_rows(&product(matrix, w_o, from.len, c.d_model), c.d_model))
}

/// Below this share of its upper bound, a square has too few digits left after rounding.
const LEAST_SHARE: f32 = 0.05;

/// Like [`value_norms`], as the root of v (`W_O` `W_O`^T) v^T: much less work if `d_model` is much larger than
/// `d_head`. `None` if a norm would have a relative error above 1e-5.
fn norms_by_gram<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f32]>,
    values: Mat<'_>,
    w_o: Mat<'_>,
    d_head: usize,
) -> Option<Vec<f32>> {
    let gram = product(w_o, w_o.t(), d_head, d_head);
    let mapped = product(values, Mat::new(&gram, d_head, d_head), rows.len(), d_head);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let size = dot(&gram, &gram).sqrt();
    let norm = |(row, mapped): (&[f32], &[f32])| {
        let square = dot(row, mapped);
        (square >= LEAST_SHARE * size * dot(row, row)).then(|| square.sqrt())
    };
    rows.zip(mapped.chunks_exact(d_head)).map(norm).collect()
}

fn norms_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    rows.chunks_exact(width).map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_by_the_gram_matrix_equal_those_of_the_written_vectors_or_are_refused() {
        let (len, d_head, d_model) = (40, 16, 128);
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let values: Vec<f32> = (0..len * d_head).map(|_| noise()).collect();
        let w_o: Vec<f32> = (0..d_head * d_model).map(|_| noise()).collect();
        let norms = |values: &[f32], w_o: &[f32]| {
            let (v, w) = (Mat::new(values, len, d_head), Mat::new(w_o, d_head, d_model));
            let right = norms_of_rows(&product(v, w, len, d_model), d_model);
            (norms_by_gram(values.chunks_exact(d_head), v, w, d_head), right)
        };
        let (found, right) = norms(&values, &w_o);
        for (found, right) in found.expect("no row is hard").into_iter().zip(right) {
            assert!((found / right - 1.0).abs() < 1e-5, "{found} {right}");
        }
        // A value that W_O nearly maps to zero: the difference of two nearly equal rows of W_O.
        let mut flat = w_o.clone();
        (0..d_model).for_each(|at| flat[d_model + at] = flat[at] * 1.0001);
        let mut hidden = values.clone();
        hidden[..d_head].fill(0.0);
        (hidden[0], hidden[1]) = (1.0, -1.0);
        assert!(norms(&hidden, &flat).0.is_none());
        hidden[0] = f32::NAN;
        assert!(norms(&hidden, &w_o).0.is_none(), "NaN is not left out");
        assert!(
            norms(&values, &vec![0.0; w_o.len()]).0.is_some_and(|all| all.iter().all(|norm| *norm == 0.0))
        );
    }
}
