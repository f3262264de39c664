//! Settings that cannot be run.

use thiserror::Error;

use crate::model::ConfigError;
use crate::task::TaskError;

/// Largest data set in tokens: a larger one would take gigabytes.
pub(super) const MAX_TOKENS: usize = 1 << 28;

/// Settings that cannot be run.
#[derive(Debug, Error)]
pub enum RunConfigError {
    /// Not TOML, an unknown key, a value of another kind.
    #[error("{problem}")]
    Text {
        /// What is wrong, in one line.
        problem: String,
        /// Line and column, from 1.
        at: Option<(usize, usize)>,
    },
    /// The model's part.
    #[error(transparent)]
    Model(#[from] ConfigError),
    /// The task's part.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Each value alone is valid, but not both together.
    #[error(
        "task.sequences = {sequences} of model.n_ctx = {n_ctx} tokens each: more than {MAX_TOKENS} in all"
    )]
    TooMuchData {
        /// Sequences.
        sequences: usize,
        /// Tokens in each.
        n_ctx: usize,
    },
    /// A number out of range.
    #[error("train.{field} = {value}: must be {range}")]
    Range {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The valid range.
        range: &'static str,
    },
    /// Settings that do not go together.
    #[error("train.{field} = {value}: {problem}")]
    Unsuited {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What does not fit.
        problem: String,
    },
}
