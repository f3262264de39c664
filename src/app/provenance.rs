//! What the numbers of a view are of.

/// What the numbers of a view are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The run, all its steps.
    Training,
    /// The sequence in view.
    Sequence,
    /// The weights alone, folded.
    Weights,
}
