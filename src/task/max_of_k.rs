//! The largest of a few numbers (Gross et al. 2024, "Compact proofs of model performance via mechanistic
//! interpretability"). k is the context length, so that `model.n_ctx=2` asks for the larger of two.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Facts, Feature, Shape, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "max-of-k",
    question: "which of the k numbers is the largest?",
    rule: "at position k - 1, for a model of n_ctx = k: the largest of the k numbers",
    published: "accuracy near 1; QK picks the largest number, OV copies it",
    time: "3 s",
    tour: TOUR,
    settings: &[],
    recipe: |_| RECIPE.into(),
    task: |_, shape| Arc::new(MaxOfK::new(shape)),
};

const TOUR: &str = "\
2 $        the last query attends to the largest number; n for the next sequence
5          QK of tokens has one strong direction, by `QK sing.`: how large the key is
v v        OV to logits: rows are strongest on the diagonal, and copying is near +1";

const RECIPE: &str = r#"
[model]
n_layers = 1
n_heads = 1
d_model = 32
d_head = 32
d_mlp = 0
n_ctx = 4
d_vocab = 64
normalization_type = "none"
[task]
source = "fresh"
sequences = 20480
train_fraction = 0.625
[train]
steps = 3000
batch_size = 128
max_lr = 0.001
schedule = "constant"
frozen = ["blocks.*.attn.b_*", "unembed.b_U"]
checkpoint_every = 500
"#;

#[derive(Debug)]
struct MaxOfK {
    facts: Facts,
}

impl MaxOfK {
    fn new(shape: Shape) -> Self {
        let facts = Facts {
            features: &FEATURES,
            situations: &SITUATIONS,
            ..Facts::new(DEFINITION.name, Vocabulary::Numbers(shape.d_vocab), shape.n_ctx)
        };
        Self { facts }
    }
}

impl Task for MaxOfK {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        (0..self.facts.n_ctx).map(|_| random.gen_range(0..self.facts.vocabulary.len()) as Token).collect()
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let largest = tokens.get(..self.facts.n_ctx).and_then(|numbers| numbers.iter().max());
        Targets::only(tokens.len(), self.facts.n_ctx - 1, largest.copied())
    }

    fn inputs(&self) -> Option<usize> {
        self.facts.vocabulary.len().checked_pow(u32::try_from(self.facts.n_ctx).ok()?)
    }

    /// The digits of the index in the base of the vocabulary.
    fn input(&self, index: usize) -> Vec<Token> {
        let base = self.facts.vocabulary.len();
        let mut rest = index;
        let mut digits: Vec<Token> = vec![0; self.facts.n_ctx];
        for digit in digits.iter_mut().rev() {
            *digit = (rest % base) as Token;
            rest /= base;
        }
        digits
    }
}

const FEATURES: [Feature; 3] = [
    Feature::new("is largest", "largest", "is_largest", is_largest),
    Feature::new("count", "count", "count", count),
    Feature::new("larger seen", "larger", "larger_seen", larger_seen),
];

fn so_far(tokens: &[Token], value: impl Fn(&[Token]) -> f32) -> Vec<f32> {
    (1..=tokens.len()).map(|end| value(&tokens[..end])).collect()
}

/// Whether the number is the largest so far.
fn is_largest(tokens: &[Token], number: Class) -> Vec<f32> {
    so_far(tokens, |numbers| f32::from(u8::from(numbers.iter().max() == Some(&number))))
}

/// Number of occurrences so far.
fn count(tokens: &[Token], number: Class) -> Vec<f32> {
    so_far(tokens, |numbers| numbers.iter().filter(|other| **other == number).count() as f32)
}

/// Number of larger ones so far.
fn larger_seen(tokens: &[Token], number: Class) -> Vec<f32> {
    so_far(tokens, |numbers| numbers.iter().filter(|other| **other > number).count() as f32)
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "margin", values: &["0", "1", "2-3", "4-7", "8+"], of: margin }];

/// The largest number minus the next, at the last position.
fn margin(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut sorted = tokens.to_vec();
    sorted.sort_unstable();
    let group = match sorted[..] {
        [.., next, largest] => match largest - next {
            0 => 0,
            1 => 1,
            2..=3 => 2,
            4..=7 => 3,
            _ => 4,
        },
        _ => 4,
    };
    (1..=tokens.len()).map(|end| (end == tokens.len()).then_some(group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_occurs_once_and_none_of_its_numbers_exceeds_the_target() {
        let task = MaxOfK::new(Shape { n_ctx: 3, d_vocab: 4, d_vocab_out: 4 });
        assert_eq!(task.inputs(), Some(64));
        let all: std::collections::BTreeSet<Vec<Token>> = (0..64).map(|index| task.input(index)).collect();
        assert_eq!(all.len(), 64);
        for tokens in &all {
            let targets = task.targets(tokens);
            let target = targets[2].unwrap();
            assert_eq!(targets[..2], [None, None]);
            assert!(tokens.contains(&target) && tokens.iter().all(|number| *number <= target), "{tokens:?}");
        }
        assert_eq!(task.targets(&[1, 2])[..], [None, None], "too few");
        assert_eq!(task.targets(&[1, 2, 0, 3])[..], [None, None, Some(2), None], "only the first k");
    }

    #[test]
    fn features_and_situations_compare_numbers() {
        let tokens = [3, 9, 9, 1];
        assert_eq!(is_largest(&tokens, 3), [1.0, 0.0, 0.0, 0.0]);
        assert_eq!(count(&tokens, 9), [0.0, 1.0, 2.0, 2.0]);
        assert_eq!(larger_seen(&tokens, 3), [0.0, 1.0, 2.0, 2.0]);
        assert_eq!(margin(&tokens), [None, None, None, Some(0)]);
        assert_eq!(margin(&[5, 0, 2, 1])[3], Some(2));
        assert_eq!(margin(&[5]), [Some(4)]);
    }
}
