//! Addition modulo a prime (Power et al. 2022; Nanda et al. 2023, "Progress measures for grokking").
//!
//! The recipe is the paper's, except for the output vocabulary: the p results, without the `=` that the paper's model
//! could also predict.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Class, Definition, Setting, Settings, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "modular-addition",
    question: "what is a + b modulo p?",
    rule: "after `a b =`, at the `=`: the remainder of a + b divided by p",
    published: "test accuracy 1 by 14,000 steps: memorises by 1,400, then groks",
    settings: &[Setting { name: "p", default: 113, range: (2, 1000) }],
    recipe,
    task: |settings, _| Arc::new(ModularAddition::new(settings["p"])),
};

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
    vocabulary: Vocabulary,
    outputs: Vocabulary,
}

impl ModularAddition {
    fn new(p: usize) -> Self {
        let names = (0..p).map(|number| number.to_string()).chain(["=".into()]);
        Self { p, vocabulary: Vocabulary::Names(names.collect()), outputs: Vocabulary::Numbers(p) }
    }
}

impl Task for ModularAddition {
    fn name(&self) -> &'static str {
        DEFINITION.name
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn outputs(&self) -> &Vocabulary {
        &self.outputs
    }

    fn n_ctx(&self) -> usize {
        3
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
    fn a_sequence_that_is_no_sum_has_no_target() {
        let task = ModularAddition::new(7);
        for tokens in [&[1, 2][..], &[1, 2, 3], &[1, 7, 7], &[7, 1, 7]] {
            assert_eq!(task.targets(tokens).iter().flatten().count(), 0, "{tokens:?}");
        }
    }
}
