//! Palindromes (ARENA's monthly problem of July 2023).
//!
//! `^`, an even number of numbers, `$`. Half of the sequences are palindromes; in the others each token of the second
//! half is drawn again with probability 1/2, so that a few are palindromes after all.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "palindrome",
    question: "does the sequence read the same backwards?",
    rule: "after `^`, the numbers and `$`, at the `$`: yes if the numbers are the same in reverse, else no",
    published: "validation accuracy .997; head 0.0 attends to the mirror position, 1.0 carries a mismatch to `$`",
    time: "25 s",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(Palindrome::new(shape)),
};

const TOUR: &str = "\
2          a head of layer 0 attends from each number of the second half to its mirror position; . for the next
v          the same diagonal in the mean over the validation set; v: where the target is yes or no; v again
space 6    without it accuracy falls to a half; u switches it on again
2 $        in layer 1 (>) the `$` reads the second half; n for the next sequence, yes or no";

const RECIPE: &str = r#"
[model]
n_layers = 2
n_heads = 2
d_model = 28
d_head = 14
d_mlp = 0
n_ctx = 22
d_vocab = 33
d_vocab_out = 2
[task]
sequences = 106667
train_fraction = 0.9375
[train]
epochs = 15
batch_size = 512
optimizer = "adam"
max_lr = 0.001
schedule = "constant"
weight_decay = 0.0
loss_dtype = "f64"
keep_best = true
checkpoint_every = 196
"#;

const NO: Class = 0;
const YES: Class = 1;

#[derive(Debug)]
struct Palindrome {
    /// Numbers in half of a sequence.
    half: usize,
    /// Number of different numbers.
    numbers: usize,
    facts: Facts,
}

impl Palindrome {
    fn new(shape: Shape) -> Self {
        let numbers = shape.d_vocab.saturating_sub(2).max(2);
        let half = (shape.n_ctx.saturating_sub(2) / 2).max(1);
        let facts = Facts {
            outputs: Vocabulary::named(["no", "yes"]),
            features: &FEATURES,
            situations: &SITUATIONS,
            ..Facts::new(DEFINITION.name, Vocabulary::numbers_and(numbers, &["^", "$"]), 2 * half + 2)
        };
        Self { half, numbers, facts }
    }

    fn number(&self, random: &mut ChaCha8Rng) -> Token {
        random.gen_range(0..self.numbers) as Token
    }
}

impl Task for Palindrome {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let first: Vec<Token> = (0..self.half).map(|_| self.number(random)).collect();
        let is_palindrome = random.gen_bool(0.5);
        let mut sequence = vec![self.numbers as Token];
        sequence.extend(&first);
        for &token in first.iter().rev() {
            let drawn_again = !is_palindrome && random.gen_bool(0.5);
            sequence.push(if drawn_again { self.number(random) } else { token });
        }
        sequence.push(self.numbers as Token + 1);
        sequence
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let last = tokens.len().saturating_sub(1);
        let is_whole = framed(tokens).is_some_and(|inner| {
            let is_number = |token: &Token| usize::from(*token) < self.numbers;
            let [start, end] = [0, last].map(|at| usize::from(tokens[at]));
            (start, end) == (self.numbers, self.numbers + 1) && inner.iter().all(is_number)
        });
        let answer = if mismatches(tokens).iter().any(|differs| *differs) { NO } else { YES };
        Targets::only(tokens.len(), last, Some(answer).filter(|_| is_whole))
    }
}

/// The tokens between the first and the last, if any.
fn framed(tokens: &[Token]) -> Option<&[Token]> {
    tokens.get(1..tokens.len().saturating_sub(1)).filter(|inner| !inner.is_empty())
}

/// Whether the token differs from the one at the mirror position, at the positions of the second half; false elsewhere.
fn mismatches(tokens: &[Token]) -> Vec<bool> {
    let len = tokens.len();
    let differs = |at: usize| 2 * at >= len && at + 1 < len && tokens[at] != tokens[len - 1 - at];
    (0..len).map(differs).collect()
}

const FEATURES: [Feature; 2] = [
    Feature::new("mismatch", "mismatch", "mismatch", mismatch),
    Feature::new("mismatch count", "mismatches", "mismatches", mismatches_so_far),
];

fn mismatch(tokens: &[Token], _: Class) -> Vec<f32> {
    mismatches(tokens).into_iter().map(|differs| f32::from(u8::from(differs))).collect()
}

fn mismatches_so_far(tokens: &[Token], class: Class) -> Vec<f32> {
    let mut so_far = 0.0;
    let add = |differs: f32| {
        so_far += differs;
        so_far
    };
    mismatch(tokens, class).into_iter().map(add).collect()
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "mismatches", values: &["0", "1", "2", "3+"], of: mismatches_in_all }];

/// Number of mismatches, at the last position.
fn mismatches_in_all(tokens: &[Token]) -> Vec<Option<usize>> {
    let count = mismatches(tokens).iter().filter(|differs| **differs).count();
    (1..=tokens.len()).map(|end| (end == tokens.len()).then_some(count.min(3))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    const SHAPE: Shape = Shape { n_ctx: 8, d_vocab: 7, d_vocab_out: 2 };

    #[test]
    fn a_sequence_is_a_palindrome_if_it_equals_its_reverse() {
        let task = Palindrome::new(SHAPE);
        let mut yes = 0;
        for index in 0..2000 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            let numbers = &tokens[1..7];
            let reversed: Vec<Token> = numbers.iter().rev().copied().collect();
            let want = Class::from(numbers == reversed);
            assert_eq!(task.targets(&tokens).last(), Some(&Some(want)), "{tokens:?}");
            assert_eq!(task.targets(&tokens).iter().flatten().count(), 1);
            yes += want;
        }
        // One half, and an eighth (no token drawn again) or more of the other half.
        assert!((1000..1400).contains(&yes), "{yes}");
    }

    #[test]
    fn what_is_not_framed_has_no_target() {
        let task = Palindrome::new(SHAPE);
        assert_eq!(task.targets(&[5, 3, 4, 3, 6])[..], [None, None, None, None, Some(YES)]);
        for tokens in [&[5, 1, 1][..], &[1, 1, 6], &[5, 5, 6], &[5, 6], &[6], &[]] {
            assert_eq!(task.targets(tokens).iter().flatten().count(), 0, "{tokens:?}");
        }
    }

    #[test]
    fn features_and_situations_count_mismatches_from_the_middle() {
        let tokens = [5, 0, 1, 2, 4, 1, 3, 6];
        assert_eq!(mismatch(&tokens, YES), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(mismatches_so_far(&tokens, YES)[4..], [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(mismatches_in_all(&tokens)[6..], [None, Some(2)]);
    }
}
