//! Which keys a query sees.

use serde::{Deserialize, Serialize};

use crate::task::Token;

/// Whether a query sees later keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionDirection {
    /// A query sees itself and earlier keys.
    #[default]
    Causal,
    /// A query sees all keys.
    Bidirectional,
}

impl AttentionDirection {
    /// End of the keys that `query` may see in a sequence of `len` tokens.
    pub fn end(self, query: usize, len: usize) -> usize {
        match self {
            Self::Causal => query + 1,
            Self::Bidirectional => len,
        }
    }
}

/// The keys that each query of a sequence sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisibleKeys {
    direction: AttentionDirection,
    /// Whether no query sees a key, `[pos]`; empty if there is no such key.
    hidden: Vec<bool>,
    len: usize,
}

impl VisibleKeys {
    /// The keys that are seen in a sequence; those of `pad_token` are hidden.
    pub fn new(direction: AttentionDirection, pad_token: Option<Token>, tokens: &[Token]) -> Self {
        let is_pad = |token: &Token| pad_token == Some(*token);
        let hidden = if tokens.iter().any(is_pad) { tokens.iter().map(is_pad).collect() } else { Vec::new() };
        Self { direction, hidden, len: tokens.len() }
    }

    /// Positions of the sequence.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the sequence is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// End of the keys that a query may see: all later ones are hidden.
    pub fn end(&self, query: usize) -> usize {
        self.direction.end(query, self.len)
    }

    /// Number of keys that a query sees.
    pub fn count(&self, query: usize) -> usize {
        if self.hidden.is_empty() { self.end(query) } else { self.of(query).count() }
    }

    /// Whether a query sees a key.
    pub fn sees(&self, query: usize, key: usize) -> bool {
        key < self.end(query) && !self.hidden.get(key).is_some_and(|hidden| *hidden)
    }

    /// The keys that a query sees.
    pub fn of(&self, query: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.end(query)).filter(move |&key| self.sees(query, key))
    }

    /// Sets the cells of hidden keys in a row of every query, `[query, key]`, to `value`. Later keys of a causal model
    /// are left alone.
    pub(super) fn fill_hidden(&self, rows: &mut [f32], value: f32) {
        if self.hidden.is_empty() {
            return;
        }
        for row in rows.chunks_exact_mut(self.len) {
            let hidden = row.iter_mut().zip(&self.hidden).filter(|(_, hidden)| **hidden);
            hidden.for_each(|(cell, _)| *cell = value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(direction: AttentionDirection, pad_token: Option<Token>, query: usize) -> Vec<usize> {
        VisibleKeys::new(direction, pad_token, &[7, 2, 7, 5]).of(query).collect()
    }

    #[test]
    fn a_query_sees_what_its_direction_and_padding_leave() {
        use AttentionDirection::{Bidirectional, Causal};
        assert_eq!(seen(Causal, None, 2), [0, 1, 2]);
        assert_eq!(seen(Causal, Some(7), 2), [1]);
        assert!(seen(Causal, Some(7), 0).is_empty());
        assert_eq!(seen(Bidirectional, None, 0), [0, 1, 2, 3]);
        assert_eq!(seen(Bidirectional, Some(7), 0), [1, 3]);
        assert_eq!(seen(Causal, Some(9), 3), [0, 1, 2, 3]);
    }

    #[test]
    fn cells_of_hidden_keys_are_filled_in_every_row() {
        let mut rows = vec![1.0; 16];
        VisibleKeys::new(AttentionDirection::Causal, Some(7), &[7, 2, 7, 5]).fill_hidden(&mut rows, 0.0);
        assert_eq!(rows, [0.0, 1.0, 0.0, 1.0].repeat(4));
        VisibleKeys::new(AttentionDirection::Causal, None, &[7, 2, 7, 5]).fill_hidden(&mut rows, 3.0);
        assert_eq!(rows, [0.0, 1.0, 0.0, 1.0].repeat(4));
    }
}
