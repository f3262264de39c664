//! Composition of heads of two layers: how much of what an earlier head writes a later one reads (Elhage et al. 2021).
//!
//! Everything goes through products of `d_head` by `d_head`: for `A = P Q` and `B = R S` of that rank,
//! `|A B|^2 = tr(P^T P (Q R) S S^T (Q R)^T)`.

use rand_distr::{Distribution, StandardNormal};

use super::circuits::Head;
use super::readout::product;
use crate::model::{HeadId, Mat, ModelConfig, Weights};
use crate::random::{Purpose, stream};

/// Random pairs to compare with.
const RANDOM: u64 = 200;

/// What the later head reads through, in the order of the scores.
pub const INTO: [&str; 3] = ["Q", "K", "V"];

/// A matrix `[d_model, d_model]` by its factors, `[d_model, d_head]` and `[d_head, d_model]`, and their Gram matrices,
/// `[d_head, d_head]`.
struct Factors<'a> {
    left: Mat<'a>,
    right: Mat<'a>,
    grams: [Vec<f32>; 2],
    norm: f64,
}

impl<'a> Factors<'a> {
    fn new(c: &ModelConfig, left: Mat<'a>, right: Mat<'a>) -> Self {
        let grams =
            [product(left.t(), left, c.d_head, c.d_head), product(right, right.t(), c.d_head, c.d_head)];
        let norm = dot(&grams[0], &grams[1]).max(0.0).sqrt();
        Self { left, right, grams, norm }
    }

    /// `|A B| / (|A| |B|)`, of Frobenius norms; 0 if one is 0.
    fn score(&self, c: &ModelConfig, b: &Self) -> f64 {
        let width = c.d_head;
        let middle = product(self.right, b.left, width, width);
        let mat = |x| Mat::new(x, width, width);
        let half = product(mat(&self.grams[0]), mat(&middle), width, width);
        let other = product(mat(&middle), mat(&b.grams[1]), width, width);
        let norms = self.norm * b.norm;
        if norms == 0.0 { 0.0 } else { dot(&half, &other).max(0.0).sqrt() / norms }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Composition scores of each earlier head with a later one through its queries, keys and values: by earlier head, in the
/// order of the layers. Elhage et al. 2021, as TransformerLens' `all_composition_scores`.
pub fn into_head(weights: &Weights, later: HeadId) -> Vec<[f64; 3]> {
    let c = weights.config();
    let [query, key, value, out] = matrices(weights, later);
    let readers = [(query, key.t()), (key, query.t()), (value, out)];
    let readers = readers.map(|(left, right)| Factors::new(c, left, right));
    let score = |earlier| {
        let [_, _, value, out] = matrices(weights, earlier);
        let written = Factors::new(c, value, out);
        [0, 1, 2].map(|into| written.score(c, &readers[into]))
    };
    c.heads().filter(|id| id.layer < later.layer).map(score).collect()
}

/// `W_Q`, `W_K` and `W_V`, `[d_model, d_head]` each, and `W_O`, `[d_head, d_model]`.
fn matrices(weights: &Weights, id: HeadId) -> [Mat<'_>; 4] {
    let head = Head { weights, id };
    [head.reads(0), head.reads(1), head.reads(2), head.writes()]
}

/// Scores of pairs of products of random normal factors of the heads' shapes, in rising order.
pub fn of_random(c: &ModelConfig) -> Vec<f64> {
    let values = c.d_model * c.d_head;
    let score = |index| {
        let random: Vec<f32> =
            StandardNormal.sample_iter(stream(0, Purpose::Composition, index)).take(4 * values).collect();
        let part = |at: usize| &random[at * values..(at + 1) * values];
        let (tall, wide) =
            (|at| Mat::new(part(at), c.d_model, c.d_head), |at| Mat::new(part(at), c.d_head, c.d_model));
        Factors::new(c, tall(0), wide(1)).score(c, &Factors::new(c, tall(2), wide(3)))
    };
    let mut scores: Vec<f64> = (0..RANDOM).map(score).collect();
    scores.sort_by(f64::total_cmp);
    scores
}
