//! The sequences of a file, each with its own targets, under any rule.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Class, Facts, Rows, Shape, Targets, Task, Token, Vocabulary};

/// Targets that follow from the tokens of a file, instead of those that the file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetRule {
    /// The next token; none at the last position.
    NextToken,
}

impl TargetRule {
    /// The target at each position of a sequence.
    pub fn targets(self, tokens: &[Token]) -> Targets {
        let Self::NextToken = self;
        tokens.iter().skip(1).copied().map(Some).chain([None]).take(tokens.len()).collect()
    }
}

/// The sequences of a file.
#[derive(Debug, Default)]
pub struct Listing {
    /// Its name in headings.
    pub name: String,
    /// Each has at least one token.
    pub rows: Rows,
    /// The rule of the targets, if they follow from the tokens.
    pub rule: Option<TargetRule>,
    /// Whether each row is trained on; `None` if the file leaves the choice open.
    pub train: Option<Vec<bool>>,
    /// Names of the tokens; `None` for numbers.
    pub vocabulary: Option<Vec<String>>,
    /// Names of the classes; `None` for those of the tokens.
    pub outputs: Option<Vec<String>>,
}

/// A listing that does not fit a model or a request, or contradicts itself.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ListingError {
    /// No sequences.
    #[error("no sequence")]
    Empty,
    /// Longer than the model's context.
    #[error("sequence {index} has {len} tokens: the model takes 1 to {n_ctx}")]
    Length {
        /// Index of the sequence.
        index: usize,
        /// Its length.
        len: usize,
        /// Longest sequence of the model.
        n_ctx: usize,
    },
    /// A token or a class outside the model's vocabulary.
    #[error("sequence {index} has {what} {value} at position {position}: the model's are 0 to {}", len - 1)]
    Outside {
        /// Index of the sequence.
        index: usize,
        /// `token` or `target`.
        what: &'static str,
        /// The token or class.
        value: Token,
        /// The position.
        position: usize,
        /// Number of the model's tokens or classes.
        len: usize,
    },
    /// A wrong number of names for tokens or classes.
    #[error("{names} names in `{key}`: the model has {len}")]
    Names {
        /// `vocab` or `vocab_out`.
        key: &'static str,
        /// Number of names in the file.
        names: usize,
        /// Number of the model's tokens or classes.
        len: usize,
    },
    /// Padding that the model cannot run.
    #[error(
        "sequence {index} has no token at position {position}, in its padding, which the mean at each position is over"
    )]
    Padding {
        /// Index of the sequence.
        index: usize,
        /// The position.
        position: usize,
    },
    /// A number of sequences that differs from the setting.
    #[error("{found} sequences: task.sequences = {wanted}")]
    Sequences {
        /// In the file.
        found: usize,
        /// The setting.
        wanted: usize,
    },
    /// A side of the split that the file's own marks leave empty.
    #[error("`train` leaves no sequence to {0}")]
    Split(&'static str),
    /// No position with a target.
    #[error("no position to {0} has a target")]
    Unscored(&'static str),
}

impl Listing {
    /// Length of the longest sequence, smallest vocabulary and number of classes that hold everything in the file: by
    /// the names where there are any.
    pub fn shape(&self) -> Shape {
        const LEAST: usize = 2;
        let beyond = |all: &mut dyn Iterator<Item = Token>| all.max().map_or(0, |most| usize::from(most) + 1);
        let examples = || self.rows.examples();
        let named = |names: Option<&Vec<String>>| names.map(Vec::len);
        let d_vocab = named(self.vocabulary.as_ref())
            .unwrap_or_else(|| beyond(&mut examples().flat_map(|of| of.tokens().iter().copied())))
            .max(LEAST);
        let classes = || beyond(&mut examples().flat_map(|of| of.targets().iter().flatten().copied()));
        let d_vocab_out = match (named(self.outputs.as_ref()), self.rule) {
            (Some(len), _) => len,
            (None, Some(TargetRule::NextToken)) => d_vocab,
            // Classes are tokens unless there are names for tokens alone.
            (None, None) if self.vocabulary.is_some() => d_vocab.max(classes()),
            (None, None) => classes().max(LEAST),
        };
        let n_ctx = examples().map(|of| of.tokens().len()).max().unwrap_or(0);
        Shape { n_ctx, d_vocab, d_vocab_out }
    }

    /// The task of a model of this shape, with the rows that it knows.
    pub(super) fn into_task(self, shape: Shape) -> Result<(Arc<dyn Task>, Arc<Rows>), ListingError> {
        self.check(shape)?;
        let names =
            |names: Option<Vec<String>>, len| names.map_or(Vocabulary::Numbers(len), Vocabulary::Names);
        let rows = Arc::new(self.rows);
        let mut by_tokens: Vec<usize> = (0..rows.len()).collect();
        by_tokens.sort_by_key(|row| rows.example(*row).tokens());
        let outputs = names(self.outputs.or_else(|| self.vocabulary.clone()), shape.d_vocab_out);
        let facts =
            Facts { outputs, ..Facts::new(self.name, names(self.vocabulary, shape.d_vocab), shape.n_ctx) };
        let task: Arc<dyn Task> =
            Arc::new(Listed { facts, rule: self.rule, by_tokens, rows: Arc::clone(&rows) });
        Ok((task, rows))
    }

    fn check(&self, shape: Shape) -> Result<(), ListingError> {
        let Shape { n_ctx, d_vocab, d_vocab_out } = shape;
        if self.rows.is_empty() {
            return Err(ListingError::Empty);
        }
        for (index, example) in self.rows.examples().enumerate() {
            let len = example.tokens().len();
            if len == 0 || len > n_ctx {
                return Err(ListingError::Length { index, len, n_ctx });
            }
            let tokens = example.tokens().iter().copied().enumerate();
            let classes =
                example.targets().iter().enumerate().filter_map(|(at, class)| Some((at, (*class)?)));
            outside(index, "token", tokens, d_vocab)?;
            outside(index, "target", classes, d_vocab_out)?;
        }
        let outputs = self.outputs.as_ref().or(self.vocabulary.as_ref().filter(|_| d_vocab == d_vocab_out));
        let named = [("vocab", self.vocabulary.as_ref(), d_vocab), ("vocab_out", outputs, d_vocab_out)];
        for (key, names, len) in named {
            if let Some(names) = names.filter(|names| names.len() != len) {
                return Err(ListingError::Names { key, names: names.len(), len });
            }
        }
        Ok(())
    }
}

/// Rejects the first value that is not below `len`.
fn outside(
    index: usize,
    what: &'static str,
    mut values: impl Iterator<Item = (usize, Token)>,
    len: usize,
) -> Result<(), ListingError> {
    match values.find(|(_, value)| usize::from(*value) >= len) {
        Some((position, value)) => Err(ListingError::Outside { index, what, value, position, len }),
        None => Ok(()),
    }
}

#[derive(Debug)]
struct Listed {
    facts: Facts,
    rule: Option<TargetRule>,
    rows: Arc<Rows>,
    /// Rows in the order of their tokens; those with the same tokens in the order of the file.
    by_tokens: Vec<usize>,
}

impl Listed {
    /// The targets of the first row with these tokens.
    fn known(&self, tokens: &[Token]) -> Option<&[Option<Class>]> {
        let first = self.by_tokens.partition_point(|row| self.rows.example(*row).tokens() < tokens);
        let found = self.rows.example(*self.by_tokens.get(first)?);
        (found.tokens() == tokens).then(|| found.targets())
    }
}

impl Task for Listed {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        self.rows.example(random.gen_range(0..self.rows.len())).tokens().to_vec()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        match (self.rule, self.known(tokens)) {
            (Some(rule), _) => rule.targets(tokens),
            (None, Some(known)) => known.iter().copied().collect(),
            (None, None) => Targets::none(tokens.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut rows = Rows::default();
        rows.push(&[0, 1, 2], &[None, Some(1), Some(0)], 3);
        Listing {
            name: "own".into(),
            rows,
            vocabulary: Some(["a", "b", "c"].map(Into::into).into()),
            outputs: Some(["no", "yes"].map(Into::into).into()),
            ..Listing::default()
        }
    }

    #[test]
    fn a_model_for_a_file_has_its_names_or_else_its_largest_numbers() {
        assert_eq!(listing().shape(), Shape { n_ctx: 3, d_vocab: 3, d_vocab_out: 2 });
        let bare = Listing { vocabulary: None, outputs: None, ..listing() };
        assert_eq!(bare.shape(), Shape { n_ctx: 3, d_vocab: 3, d_vocab_out: 2 });
        assert_eq!(Listing { outputs: None, ..listing() }.shape().d_vocab_out, 3);
        assert_eq!(Listing { rule: Some(TargetRule::NextToken), ..bare }.shape().d_vocab_out, 3);
    }
}
