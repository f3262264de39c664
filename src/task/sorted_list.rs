//! Sorting (ARENA's monthly problem of October 2023).
//!
//! Different numbers in random order, `|`, and the same numbers in rising order, which the model predicts.

use std::sync::Arc;

use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "sorted-list",
    question: "which number of the list comes next in rising order?",
    rule: "after a list and `|`, at the `|` and on: the smallest number of the list, then the next larger ones",
    published: "accuracy .9989; attends to the smallest number that is larger than the current one",
    time: "2 min",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(SortedList::new(shape)),
};

const TOUR: &str = "\
2          the query at the `|` attends to the smallest numbers of the list, by its strongest keys
Down       later queries attend to the smallest number that is larger than their own; . for the other head
v          the mean over the validation set is uniform: the heads go by value, not by position
v again    the mean over the queries with one number as target, the cursor's or one that T picks
5          the QK circuit of tokens: each query prefers the numbers just above it; v v: OV copies them";

const RECIPE: &str = r#"
[model]
n_layers = 1
n_heads = 2
d_model = 96
d_head = 48
d_mlp = 0
n_ctx = 21
d_vocab = 52
[task]
sequences = 160000
train_fraction = 0.9375
[train]
epochs = 25
batch_size = 512
optimizer = "adam"
max_lr = 0.001
schedule = "linear"
final_lr = 0.0001
weight_decay = 0.005
keep_best = true
checkpoint_every = 293
"#;

#[derive(Debug)]
struct SortedList {
    /// Numbers in a list.
    len: usize,
    /// Number of different numbers; also the token `|`.
    numbers: usize,
    facts: Facts,
}

impl SortedList {
    fn new(shape: Shape) -> Self {
        let numbers = shape.d_vocab.saturating_sub(1).max(1);
        let len = (shape.n_ctx.saturating_sub(1) / 2).clamp(1, numbers);
        let facts = Facts {
            features: &FEATURES,
            situations: &SITUATIONS,
            ..Facts::new(DEFINITION.name, Vocabulary::numbers_and(numbers, &["|"]), 2 * len + 1)
        };
        Self { len, numbers, facts }
    }
}

impl Task for SortedList {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let list = index::sample(random, self.numbers, self.len);
        let mut tokens: Vec<Token> = list.iter().map(|number| number as Token).collect();
        let mut sorted = tokens.clone();
        sorted.sort_unstable();
        tokens.push(self.numbers as Token);
        tokens.extend(sorted);
        tokens
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let Some(end) = tokens.iter().position(|&token| usize::from(token) == self.numbers) else {
            return Targets::none(tokens.len());
        };
        let mut sorted = tokens[..end].to_vec();
        sorted.sort_unstable();
        (0..tokens.len()).map(|at| at.checked_sub(end).and_then(|place| sorted.get(place).copied())).collect()
    }
}

/// The list and the position of the `|`: the largest token if it occurs once, as only `|` does in a sequence of the
/// task.
fn list(tokens: &[Token]) -> Option<(&[Token], usize)> {
    let end = tokens.iter().position(|token| Some(token) == tokens.iter().max())?;
    (tokens.iter().filter(|token| **token == tokens[end]).count() == 1).then_some((&tokens[..end], end))
}

/// The smallest number of the list above the token at each position from the `|` on, which counts as below all.
fn successors(tokens: &[Token]) -> Vec<Option<Token>> {
    let Some((list, end)) = list(tokens) else { return vec![None; tokens.len()] };
    let above = |at: usize| {
        let is_above = |number: &&Token| at == end || **number > tokens[at];
        list.iter().filter(is_above).min().copied().filter(|_| at >= end)
    };
    (0..tokens.len()).map(above).collect()
}

const FEATURES: [Feature; 4] = [
    Feature::new("next larger", "next", "next_larger", next_larger),
    Feature::new("above current", "above", "above_current", above_current),
    Feature::new("in list", "listed", "in_list", in_list),
    Feature::new("distance", "distance", "distance", distance),
];

fn flags(flags: impl Iterator<Item = bool>) -> Vec<f32> {
    flags.map(|flag| f32::from(u8::from(flag))).collect()
}

/// Whether the number is the smallest of the list above the current one.
fn next_larger(tokens: &[Token], number: Class) -> Vec<f32> {
    flags(successors(tokens).into_iter().map(|next| next == Some(number)))
}

/// Whether the number is larger than the current token.
fn above_current(tokens: &[Token], number: Class) -> Vec<f32> {
    flags(tokens.iter().map(|token| number > *token))
}

/// Whether the number has occurred.
fn in_list(tokens: &[Token], number: Class) -> Vec<f32> {
    flags((0..tokens.len()).map(|end| tokens[..=end].contains(&number)))
}

/// The number minus the current token.
fn distance(tokens: &[Token], number: Class) -> Vec<f32> {
    tokens.iter().map(|token| f32::from(number) - f32::from(*token)).collect()
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "gap", values: &["1", "2-3", "4-7", "8+"], of: gap_to_the_next }];

/// How far the next number is above the current one; not at the `|`, which has no number.
fn gap_to_the_next(tokens: &[Token]) -> Vec<Option<usize>> {
    let group = |gap: Token| match gap {
        ..=1 => 0,
        2..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let gaps = successors(tokens).into_iter().zip(tokens);
    gaps.map(|(next, token)| next.and_then(|next| next.checked_sub(*token)).map(group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { n_ctx: 9, d_vocab: 12, d_vocab_out: 12 };

    #[test]
    fn the_second_half_repeats_the_first_in_rising_order() {
        let task = SortedList::new(SHAPE);
        for index in 0..200 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            assert_eq!((tokens.len(), tokens[4]), (9, 11));
            assert!(tokens[5..].is_sorted_by(|a, b| a < b), "{tokens:?}");
            assert!(tokens[5..].iter().all(|number| tokens[..4].contains(number)), "{tokens:?}");
            let next: Vec<_> = tokens[5..].iter().copied().map(Some).collect();
            assert_eq!(
                (&task.targets(&tokens)[..4], &task.targets(&tokens)[4..8]),
                (&[None; 4][..], &next[..])
            );
            assert_eq!(task.targets(&tokens)[8], None);
            assert_eq!(successors(&tokens)[4..8], next);
        }
    }

    #[test]
    fn features_and_situations_follow_the_current_number() {
        let tokens = [7, 2, 9, 3, 11, 2, 3, 7, 9];
        assert_eq!(next_larger(&tokens, 7)[4..], [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(above_current(&tokens, 3)[4..], [0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(in_list(&tokens, 9)[..4], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(distance(&tokens, 3)[5..], [1.0, 0.0, -4.0, -6.0]);
        assert_eq!(gap_to_the_next(&tokens)[4..], [None, Some(0), Some(2), Some(1), None]);
        assert_eq!(gap_to_the_next(&[1, 2, 2]), [None; 3], "no `|`");
    }

    proptest! {
        #[test]
        fn the_target_has_as_many_smaller_numbers_as_positions_passed(
            list in prop::collection::vec(0_u16..11, 0..8),
            rest in prop::collection::vec(0_u16..12, 0..10),
        ) {
            let tokens = [&list[..], &[11], &rest].concat();
            let targets = SortedList::new(SHAPE).targets(&tokens);
            for (place, target) in targets[list.len()..].iter().enumerate() {
                prop_assert_eq!(target.is_some(), place < list.len());
                if let Some(target) = target {
                    let count = |keep: fn(&Token, &Token) -> bool| list.iter().filter(|n| keep(n, target)).count();
                    prop_assert!(count(|n, t| n < t) <= place && place < count(|n, t| n <= t));
                }
            }
            prop_assert!(targets[..list.len()].iter().all(Option::is_none));
        }
    }
}
