//! A labelled set of sequences, drawn from a seed and split into training and validation.

use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Token, majority};
use crate::random::{Purpose, stream};

/// How much data there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatasetConfig {
    /// Sequences in all.
    pub sequences: usize,
    /// The share of them that is trained on (rounded down); the rest validates.
    pub train_fraction: f64,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self { sequences: 2048, train_fraction: 0.8 }
    }
}

/// Settings that make no data set.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// Too few or too many sequences.
    #[error("task.sequences = {0}: must be from 2 to 10000000")]
    Sequences(usize),
    /// One side of the split would be empty.
    #[error(
        "task.train_fraction = {fraction}: leaves {train} of {sequences} sequences to train on; both sides need one"
    )]
    Fraction {
        /// The setting.
        fraction: f64,
        /// The sequences it leaves for training.
        train: usize,
        /// The sequences in all.
        sequences: usize,
    },
}

impl DatasetConfig {
    /// How many sequences are trained on: the notebook's 1638 of 2048.
    pub fn train_len(&self) -> usize {
        (self.sequences as f64 * self.train_fraction) as usize
    }

    /// Refuses settings that leave a side of the split empty.
    ///
    /// # Errors
    /// Names the setting and its value.
    pub fn validate(&self) -> Result<(), DatasetError> {
        if !(2..=10_000_000).contains(&self.sequences) {
            return Err(DatasetError::Sequences(self.sequences));
        }
        let train = self.train_len();
        if !self.train_fraction.is_finite() || train == 0 || train >= self.sequences {
            let (fraction, sequences) = (self.train_fraction, self.sequences);
            return Err(DatasetError::Fraction { fraction, train, sequences });
        }
        Ok(())
    }
}

/// Which part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Trained on.
    Train,
    /// Held out.
    Validation,
}

/// One sequence with the label of each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example<'a> {
    /// `[pos]`.
    pub tokens: &'a [Token],
    /// `[pos]`.
    pub labels: &'a [Token],
}

/// All sequences of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    n_ctx: usize,
    train: usize,
    tokens: Vec<Token>,
    labels: Vec<Token>,
}

impl Dataset {
    /// Draws `config.sequences` sequences of `n_ctx` uniform tokens. `config` must be valid, `d_vocab` and `n_ctx` positive.
    pub fn generate(config: &DatasetConfig, n_ctx: usize, d_vocab: usize, seed: u64) -> Self {
        let (tokens, labels): (Vec<_>, Vec<_>) = (0..config.sequences as u64)
            .into_par_iter()
            .map(|index| {
                let tokens = sequence(seed, Purpose::Data, index, n_ctx, d_vocab);
                let labels = majority::labels(&tokens, d_vocab);
                (tokens, labels)
            })
            .unzip();
        Self { n_ctx, train: config.train_len(), tokens: tokens.concat(), labels: labels.concat() }
    }

    /// A validation set alone, of the sequences given (each `n_ctx` long); labels are the task's.
    pub fn from_sequences(tokens: Vec<Token>, n_ctx: usize, d_vocab: usize) -> Self {
        let labels = tokens.chunks(n_ctx).flat_map(|t| majority::labels(t, d_vocab)).collect();
        Self { n_ctx, train: 0, tokens, labels }
    }

    /// Tokens in a sequence.
    pub fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    /// Sequences in a split.
    pub fn len(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Validation => self.tokens.len() / self.n_ctx - self.train,
        }
    }

    /// Sequence `index` of a split. Panics when there is no such sequence.
    pub fn example(&self, split: Split, index: usize) -> Example<'_> {
        assert!(index < self.len(split), "sequence {index} of {}", self.len(split));
        let first = if split == Split::Train { 0 } else { self.train };
        let range = (first + index) * self.n_ctx..(first + index + 1) * self.n_ctx;
        Example { tokens: &self.tokens[range.clone()], labels: &self.labels[range] }
    }

    /// Every sequence of a split, in order.
    pub fn examples(&self, split: Split) -> Vec<Example<'_>> {
        (0..self.len(split)).map(|index| self.example(split, index)).collect()
    }
}

/// Uniform random tokens of one stream.
pub fn sequence(seed: u64, purpose: Purpose, index: u64, n_ctx: usize, d_vocab: usize) -> Vec<Token> {
    let mut random = stream(seed, purpose, index);
    (0..n_ctx).map(|_| random.gen_range(0..d_vocab) as Token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_split_is_the_notebooks() {
        let data = Dataset::generate(&DatasetConfig::default(), 16, 10, 23);
        assert_eq!((data.len(Split::Train), data.len(Split::Validation)), (1638, 410));
    }

    #[test]
    fn the_same_seed_gives_the_same_data_and_another_seed_other_data() {
        let config = DatasetConfig { sequences: 20, train_fraction: 0.5 };
        let data = |seed| Dataset::generate(&config, 32, 10, seed);
        assert_eq!(data(1), data(1));
        assert_ne!(data(1), data(2));
    }

    #[test]
    fn tokens_are_uniform_over_the_vocabulary() {
        let data = Dataset::generate(&DatasetConfig::default(), 128, 10, 7);
        for digit in 0..10 {
            let share = data.tokens.iter().filter(|&&t| t == digit).count() as f64 / data.tokens.len() as f64;
            assert!((share - 0.1).abs() < 0.005, "{digit}: {share}");
        }
    }

    #[test]
    fn an_empty_side_of_the_split_is_refused_by_name() {
        let error = DatasetConfig { sequences: 10, train_fraction: 1.0 }.validate().unwrap_err().to_string();
        assert!(error.contains("task.train_fraction = 1") && error.contains("10 of 10"), "{error}");
    }
}
