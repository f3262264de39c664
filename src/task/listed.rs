//! The sequences of a file, each with its own targets, under any rule.

use std::collections::HashMap;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use super::{Class, Dataset, Shape, Targets, Task, Token, Vocabulary};

/// The sequences of a file.
#[derive(Debug, Default)]
pub struct Listing {
    /// Its name in headings.
    pub name: String,
    /// Each has at least one token.
    pub sequences: Vec<Vec<Token>>,
    /// The class at each position; `None` if the file has no targets.
    pub targets: Option<Vec<Vec<Option<Class>>>>,
    /// Names of the tokens; `None` for numbers.
    pub vocabulary: Option<Vec<String>>,
    /// Names of the classes; `None` for those of the tokens.
    pub outputs: Option<Vec<String>>,
}

/// A listing that does not fit a model, or contradicts itself.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ListingError {
    /// No sequences.
    #[error("no sequence")]
    Empty,
    /// Longer than the model's context, or empty.
    #[error("sequence {index} has {len} tokens: the model takes 1 to {n_ctx}")]
    Length {
        /// Index of the sequence.
        index: usize,
        /// Its length.
        len: usize,
        /// Longest sequence of the model.
        n_ctx: usize,
    },
    /// A token outside the model's vocabulary.
    #[error("sequence {index} has token {token}: the model's are 0 to {}", d_vocab - 1)]
    Token {
        /// Index of the sequence.
        index: usize,
        /// The token.
        token: Token,
        /// Number of the model's tokens.
        d_vocab: usize,
    },
    /// A wrong number of targets, or a class that the model does not have.
    #[error("the targets of sequence {index}: {problem}")]
    Targets {
        /// Index of the sequence.
        index: usize,
        /// The problem.
        problem: String,
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
}

impl Listing {
    /// All sequences as a validation set for a model of this shape. A typed sequence has the targets of the first
    /// listed sequence with the same tokens.
    ///
    /// # Errors
    /// Names the sequence and the problem.
    pub fn dataset(self, shape: Shape) -> Result<Dataset, ListingError> {
        self.check(shape)?;
        let names =
            |names: Option<Vec<String>>, len| names.map_or(Vocabulary::Numbers(len), Vocabulary::Names);
        let targets = self.targets.unwrap_or_default();
        let mut known = HashMap::new();
        for (tokens, targets) in self.sequences.iter().zip(&targets).rev() {
            known.insert(tokens.clone(), targets.clone());
        }
        let task: Arc<dyn Task> = Arc::new(Listed {
            name: self.name,
            n_ctx: shape.n_ctx,
            outputs: names(self.outputs.or_else(|| self.vocabulary.clone()), shape.d_vocab_out),
            vocabulary: names(self.vocabulary, shape.d_vocab),
            sequences: self.sequences.clone(),
            known,
        });
        Ok(Dataset::from_sequences(task, &self.sequences).with_targets(&targets))
    }

    fn check(&self, shape: Shape) -> Result<(), ListingError> {
        let Shape { n_ctx, d_vocab, d_vocab_out } = shape;
        if self.sequences.is_empty() {
            return Err(ListingError::Empty);
        }
        for (index, tokens) in self.sequences.iter().enumerate() {
            let len = tokens.len();
            if len == 0 || len > n_ctx {
                return Err(ListingError::Length { index, len, n_ctx });
            }
            if let Some(&token) = tokens.iter().find(|token| usize::from(**token) >= d_vocab) {
                return Err(ListingError::Token { index, token, d_vocab });
            }
            let Some(targets) = self.targets.as_ref().and_then(|targets| targets.get(index)) else {
                continue;
            };
            let refuse = |problem| Err(ListingError::Targets { index, problem });
            if targets.len() != len {
                return refuse(format!("{} for {len} tokens", targets.len()));
            }
            if let Some(class) = targets.iter().flatten().find(|class| usize::from(**class) >= d_vocab_out) {
                return refuse(format!("class {class}: the model's are 0 to {}", d_vocab_out - 1));
            }
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

#[derive(Debug)]
struct Listed {
    name: String,
    n_ctx: usize,
    vocabulary: Vocabulary,
    outputs: Vocabulary,
    sequences: Vec<Vec<Token>>,
    known: HashMap<Vec<Token>, Vec<Option<Class>>>,
}

impl Task for Listed {
    fn name(&self) -> &str {
        &self.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn outputs(&self) -> &Vocabulary {
        &self.outputs
    }

    fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        self.sequences[random.gen_range(0..self.sequences.len())].clone()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        self.known
            .get(tokens)
            .map_or_else(|| Targets::none(tokens.len()), |targets| targets.iter().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Split;

    const SHAPE: Shape = Shape { n_ctx: 4, d_vocab: 3, d_vocab_out: 2 };

    fn listing() -> Listing {
        Listing {
            name: "own".into(),
            sequences: vec![vec![0, 1, 2], vec![2], vec![2]],
            targets: Some(vec![vec![None, Some(1), Some(0)], vec![Some(1)], vec![Some(0)]]),
            vocabulary: Some(["a", "b", "c"].map(Into::into).into()),
            outputs: Some(["no", "yes"].map(Into::into).into()),
        }
    }

    #[test]
    fn every_sequence_has_its_own_targets_and_a_typed_one_has_those_of_the_first() {
        let data = listing().dataset(SHAPE).unwrap();
        assert_eq!((data.len(Split::Train), data.len(Split::Validation)), (0, 3));
        assert_eq!(data.example(Split::Validation, 0).targets(), [None, Some(1), Some(0)]);
        assert_eq!(data.example(Split::Validation, 2).targets(), [Some(0)]);
        assert_eq!(data.task().targets(&[2])[..], [Some(1)]);
        assert_eq!(data.task().targets(&[1, 1])[..], [None, None], "not in the file");
        assert_eq!(
            (data.task().vocabulary().name(2), data.task().outputs().name(1)),
            ("c".into(), "yes".into())
        );
    }

    #[test]
    fn without_targets_nothing_is_scored() {
        let data = Listing { targets: None, ..listing() }.dataset(SHAPE).unwrap();
        assert!(data.examples(Split::Validation).iter().all(|example| example.scored() == 0));
    }

    #[test]
    fn sequences_that_do_not_fit_the_model_are_named() {
        let refused = |listing: Listing| listing.dataset(SHAPE).unwrap_err().to_string();
        assert_eq!(refused(Listing { sequences: vec![], ..listing() }), "no sequence");
        let long = Listing { sequences: vec![vec![0; 5]], targets: None, ..listing() };
        assert_eq!(refused(long), "sequence 0 has 5 tokens: the model takes 1 to 4");
        let token = Listing { sequences: vec![vec![0], vec![3]], targets: None, ..listing() };
        assert_eq!(refused(token), "sequence 1 has token 3: the model's are 0 to 2");
        let class = Listing { sequences: vec![vec![0]], targets: Some(vec![vec![Some(2)]]), ..listing() };
        assert_eq!(refused(class), "the targets of sequence 0: class 2: the model's are 0 to 1");
        let short = Listing { sequences: vec![vec![0, 1]], targets: Some(vec![vec![None]]), ..listing() };
        assert_eq!(refused(short), "the targets of sequence 0: 1 for 2 tokens");
        let names = Listing { outputs: Some(vec!["one".into()]), ..listing() };
        assert_eq!(refused(names), "1 names in `vocab_out`: the model has 2");
    }
}
