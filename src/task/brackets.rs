//! Balanced brackets (ARENA 2.0, part 4).
//!
//! `^`, up to 40 brackets, `$`. The model sees all positions and answers at the first. Sequences are as long as their
//! brackets; `_` pads those of other programs, and its keys are masked, which changes nothing at the first position.
//! Of the data, half is balanced; a quarter has as many opening as closing brackets, in an order that closes one that is
//! not open; the rest is one bracket, or every bracket, of random direction. The recipe is our own: none is published.

use std::sync::Arc;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "brackets",
    question: "is every bracket closed, and every closing bracket opened before?",
    rule: "after `^`, brackets and `$`, at the `^`: yes if they are balanced, else no",
    published: "accuracy 1.0; one head tests the total, another that no prefix closes more than it opens",
    time: "2 min",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(Brackets::new(shape)),
};

const TOUR: &str = "\
2 0        the query at the `^` of layer 2 (. or >) attends to the `$` or to brackets, by head
<          in layer 0 a head with a high `uni` attends nearly uniformly: it counts; again < or > for a layer
4 o        neurons beside the elevation and the share of `(` in the rest
5 b        Down to the activations after the layer (> for the next): where the two classes part
space 6    accuracy by class without a head of layer 2; published: one tests the total, one the lowest point";

const RECIPE: &str = r#"
[model]
n_layers = 3
n_heads = 2
d_model = 56
d_head = 28
d_mlp = 56
n_ctx = 42
d_vocab = 5
d_vocab_out = 2
act_fn = "relu"
attention_dir = "bidirectional"
pad_token = 1
[task]
sequences = 106667
train_fraction = 0.9375
[train]
epochs = 15
batch_size = 512
max_lr = 0.001
schedule = "linear"
final_lr = 0.0001
keep_best = true
checkpoint_every = 196
"#;

const START: Token = 0;
const PAD: Token = 1;
const END: Token = 2;
const OPEN: Token = 3;
const CLOSE: Token = 4;

const NO: Class = 0;
const YES: Class = 1;

#[derive(Debug)]
struct Brackets {
    /// Most pairs in a sequence.
    pairs: usize,
    facts: Facts,
}

impl Brackets {
    fn new(shape: Shape) -> Self {
        let pairs = (shape.n_ctx.saturating_sub(2) / 2).max(1);
        let facts = Facts {
            outputs: Vocabulary::named(["no", "yes"]),
            features: &FEATURES,
            situations: &SITUATIONS,
            ..Facts::new(DEFINITION.name, Vocabulary::named(["^", "_", "$", "(", ")"]), 2 * pairs + 2)
        };
        Self { pairs, facts }
    }
}

impl Task for Brackets {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        let pairs = random.gen_range(1..=self.pairs);
        let mut brackets = balanced(pairs, random);
        match random.gen_range(0..8) {
            0..4 => {}
            4..6 => unbalance(&mut brackets, random),
            6 => {
                let at = random.gen_range(0..brackets.len());
                brackets[at] = OPEN + CLOSE - brackets[at];
            }
            _ => brackets.fill_with(|| random.gen_range(OPEN..=CLOSE)),
        }
        [&[START], &brackets[..], &[END]].concat()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        Targets::only(tokens.len(), 0, brackets_of(tokens).map(|brackets| judge(brackets).class()))
    }
}

/// Balanced brackets: a random order, from its lowest point on.
fn balanced(pairs: usize, random: &mut ChaCha8Rng) -> Vec<Token> {
    let mut brackets = [vec![OPEN; pairs], vec![CLOSE; pairs]].concat();
    brackets.shuffle(random);
    let heights = elevations(&brackets);
    let lowest = (0..heights.len()).min_by_key(|&at| heights[at]).unwrap_or(0);
    brackets.rotate_left((lowest + 1) % (2 * pairs));
    brackets
}

/// Begins balanced brackets elsewhere, so that a closing one comes before its opening one.
fn unbalance(brackets: &mut [Token], random: &mut ChaCha8Rng) {
    let whole = brackets.to_vec();
    // A start at 1 is never balanced.
    while judge(brackets) == Balance::Balanced {
        brackets.copy_from_slice(&whole);
        brackets.rotate_left(random.gen_range(1..whole.len()));
    }
}

/// Opened minus closed brackets after each.
fn elevations(brackets: &[Token]) -> Vec<i32> {
    let step = |height: &mut i32, &token: &Token| {
        *height += i32::from(token == OPEN) - i32::from(token == CLOSE);
        Some(*height)
    };
    brackets.iter().scan(0, step).collect()
}

/// Whether brackets are balanced, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Balance {
    Balanced,
    /// Different numbers of opening and closing brackets.
    Uneven,
    /// As many of both, but one is closed before it is open.
    Negative,
}

impl Balance {
    fn class(self) -> Class {
        if self == Self::Balanced { YES } else { NO }
    }
}

fn judge(brackets: &[Token]) -> Balance {
    let heights = elevations(brackets);
    match (heights.last(), heights.iter().min()) {
        (Some(total), _) if *total != 0 => Balance::Uneven,
        (_, Some(lowest)) if *lowest < 0 => Balance::Negative,
        _ => Balance::Balanced,
    }
}

/// The brackets between `^` and `$`; `None` for other sequences.
fn brackets_of(tokens: &[Token]) -> Option<&[Token]> {
    let [START, rest @ ..] = tokens else { return None };
    let end = rest.iter().position(|token| *token == END)?;
    let (brackets, padding) = (&rest[..end], &rest[end + 1..]);
    let is_whole = brackets.iter().all(|token| [OPEN, CLOSE].contains(token));
    (is_whole && padding.iter().all(|token| *token == PAD)).then_some(brackets)
}

const FEATURES: [Feature; 4] = [
    Feature::new("elevation", "height", "elevation", elevation),
    Feature::new("rest", "rest", "rest", rest),
    Feature::new("open share", "share", "open_share", open_share),
    Feature::new("below zero", "below", "below_zero", below_zero),
];

/// Opened minus closed brackets up to the position.
fn elevation(tokens: &[Token], _: Class) -> Vec<f32> {
    elevations(tokens).into_iter().map(|height| height as f32).collect()
}

/// Opened minus closed brackets from the position on: 0 or less if balanced.
fn rest(tokens: &[Token], _: Class) -> Vec<f32> {
    let heights = elevations(tokens);
    let total = heights.last().copied().unwrap_or(0);
    let before = [0].into_iter().chain(heights.iter().copied());
    before.take(tokens.len()).map(|height| (total - height) as f32).collect()
}

/// Share of opening brackets among those from the position on; 1/2 after the last.
fn open_share(tokens: &[Token], _: Class) -> Vec<f32> {
    let share = |from: usize| {
        let count = |which: Token| tokens[from..].iter().filter(|token| **token == which).count() as f32;
        let (open, closed) = (count(OPEN), count(CLOSE));
        if open + closed > 0.0 { open / (open + closed) } else { 0.5 }
    };
    (0..tokens.len()).map(share).collect()
}

/// Whether more brackets have been closed than opened, at the position.
fn below_zero(tokens: &[Token], _: Class) -> Vec<f32> {
    elevations(tokens).into_iter().map(|height| f32::from(u8::from(height < 0))).collect()
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "balance", values: &["balanced", "uneven", "negative"], of: balance }];

/// Why brackets are not balanced, at the first position.
fn balance(tokens: &[Token]) -> Vec<Option<usize>> {
    let found = brackets_of(tokens).map(|brackets| judge(brackets) as usize);
    (0..tokens.len()).map(|at| found.filter(|_| at == 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use proptest::prelude::*;

    const SHAPE: Shape = Shape { n_ctx: 42, d_vocab: 5, d_vocab_out: 2 };

    fn tokens(text: &str) -> Vec<Token> {
        text.chars().map(|c| "^_$()".find(c).unwrap() as Token).collect()
    }

    #[test]
    fn half_of_the_data_is_balanced_and_both_faults_are_frequent() {
        let task = Brackets::new(SHAPE);
        let mut found = [0; 3];
        for index in 0..4000 {
            let tokens = task.sequence(&mut stream(1, Purpose::Data, index));
            assert!((4..=42).contains(&tokens.len()));
            found[balance(&tokens)[0].unwrap()] += 1;
        }
        // Of brackets in random directions few are even.
        assert!((1950..2150).contains(&found[0]), "{found:?}");
        assert!((800..1000).contains(&found[1]) && found[2] > 1000, "{found:?}");
    }

    #[test]
    fn padding_does_not_change_the_answer_and_other_tokens_leave_none() {
        let task = Brackets::new(SHAPE);
        for (text, want) in [("^()$", YES), ("^()$___", YES), ("^(()$_", NO), ("^)($", NO), ("^$", YES)] {
            assert_eq!(task.targets(&tokens(text))[0], Some(want), "{text}");
        }
        for text in ["()", "^()", "^(_)$", "^()$_)", "^^()$", ""] {
            assert_eq!(task.targets(&tokens(text)).iter().flatten().count(), 0, "{text}");
        }
    }

    #[test]
    fn features_and_situations_follow_the_elevation() {
        let tokens = tokens("^())($");
        assert_eq!(elevation(&tokens, YES), [0.0, 1.0, 0.0, -1.0, 0.0, 0.0]);
        assert_eq!(rest(&tokens, YES), [0.0, 0.0, -1.0, 0.0, 1.0, 0.0]);
        assert_eq!(open_share(&tokens, YES)[..3], [0.5, 0.5, 1.0 / 3.0]);
        assert_eq!(below_zero(&tokens, YES), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(balance(&tokens)[..2], [Some(2), None]);
    }

    proptest! {
        #[test]
        fn balanced_brackets_vanish_pair_by_pair(inner in "[()]{0,12}") {
            let mut rest = inner.clone();
            while rest.contains("()") {
                rest = rest.replace("()", "");
            }
            let targets = Brackets::new(SHAPE).targets(&tokens(&format!("^{inner}$")));
            prop_assert_eq!(targets[0], Some(Class::from(rest.is_empty())));
        }

        #[test]
        fn balanced_and_unbalanced_brackets_are_what_they_claim(pairs in 1_usize..20, seed in 0_u64..1000) {
            let mut random = stream(seed, Purpose::Data, 0);
            let mut brackets = balanced(pairs, &mut random);
            prop_assert!(judge(&brackets) == Balance::Balanced);
            unbalance(&mut brackets, &mut random);
            prop_assert!(judge(&brackets) == Balance::Negative);
        }
    }
}
