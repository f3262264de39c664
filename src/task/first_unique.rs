//! The first unique character (ARENA's monthly problem of August 2023).
//!
//! `?`, then random letters. `?` is also the answer when every letter so far has occurred twice or more.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "first-unique",
    question: "which is the first letter that has occurred only once so far?",
    rule: "at each position the earliest letter that has occurred exactly once up to there; `?` if there is none",
    published: "accuracy .992; duplicate-token heads in layer 0, layer 1 heads share the letters",
    time: "3 min",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(FirstUnique::new(shape)),
};

const TOUR: &str = "\
2          heads of layer 0 attend to earlier occurrences of the token: their `dup` is high
. .        heads of layer 1 attend to letters that have occurred once
5 v v      which letters each head of layer 1 writes, by its OV circuit
6          accuracy by class after space on one of these in 2: some letters are lost, others are not
7          the smallest change that turns the answer, and which head brings it back at which position
b          how much each head restores at all positions: one in each layer stands out; arrows choose it
space 6    the head takes the corrupted sequence's values in this one: loss and accuracy, here and over the set";

const RECIPE: &str = r#"
[model]
n_layers = 2
n_heads = 3
d_model = 42
d_head = 14
d_mlp = 0
n_ctx = 20
d_vocab = 11
[task]
sequences = 106667
train_fraction = 0.9375
[train]
epochs = 50
batch_size = 512
optimizer = "adam"
max_lr = 0.001
schedule = "constant"
weight_decay = 0.0
keep_best = true
checkpoint_every = 196
"#;

#[derive(Debug)]
struct FirstUnique {
    /// Number of letters; also the token `?`.
    letters: usize,
    facts: Facts,
}

impl FirstUnique {
    fn new(shape: Shape) -> Self {
        let letters = shape.d_vocab.saturating_sub(1).max(1);
        let named = |letter: usize| match (b'a'..=b'z').nth(letter) {
            Some(letter) => char::from(letter).to_string(),
            None => format!("a{letter}"),
        };
        let vocabulary = Vocabulary::named((0..letters).map(named).chain(["?".into()]));
        let facts = Facts {
            features: &FEATURES,
            situations: if letters == LETTERS { &SITUATIONS } else { &[] },
            ..Facts::new(DEFINITION.name, vocabulary, shape.n_ctx)
        };
        Self { letters, facts }
    }
}

impl Task for FirstUnique {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let letters = (1..self.facts.n_ctx).map(|_| random.gen_range(0..self.letters) as Token);
        [self.letters as Token].into_iter().chain(letters).collect()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let none = self.letters as Token;
        let mut counts = vec![0_usize; self.letters + 1];
        // Letters in the order of their first occurrence.
        let mut seen = Vec::new();
        let answer = |&token: &Token| {
            if token != none {
                counts[usize::from(token)] += 1;
                seen.extend((counts[usize::from(token)] == 1).then_some(token));
            }
            seen.iter().copied().find(|letter| counts[usize::from(*letter)] == 1).unwrap_or(none)
        };
        tokens.iter().map(answer).collect()
    }
}

/// Number of occurrences of the letter up to each position.
fn counts(tokens: &[Token], letter: Class) -> impl Iterator<Item = usize> + '_ {
    tokens.iter().scan(0, move |count, &token| {
        *count += usize::from(token == letter);
        Some(*count)
    })
}

const FEATURES: [Feature; 4] = [
    Feature::new("count", "count", "count", count),
    Feature::new("unique", "unique", "unique", is_unique),
    Feature::new("age", "age", "age", age),
    Feature::new("duplicate", "repeats", "duplicate", is_duplicate),
];

/// Number of occurrences so far.
fn count(tokens: &[Token], letter: Class) -> Vec<f32> {
    counts(tokens, letter).map(|count| count as f32).collect()
}

/// Whether the letter has occurred exactly once.
fn is_unique(tokens: &[Token], letter: Class) -> Vec<f32> {
    counts(tokens, letter).map(|count| f32::from(u8::from(count == 1))).collect()
}

/// Positions since the first occurrence; 0 before.
fn age(tokens: &[Token], letter: Class) -> Vec<f32> {
    let first = tokens.iter().position(|token| *token == letter).unwrap_or(tokens.len());
    (0..tokens.len()).map(|at| at.saturating_sub(first) as f32).collect()
}

/// Whether the token at the position has occurred before, whatever the letter.
fn is_duplicate(tokens: &[Token], _: Class) -> Vec<f32> {
    let before = |at: usize| tokens[..at].contains(&tokens[at]);
    (0..tokens.len()).map(|at| f32::from(u8::from(before(at)))).collect()
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "candidates", values: &["0", "1", "2", "3+"], of: unique_letters }];

/// The recipe's number of letters: the situations are for its vocabulary.
const LETTERS: usize = 10;

/// Number of letters that have occurred exactly once.
fn unique_letters(tokens: &[Token]) -> Vec<Option<usize>> {
    let is_unique = |counts: &[usize; LETTERS]| counts.iter().filter(|count| **count == 1).count();
    let seen = tokens.iter().scan([0; LETTERS], |counts, &token| {
        counts.get_mut(usize::from(token)).into_iter().for_each(|count| *count += 1);
        Some(Some(is_unique(counts).min(3)))
    });
    seen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { n_ctx: 20, d_vocab: 11, d_vocab_out: 11 };

    #[test]
    fn features_and_situations_count_letters() {
        let task = FirstUnique::new(SHAPE);
        let tokens = ["?", "b", "a", "b", "c", "a"].map(|name| task.facts.vocabulary.parse(name).unwrap());
        assert_eq!(task.targets(&tokens)[..], [10, 1, 1, 0, 0, 2].map(Some));
        assert_eq!(count(&tokens, 1), [0.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(is_unique(&tokens, 0), [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(age(&tokens, 0), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(is_duplicate(&tokens, 0), [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(unique_letters(&tokens), [0, 1, 2, 1, 2, 1].map(Some));
    }

    proptest! {
        #[test]
        fn the_target_is_the_first_letter_without_another(tokens in prop::collection::vec(0_u16..11, 0..25)) {
            let targets = FirstUnique::new(SHAPE).targets(&tokens);
            for end in 0..tokens.len() {
                let so_far = &tokens[..=end];
                let is_alone = |at: &usize| {
                    so_far[*at] != 10 && (0..=end).all(|other| other == *at || so_far[other] != so_far[*at])
                };
                let want = (0..=end).find(is_alone).map_or(10, |at| so_far[at]);
                prop_assert_eq!(targets[end], Some(want));
            }
        }
    }
}
