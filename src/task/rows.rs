//! Sequences with their targets, one after another in memory.

use super::{Class, Example, Token};

/// Sequences with their targets. A row may end in padding, which is no part of its sequence.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    tokens: Vec<Token>,
    /// One or none per token.
    targets: Vec<Option<Class>>,
    /// The start of each row, and the length of its sequence.
    spans: Vec<(usize, usize)>,
}

impl Rows {
    /// Bytes of this many rows of `width` tokens, as a type that cannot overflow.
    pub fn approximate_bytes(rows: usize, width: usize) -> u128 {
        let cell = (size_of::<Token>() + size_of::<Option<Class>>()) as u128;
        rows as u128 * (width as u128 * cell + size_of::<(usize, usize)>() as u128)
    }

    /// No rows, with space for this many of `width` tokens.
    pub fn with_space(rows: usize, width: usize) -> Self {
        let (tokens, targets) = (Vec::with_capacity(rows * width), Vec::with_capacity(rows * width));
        Self { tokens, targets, spans: Vec::with_capacity(rows) }
    }

    /// Adds a row whose first `len` tokens are the sequence. Panics unless there is one target or none per token.
    pub fn push(&mut self, tokens: &[Token], targets: &[Option<Class>], len: usize) {
        assert!(tokens.len() == targets.len() && len <= tokens.len(), "a target, or none, for each token");
        self.spans.push((self.tokens.len(), len));
        self.tokens.extend(tokens);
        self.targets.extend(targets);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The sequence of a row, which must exist.
    pub fn example(&self, row: usize) -> Example<'_> {
        let (start, len) = self.spans[row];
        Example::new(&self.tokens[start..start + len], &self.targets[start..start + len])
    }

    /// All tokens of a row, with its padding.
    pub fn padded(&self, row: usize) -> &[Token] {
        let end = self.spans.get(row + 1).map_or(self.tokens.len(), |(start, _)| *start);
        &self.tokens[self.spans[row].0..end]
    }

    /// Every sequence, in order.
    pub fn examples(&self) -> impl Iterator<Item = Example<'_>> {
        (0..self.len()).map(|row| self.example(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_belongs_to_a_row_and_not_to_its_sequence() {
        let mut rows = Rows::with_space(2, 3);
        rows.push(&[1, 2, 9], &[Some(1), None, None], 2);
        rows.push(&[3], &[None], 1);
        assert_eq!((rows.example(0).tokens(), rows.padded(0)), (&[1, 2][..], &[1, 2, 9][..]));
        assert_eq!(rows.example(0).targets(), [Some(1), None]);
        assert_eq!((rows.example(1).tokens(), rows.padded(1), rows.len()), (&[3][..], &[3][..], 2));
    }
}
