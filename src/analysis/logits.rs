//! A row of logits, `[d_vocab_out]`: its largest value and its normaliser.

use crate::task::Class;

/// Index of the largest value; of equal values, the first.
pub fn argmax(row: &[f32]) -> Class {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best as Class
}

/// The class of the largest logit, `[d_vocab_out]`; `None` if any is NaN.
pub fn prediction(logits: &[f32]) -> Option<Class> {
    (!logits.iter().any(|logit| logit.is_nan())).then(|| argmax(logits))
}

/// log of the sum of exponentials, without overflow.
pub fn log_sum_exp(row: &[f32]) -> f32 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    largest + row.iter().map(|x| (x - largest).exp()).sum::<f32>().ln()
}

/// The mean of a row.
pub fn mean(row: &[f32]) -> f32 {
    row.iter().sum::<f32>() / row.len() as f32
}
