//! Copying scores beside those of permuted tokens, and the eigenvalues behind them.

use rand::seq::SliceRandom;

use super::circuits::{Head, can_copy, eigenvalues, score_of};
use super::readout::product;
use crate::model::{HeadId, Mat, Weights};
use crate::random::{Purpose, stream};

/// Permutations of the tokens.
const PERMUTATIONS: u64 = 100;

/// Eigenvalues of a head's map from tokens to logits, and its copying scores with permuted tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Copying {
    /// Real and imaginary parts, largest absolute value first; those that are 0 for lack of rank are left out.
    pub eigenvalues: Vec<[f32; 2]>,
    /// The score of each permutation.
    pub permuted: Vec<f64>,
}

impl Copying {
    /// Of a head of folded weights, which must exist; `None` if the model has no copying scores, or the decomposition does
    /// not converge.
    pub fn new(weights: &Weights, id: HeadId) -> Option<Self> {
        let c = weights.config();
        if !can_copy(c) {
            return None;
        }
        let head = Head { weights, id };
        let (values, to_logits) = (head.values(), head.to_logits());
        // AB and BA have the same non-zero eigenvalues; this order gives the smaller matrix.
        let of_values = |values: &[f32]| {
            let out = Mat::new(&to_logits, c.d_vocab, c.d_head).t();
            let around = product(out, Mat::new(values, c.d_vocab, c.d_head), c.d_head, c.d_head);
            eigenvalues(&around, c.d_head)
        };
        let mut found = of_values(&values)?;
        found.sort_by(|a, b| b[0].hypot(b[1]).total_cmp(&a[0].hypot(a[1])));
        found.truncate(c.d_vocab);
        let permuted = (0..PERMUTATIONS).filter_map(|index| {
            let mut order: Vec<usize> = (0..c.d_vocab).collect();
            order.shuffle(&mut stream(0, Purpose::Permutation, index));
            let row = |at: &usize| &values[at * c.d_head..(at + 1) * c.d_head];
            let rows: Vec<f32> = order.iter().flat_map(row).copied().collect();
            of_values(&rows).map(|found| f64::from(score_of(&found)))
        });
        Some(Self { eigenvalues: found, permuted: permuted.collect() })
    }

    /// The copying score.
    pub fn score(&self) -> f64 {
        score_of(&self.eigenvalues).into()
    }
}
