//! What the model is trained to do: data from a seed, labels, token names.

mod dataset;
pub mod majority;

pub use dataset::{Dataset, DatasetConfig, DatasetError, Example, Split, sequence};

/// One symbol of the vocabulary.
pub type Token = u16;
