//! A sequence with its targets.

use std::ops::Deref;

use super::Token;

/// A class that the model can predict: an index into the output vocabulary.
pub type Class = Token;

/// The right class at each position, `[pos]`; a position without one is not scored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets(Vec<Option<Class>>);

impl Targets {
    /// Targets for `len` positions, none of them scored.
    pub fn none(len: usize) -> Self {
        Self(vec![None; len])
    }

    /// Targets for `len` positions: only `position` may be scored.
    pub fn only(len: usize, position: usize, target: Option<Class>) -> Self {
        (0..len).map(|at| target.filter(|_| at == position)).collect()
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

/// A sequence and its targets, one or none per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example<'a> {
    tokens: &'a [Token],
    targets: &'a [Option<Class>],
}

impl<'a> Example<'a> {
    /// Panics unless there is one target or none per token.
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

    /// Number of scored positions.
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
