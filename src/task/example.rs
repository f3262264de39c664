//! A sequence with what is right at each of its positions.

use std::ops::Deref;

use super::Token;

/// One of the answers that a model chooses from: an index into the output vocabulary.
pub type Class = Token;

/// The right class at each position, `[pos]`; a position without one is not scored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(Vec<Option<Class>>);

impl Targets {
    /// Of so many positions, none of which is scored.
    pub fn none(len: usize) -> Self {
        Self(vec![None; len])
    }
}

impl FromIterator<Option<Class>> for Targets {
    fn from_iter<I: IntoIterator<Item = Option<Class>>>(targets: I) -> Self {
        Self(targets.into_iter().collect())
    }
}

impl FromIterator<Class> for Targets {
    fn from_iter<I: IntoIterator<Item = Class>>(targets: I) -> Self {
        targets.into_iter().map(Some).collect()
    }
}

impl Deref for Targets {
    type Target = [Option<Class>];

    fn deref(&self) -> &[Option<Class>] {
        &self.0
    }
}

/// A sequence and its targets: as many of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example<'a> {
    tokens: &'a [Token],
    targets: &'a [Option<Class>],
}

impl<'a> Example<'a> {
    /// Panics when there are not as many targets as tokens.
    pub fn new(tokens: &'a [Token], targets: &'a [Option<Class>]) -> Self {
        assert_eq!(tokens.len(), targets.len(), "a target, or none, for each token");
        Self { tokens, targets }
    }

    /// `[pos]`.
    pub fn tokens(&self) -> &'a [Token] {
        self.tokens
    }

    /// `[pos]`.
    pub fn targets(&self) -> &'a [Option<Class>] {
        self.targets
    }

    /// Positions that are scored.
    pub fn scored(&self) -> usize {
        self.targets.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a target, or none, for each token")]
    fn targets_shorter_than_the_sequence_are_refused() {
        Example::new(&[1, 2, 3], &[Some(1), None]);
    }
}
