//! A task without targets: weights are explored without knowing their training task.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Facts, Shape, Targets, Task, Token, Vocabulary};

/// Name of a task without targets.
pub const UNLABELLED: &str = "no task";

#[derive(Debug)]
struct Unlabelled {
    facts: Facts,
}

/// Uniform random tokens for a model of this shape, none of them scored.
pub fn unlabelled(shape: Shape) -> Arc<dyn Task> {
    unlabelled_named(shape, [None, None])
}

/// The same with names of tokens and of classes, where there are as many as the model has.
pub fn unlabelled_named(shape: Shape, [tokens, classes]: [Option<Vec<String>>; 2]) -> Arc<dyn Task> {
    let of = |names: Option<Vec<String>>, len: usize| {
        names.filter(|names| names.len() == len).map_or(Vocabulary::Numbers(len), Vocabulary::Names)
    };
    let (vocabulary, outputs) = (of(tokens, shape.d_vocab), of(classes, shape.d_vocab_out));
    let facts = Facts { outputs, ..Facts::new(UNLABELLED, vocabulary, shape.n_ctx) };
    Arc::new(Unlabelled { facts })
}

impl Task for Unlabelled {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        (0..self.facts.n_ctx).map(|_| random.gen_range(0..self.facts.vocabulary.len()) as Token).collect()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        Targets::none(tokens.len())
    }
}
