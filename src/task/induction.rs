//! Repeated random tokens (TransformerLens' `Realtime_Training_Telemetry_Demo`).
//!
//! Random tokens, and the same once more. The length varies, or positions alone would tell which token comes next.
//! Positions are `shortformer`: queries and keys read them, values do not. With positions in the residual stream a model
//! of this size also solves the task, in TransformerLens too, but without induction heads: layer 0 collects the tokens of
//! a window of positions, and layer 1 finds the distance of the repetition.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "induction",
    question: "which token comes next, if the sequence repeats itself?",
    rule: "at each position but the last: the next token",
    published: "a previous-token head in layer 0, an induction head in layer 1 (score > .4); one layer cannot",
    time: "30 s",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(Induction::new(shape)),
};

const TOUR: &str = "\
2          a head of layer 0 attends to the token before: its `pre` is high; . for the next head
. .        a head of layer 1 attends to the token after an earlier occurrence of this one: its `ind` is high
Down       down the queries, these form a stripe: each strongest key is the answer to its query
space 6    without the head the loss rises where the sequence repeats itself; u switches it on again";

const RECIPE: &str = r#"
[model]
n_layers = 2
n_heads = 2
d_model = 64
d_head = 32
d_mlp = 256
n_ctx = 32
positional_embedding_type = "shortformer"
d_vocab = 64
act_fn = "gelu"
[task]
source = "fresh"
sequences = 2560
train_fraction = 0.625
[train]
steps = 6000
batch_size = 16
max_lr = 0.001
schedule = "constant"
weight_decay = 0.0001
checkpoint_every = 500
"#;

#[derive(Debug)]
struct Induction {
    /// The longest half.
    half: usize,
    facts: Facts,
}

impl Induction {
    fn new(shape: Shape) -> Self {
        let half = (shape.n_ctx / 2).max(1);
        let facts = Facts {
            features: &FEATURES,
            situations: &SITUATIONS,
            ..Facts::new(DEFINITION.name, Vocabulary::Numbers(shape.d_vocab), 2 * half)
        };
        Self { half, facts }
    }
}

impl Task for Induction {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let half = random.gen_range(self.half.min(2)..=self.half);
        let tokens: Vec<Token> =
            (0..half).map(|_| random.gen_range(0..self.facts.vocabulary.len()) as Token).collect();
        tokens.repeat(2)
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let next = tokens.iter().skip(1).copied().map(Some);
        next.chain([None]).take(tokens.len()).collect()
    }
}

const FEATURES: [Feature; 4] = [
    Feature::new("followed before", "followed", "followed_before", followed_before),
    Feature::new("previous", "previous", "previous", previous),
    Feature::new("current", "current", "current", current),
    Feature::new("seen", "seen", "seen", seen),
];

fn flags(len: usize, flag: impl Fn(usize) -> bool) -> Vec<f32> {
    (0..len).map(|at| f32::from(u8::from(flag(at)))).collect()
}

/// Whether the class came after the last earlier occurrence of the current token.
fn followed_before(tokens: &[Token], class: Class) -> Vec<f32> {
    let before = |at: usize| tokens[..at].iter().rposition(|token| *token == tokens[at]);
    flags(tokens.len(), |at| before(at).is_some_and(|earlier| tokens[earlier + 1] == class))
}

/// Whether the token before the current one is the class.
fn previous(tokens: &[Token], class: Class) -> Vec<f32> {
    flags(tokens.len(), |at| at > 0 && tokens[at - 1] == class)
}

/// Whether the current token is the class.
fn current(tokens: &[Token], class: Class) -> Vec<f32> {
    flags(tokens.len(), |at| tokens[at] == class)
}

/// Whether the class has occurred.
fn seen(tokens: &[Token], class: Class) -> Vec<f32> {
    flags(tokens.len(), |at| tokens[..=at].contains(&class))
}

const SITUATIONS: [Situation; 2] = [
    Situation { name: "half", values: &["first", "second"], of: halves },
    Situation { name: "known", values: &["no", "yes"], of: known },
];

/// Which half the position is in.
fn halves(tokens: &[Token]) -> Vec<Option<usize>> {
    (0..tokens.len()).map(|at| Some(usize::from(2 * at >= tokens.len()))).collect()
}

/// Whether the next token is the one that followed before.
fn known(tokens: &[Token]) -> Vec<Option<usize>> {
    let is_known = |at: usize| followed_before(&tokens[..=at], tokens[at + 1])[at] > 0.0;
    (0..tokens.len()).map(|at| (at + 1 < tokens.len()).then(|| usize::from(is_known(at)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use std::collections::BTreeSet;

    const SHAPE: Shape = Shape { n_ctx: 32, d_vocab: 64, d_vocab_out: 64 };

    #[test]
    fn the_second_half_is_the_first_again_and_lengths_differ() {
        let task = Induction::new(SHAPE);
        let mut lengths = BTreeSet::new();
        for index in 0..500 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            let (first, second) = tokens.split_at(tokens.len() / 2);
            assert_eq!(first, second);
            lengths.insert(tokens.len());
            let targets = task.targets(&tokens);
            let next = targets.iter().flatten().copied();
            assert_eq!(next.collect::<Vec<_>>(), tokens[1..]);
            assert_eq!(targets.last(), Some(&None));
        }
        assert_eq!(lengths, (2..=16).map(|half| 2 * half).collect());
        assert_eq!((task.targets(&[]).len(), &task.targets(&[3])[..]), (0, &[None][..]));
    }

    #[test]
    fn features_and_situations_follow_what_came_before() {
        let tokens = [5, 6, 7, 5, 6, 7];
        assert_eq!(followed_before(&tokens, 6), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(previous(&tokens, 6), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(current(&tokens, 7), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
        assert_eq!(seen(&tokens, 7), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(halves(&tokens), [0, 0, 0, 1, 1, 1].map(Some));
        assert_eq!(known(&tokens), [Some(0), Some(0), Some(0), Some(1), Some(1), None]);
    }
}
