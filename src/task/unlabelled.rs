//! A task without targets: weights are explored without knowing their training task.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Shape, Targets, Task, Token, Vocabulary};

/// Name of a task without targets.
pub const UNLABELLED: &str = "no task";

#[derive(Debug)]
struct Unlabelled {
    n_ctx: usize,
    vocabulary: Vocabulary,
    outputs: Vocabulary,
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
    Arc::new(Unlabelled { n_ctx: shape.n_ctx, vocabulary, outputs })
}

impl Task for Unlabelled {
    fn name(&self) -> &'static str {
        UNLABELLED
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
        (0..self.n_ctx).map(|_| random.gen_range(0..self.vocabulary.len()) as Token).collect()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        Targets::none(tokens.len())
    }
}
