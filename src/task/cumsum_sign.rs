//! The sign of the running sum (ARENA's monthly problem of November 2023).
//!
//! Token `n` is the value `n` modulo the number of tokens, from -5 to 5 in the recipe. A value opposes the sum before
//! it with probability 0.7, so that sums stay near 0.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Cycle, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "cumsum-sign",
    question: "is the sum of the values so far negative, zero or positive?",
    rule: "at each position `-`, `=` or `+`: the sign of the sum of the values up to there",
    published: "accuracy 1.000; uniform attention (QK = 0) and an OV of rank 1 take the mean; few sign neurons",
    time: "50 s",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(CumsumSign::new(shape)),
};

const TOUR: &str = "\
2          the head attends uniformly: its `uni` is near 1, and the QK circuit (5) is small
4 o        a few neurons follow the mean or the sum: `o` draws these beneath, with R^2
v          again until the neuron's top examples: where it is most active, or least (L); J goes there
5 v v      the OV circuit: one direction, from the most negative to the most positive value
b b        W_E along its principal components: a line from -5 to 5 that holds nearly all of the variance";

const RECIPE: &str = r#"
[model]
n_layers = 1
n_heads = 1
d_model = 24
d_head = 12
d_mlp = 8
n_ctx = 20
d_vocab = 11
d_vocab_out = 3
act_fn = "relu"
normalization_type = "none"
[task]
sequences = 160000
train_fraction = 0.9375
[train]
epochs = 20
batch_size = 512
optimizer = "adam"
max_lr = 0.001
schedule = "linear"
final_lr = 0.0001
weight_decay = 0.01
keep_best = true
checkpoint_every = 293
"#;

/// Probability that a value opposes the sum before it.
const OPPOSING: f64 = 0.7;

#[derive(Debug)]
struct CumsumSign {
    /// Values are from `-most` to `most`.
    most: i32,
    facts: Facts,
}

impl CumsumSign {
    fn new(shape: Shape) -> Self {
        let most = (shape.d_vocab.saturating_sub(1) / 2).max(1) as i32;
        let values = (0..=most).chain(-most..0);
        let vocabulary = Vocabulary::named(values.map(|value| value.to_string()));
        let is_published = most == MOST;
        let facts = Facts {
            outputs: Vocabulary::named(["-", "=", "+"]),
            features: if is_published { &FEATURES } else { &[] },
            situations: if is_published { &SITUATIONS } else { &[] },
            cycle: Some(Cycle { len: vocabulary.len(), has_classes: false, has_pairs: false }),
            ..Facts::new(DEFINITION.name, vocabulary, shape.n_ctx)
        };
        Self { most, facts }
    }
}

/// The value of a token, of `2 * most + 1`.
fn value(token: Token, most: i32) -> i32 {
    let token = i32::from(token);
    if token > most { token - 2 * most - 1 } else { token }
}

/// The sums up to each position.
fn sums(tokens: &[Token], most: i32) -> impl Iterator<Item = i32> + '_ {
    tokens.iter().scan(0, move |sum, &token| {
        *sum += value(token, most);
        Some(*sum)
    })
}

impl Task for CumsumSign {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let mut sum = 0;
        let draw = |_| {
            let drawn: i32 = random.gen_range(-self.most..=self.most);
            let opposing = random.gen_bool(OPPOSING);
            let value = match (sum, opposing) {
                (0, _) => drawn,
                (_, true) => -drawn.abs() * i32::signum(sum),
                (_, false) => drawn.abs() * i32::signum(sum),
            };
            sum += value;
            value.rem_euclid(2 * self.most + 1) as Token
        };
        (0..self.facts.n_ctx).map(draw).collect()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        sums(tokens, self.most).map(|sum| (sum.signum() + 1) as Class).collect()
    }
}

/// The recipe's largest value: features and situations are for its vocabulary.
const MOST: i32 = 5;

const FEATURES: [Feature; 4] = [
    Feature::new("value", "value", "value", the_value),
    Feature::new("sum", "sum", "sum", the_sum),
    Feature::new("mean", "mean", "mean", the_mean),
    Feature::new("is sign", "sign", "is_sign", is_sign),
];

/// The value at the position.
fn the_value(tokens: &[Token], _: Class) -> Vec<f32> {
    tokens.iter().map(|token| value(*token, MOST) as f32).collect()
}

/// The sum so far.
fn the_sum(tokens: &[Token], _: Class) -> Vec<f32> {
    sums(tokens, MOST).map(|sum| sum as f32).collect()
}

/// The mean so far.
fn the_mean(tokens: &[Token], _: Class) -> Vec<f32> {
    sums(tokens, MOST).zip(1_u16..).map(|(sum, count)| sum as f32 / f32::from(count)).collect()
}

/// Whether the sum has the sign.
fn is_sign(tokens: &[Token], class: Class) -> Vec<f32> {
    sums(tokens, MOST).map(|sum| f32::from(u8::from(sum.signum() + 1 == i32::from(class)))).collect()
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "margin", values: &["0", "1", "2-3", "4-7", "8+"], of: distance_from_zero }];

/// How far the sum is from 0.
fn distance_from_zero(tokens: &[Token]) -> Vec<Option<usize>> {
    let group = |sum: i32| match sum.abs() {
        0 => 0,
        1 => 1,
        2..=3 => 2,
        4..=7 => 3,
        _ => 4,
    };
    sums(tokens, MOST).map(|sum| Some(group(sum))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { n_ctx: 20, d_vocab: 11, d_vocab_out: 3 };

    #[test]
    fn a_value_opposes_the_sum_before_it_seven_times_in_ten() {
        let task = CumsumSign::new(SHAPE);
        let (mut opposing, mut all) = (0, 0);
        for index in 0..2000 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            let sums = the_sum(&tokens, 0);
            for (&before, value) in sums.iter().zip(&the_value(&tokens, 0)[1..]) {
                if before != 0.0 && *value != 0.0 {
                    all += 1;
                    opposing += usize::from(before * value < 0.0);
                }
            }
        }
        let share = opposing as f64 / f64::from(all);
        assert!((share - 0.7).abs() < 0.01, "{share}");
    }

    #[test]
    fn features_and_situations_are_of_the_sum_so_far() {
        let task = CumsumSign::new(SHAPE);
        let tokens = ["3", "-5", "2", "-1", "5"].map(|name| task.facts.vocabulary.parse(name).unwrap());
        assert_eq!(tokens, [3, 6, 2, 10, 5]);
        assert_eq!(the_value(&tokens, 0), [3.0, -5.0, 2.0, -1.0, 5.0]);
        assert_eq!(the_sum(&tokens, 0), [3.0, -2.0, 0.0, -1.0, 4.0]);
        assert_eq!(the_mean(&tokens, 0)[..2], [3.0, -1.0]);
        assert_eq!(is_sign(&tokens, 1), [0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(distance_from_zero(&tokens), [2, 2, 0, 1, 3].map(Some));
    }

    proptest! {
        #[test]
        fn the_target_compares_what_was_added_with_what_was_taken_away(
            tokens in prop::collection::vec(0_u16..11, 0..25),
        ) {
            let targets = CumsumSign::new(SHAPE).targets(&tokens);
            for (end, target) in targets.iter().enumerate() {
                let sum = |keep: fn(&Token) -> bool, of: fn(Token) -> Token| -> Token {
                    tokens[..=end].iter().copied().filter(keep).map(of).sum()
                };
                let (added, taken) = (sum(|t| *t <= 5, |t| t), sum(|t| *t > 5, |t| 11 - t));
                let want = match added.cmp(&taken) {
                    std::cmp::Ordering::Less => 0,
                    std::cmp::Ordering::Equal => 1,
                    std::cmp::Ordering::Greater => 2,
                };
                prop_assert_eq!(*target, Some(want));
            }
        }
    }
}
