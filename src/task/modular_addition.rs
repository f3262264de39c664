//! Addition modulo a prime (Power et al. 2022; Nanda et al. 2023, "Progress measures for grokking").
//!
//! The recipe is the paper's, except for the output vocabulary: the p results, without the `=` that the paper's model
//! could also predict.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{
    Class, Cycle, Definition, Facts, Feature, Setting, Settings, Situation, Targets, Task, Token, Vocabulary,
};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "modular-addition",
    question: "what is a + b modulo p?",
    rule: "after `a b =`, at the `=`: the remainder of a + b divided by p",
    published: "test accuracy 1 by 14,000 steps: memorises by 1,400, then groks",
    time: "17 min",
    tour: TOUR,
    settings: &[Setting { name: "p", default: 113, range: (2, 1000) }],
    recipe,
    task: |settings, _| Arc::new(ModularAddition::new(settings["p"])),
};

const TOUR: &str = "\
1 x        the training loss falls at once, the validation loss thousands of steps later: grokking
2 $        heads attend from the `=` to a and b, hardly to itself; . for the next head
4 $        neurons at the `=`; `o` compares them with waves over the circle of p numbers
v          again until the neuron over all pairs of operands, and the frequency that explains it; j for the next
5 b        spectra of W_E, W_U and the logits: a handful of key frequencies; b again: W_E on circles (Right)
[ ]        the same at earlier and later steps";

fn recipe(settings: &Settings) -> String {
    let p = settings["p"];
    format!(
        r#"
[model]
n_layers = 1
n_heads = 4
d_model = 128
d_head = 32
d_mlp = 512
n_ctx = 3
d_vocab = {tokens}
d_vocab_out = {p}
act_fn = "relu"
normalization_type = "none"
[task]
source = "exhaustive"
sequences = {all}
train_fraction = 0.3
p = {p}
[train]
steps = 25000
batch_size = 0
max_lr = 0.001
schedule = "constant"
warmup_steps = 10
betas = [0.9, 0.98]
weight_decay = 1.0
init = "progress_measures"
frozen = ["blocks.*.attn.b_*", "unembed.b_U"]
loss_dtype = "f64"
checkpoint_every = 1000
"#,
        tokens = p + 1,
        all = p * p
    )
}

#[derive(Debug)]
struct ModularAddition {
    p: usize,
    facts: Facts,
}

impl ModularAddition {
    fn new(p: usize) -> Self {
        let names = (0..p).map(|number| number.to_string()).chain(["=".into()]);
        let facts = Facts {
            outputs: Vocabulary::Numbers(p),
            features: &FEATURES,
            situations: &SITUATIONS,
            cycle: Some(Cycle { len: p, has_classes: true, has_pairs: true }),
            ..Facts::new(DEFINITION.name, Vocabulary::Names(names.collect()), 3)
        };
        Self { p, facts }
    }
}

impl Task for ModularAddition {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        self.input(random.gen_range(0..self.p * self.p))
    }

    fn targets(&self, tokens: &[Token]) -> Targets {
        let p = self.p;
        let target = |(position, &token): (usize, &Token)| {
            let terms = tokens[..position].iter().map(|&term| usize::from(term));
            let is_sum = position == 2 && usize::from(token) == p && terms.clone().all(|term| term < p);
            is_sum.then(|| (terms.sum::<usize>() % p) as Class)
        };
        tokens.iter().enumerate().map(target).collect()
    }

    fn inputs(&self) -> Option<usize> {
        Some(self.p * self.p)
    }

    fn input(&self, index: usize) -> Vec<Token> {
        [index / self.p, index % self.p, self.p].map(|token| token as Token).into()
    }
}

/// Waves over the circle of p numbers, from the position on where their numbers are known. The class is the frequency:
/// the neurons of a trained model follow a few frequencies, different ones after each training.
const FEATURES: [Feature; 6] = [
    Feature::new("cos sum", "cos a+b", "cos_sum", |tokens, k| wave(tokens, k, [1, 1], 0.0)),
    Feature::new("sin sum", "sin a+b", "sin_sum", |tokens, k| wave(tokens, k, [1, 1], 0.25)),
    Feature::new("cos a", "cos a", "cos_a", |tokens, k| wave(tokens, k, [1, 0], 0.0)),
    Feature::new("sin a", "sin a", "sin_a", |tokens, k| wave(tokens, k, [1, 0], 0.25)),
    Feature::new("cos b", "cos b", "cos_b", |tokens, k| wave(tokens, k, [0, 1], 0.0)),
    Feature::new("sin b", "sin b", "sin_b", |tokens, k| wave(tokens, k, [0, 1], 0.25)),
];

/// The numbers a and b, and p; `None` for a sequence that is no sum.
fn sum(tokens: &[Token]) -> Option<([Token; 2], Token)> {
    match *tokens {
        [a, b, p] if a < p && b < p => Some(([a, b], p)),
        _ => None,
    }
}

/// cos(2 pi (k n / p - phase)) for the sum n of the chosen numbers; 0 where not all of them are known.
fn wave(tokens: &[Token], k: Class, chosen: [Token; 2], phase: f32) -> Vec<f32> {
    let Some((numbers, p)) = sum(tokens) else { return vec![0.0; tokens.len()] };
    let known_from = if chosen == [1, 1] { 2 } else { usize::from(chosen[1]) };
    let n: u32 = numbers.iter().zip(chosen).map(|(number, chosen)| u32::from(number * chosen)).sum();
    // The remainder first: the angle of a large product would be rough.
    let turns = (u32::from(k) * n % u32::from(p)) as f32 / f32::from(p);
    (0..3).map(|at| if at < known_from { 0.0 } else { (TAU * (turns - phase)).cos() }).collect()
}

const SITUATIONS: [Situation; 1] = [Situation { name: "wraps", values: &["no", "yes"], of: wraps }];

/// Whether a + b is p or more, at the `=`.
fn wraps(tokens: &[Token]) -> Vec<Option<usize>> {
    let found = sum(tokens).map(|([a, b], p)| usize::from(a + b >= p));
    (0..tokens.len()).map(|at| found.filter(|_| at == 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_counting_round_the_clock_gives() {
        let task = ModularAddition::new(7);
        for index in 0..49 {
            let tokens = task.input(index);
            let (a, b) = (tokens[0], tokens[1]);
            let around = (0..b).fold(a, |at, _| if at == 6 { 0 } else { at + 1 });
            assert_eq!(task.targets(&tokens)[..], [None, None, Some(around)]);
        }
    }

    #[test]
    fn waves_begin_where_their_numbers_are_known() {
        let task = ModularAddition::new(8);
        let series = |which: usize| FEATURES[which].series(&task, &[3, 6, 8], 2);
        let near = |which: usize, want: [f32; 3]| {
            let series = series(which);
            assert!(series.iter().zip(want).all(|(x, want)| (x - want).abs() < 1e-6), "{which}: {series:?}");
        };
        let half = std::f32::consts::FRAC_1_SQRT_2;
        // 2 * 9 of 8 is a quarter turn, 2 * 3 three quarters, 2 * 6 half a turn.
        near(0, [0.0, 0.0, 0.0]);
        near(1, [0.0, 0.0, 1.0]);
        near(2, [0.0, 0.0, 0.0]);
        near(3, [-1.0, -1.0, -1.0]);
        near(4, [0.0, -1.0, -1.0]);
        near(5, [0.0, 0.0, 0.0]);
        assert!((FEATURES[2].series(&task, &[1, 0, 8], 1)[0] - half).abs() < 1e-6);
        assert_eq!(FEATURES[0].series(&task, &[8, 1, 8], 1), [0.0; 3], "no sum");
        assert_eq!((wraps(&[3, 6, 8]), wraps(&[3, 4, 8])[2]), (vec![None, None, Some(1)], Some(0)));
    }

    #[test]
    fn a_sequence_that_is_no_sum_has_no_target() {
        let task = ModularAddition::new(7);
        for tokens in [&[1, 2][..], &[1, 2, 3], &[1, 7, 7], &[7, 1, 7]] {
            assert_eq!(task.targets(tokens).iter().flatten().count(), 0, "{tokens:?}");
        }
    }
}
