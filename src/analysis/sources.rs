//! What each position adds to a target through a head: the head's direct logit attribution, split by source.

use super::readout::{Readout, product};
use super::target::ResolvedTarget;
use crate::model::{Activations, HeadId, Mat, Weights};

/// Attention times `v W_O` of the key, mapped to the query's target as a component's output is, `[query, key]`. `v` includes
/// `b_V`: a row sums to the head's contribution. `targets` has one entry per query; `readout` is of the same weights.
pub fn source_contributions(
    weights: &Weights,
    readout: &Readout,
    from: &Activations,
    id: HeadId,
    targets: &[ResolvedTarget],
) -> Vec<f32> {
    let (c, len) = (weights.config(), from.len);
    let mut distinct: Vec<ResolvedTarget> = Vec::new();
    let of_query = targets.iter().map(|target| {
        let known = distinct.iter().position(|one| one == target);
        known.unwrap_or_else(|| {
            distinct.push(*target);
            distinct.len() - 1
        })
    });
    let of_query: Vec<usize> = of_query.collect();
    let directions: Vec<f32> = distinct.iter().flat_map(|target| readout.direction(*target)).collect();
    let w_o = &weights.part(&weights.layout.blocks[id.layer].attn.w_o)[id.head * c.d_head * c.d_model..];
    let by_value = product(
        Mat::new(w_o, c.d_head, c.d_model),
        Mat::new(&directions, distinct.len(), c.d_model).t(),
        c.d_head,
        distinct.len(),
    );
    let attn = &from.blocks[id.layer].attn;
    let values = &attn.qkv[2 * c.d_heads() + id.head * c.d_head..];
    let values = Mat::strided(values, len, c.d_head, 3 * c.d_heads());
    let by_key = product(values, Mat::new(&by_value, c.d_head, distinct.len()), len, distinct.len());
    let pattern = &attn.pattern[id.head * len * len..][..len * len];
    let cell = |(cell, attention): (usize, &f32)| {
        let (query, key) = (cell / len, cell % len);
        attention * by_key[key * distinct.len() + of_query[query]] / readout.scale(from, query)
    };
    pattern.iter().enumerate().map(cell).collect()
}
