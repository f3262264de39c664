//! What do the heads do on random tokens repeated once, with the edits?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, Patches, Progress};
use super::{Answer, Findings};
use crate::analysis::head_scores::{RepeatedScores, RepeatedSums, repeated_tokens};
use crate::analysis::total::add_each;
use crate::figure::{Dim, Figure, Spec, Subject};
use crate::task::{Example, Targets, Token};

/// Induction heads.
pub static INDUCTION_REPEATED: Spec = Spec {
    name: "induction_repeated",
    definition: "mean attention from the second half of random tokens repeated once to the position after the token's \
                 first occurrence; 64 sequences of half the context, at most 64 tokens a half, fewer if long",
    source: "Olsson et al. 2022, prefix matching; TransformerLens' induction stripe",
    baseline: "induction_repeated_chance",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Chance of [`INDUCTION_REPEATED`].
pub static INDUCTION_REPEATED_CHANCE: Spec = Spec {
    name: "induction_repeated_chance",
    definition: "induction_repeated of uniform attention",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Previous-token heads.
pub static PREVIOUS_REPEATED: Spec = Spec {
    name: "previous_repeated",
    definition: "mean attention to the previous position on the same random tokens, over queries that have one",
    source: "TransformerLens' detection pattern, over these queries only",
    baseline: "previous_repeated_chance",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Chance of [`PREVIOUS_REPEATED`].
pub static PREVIOUS_REPEATED_CHANCE: Spec = Spec {
    name: "previous_repeated_chance",
    definition: "previous_repeated of uniform attention",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Sequences per step.
const SLICE: usize = 4;

/// The scores of every head, by layer, then head, and of uniform attention.
#[derive(Clone, Debug)]
pub struct RepeatedHeads {
    /// By layer, then head.
    pub heads: Vec<RepeatedScores>,
    /// Of uniform attention.
    pub chance: RepeatedScores,
}

struct Repeated {
    subject: Subject,
    means: MeansOf,
    patches: Option<Patches>,
    sequences: Vec<Vec<Token>>,
    next: usize,
    sums: RepeatedSums,
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    let (config, seed) = (subject.snapshot.config(), subject.origin.seed);
    Box::new(Repeated {
        subject: subject.clone(),
        means: MeansOf::default(),
        patches: None,
        sequences: repeated_tokens(config, seed),
        next: 0,
        sums: RepeatedSums::new(config),
    })
}

impl Job for Repeated {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(patches) = &self.patches else {
            self.patches = self.means.patches(&self.subject, bench);
            return Progress::More;
        };
        let end = (self.next + SLICE).min(self.sequences.len());
        let sequences = &self.sequences[self.next..end];
        let targets: Vec<Targets> = sequences.iter().map(|tokens| Targets::none(tokens.len())).collect();
        let pairs = sequences.iter().zip(&targets);
        let examples: Vec<Example<'_>> =
            pairs.map(|(tokens, targets)| Example::new(tokens, targets)).collect();
        let (weights, sums) = (bench.weights(&self.subject), &mut self.sums);
        let wait = bench.yield_to_urgent();
        let (all, first) = (&self.sequences, self.next);
        let patch_of = |index: usize| {
            // Another random sequence, of the same length as all.
            let donor = &all[(first + index + 1) % all.len()];
            patches.of_tokens(&weights, &all[first + index], Some(donor))
        };
        bench.long(|| add_each(sums, &weights.weights, &patch_of, &examples, SLICE, &wait));
        bench.count(examples.len());
        self.next = end;
        if self.next < self.sequences.len() {
            return Progress::More;
        }
        let (heads, chance) = self.sums.averages();
        Progress::Done(Findings::Repeated(Arc::new(RepeatedHeads { heads, chance })))
    }
}

/// The four scores.
pub fn scores(answer: &Answer, found: &Arc<RepeatedHeads>) -> [Arc<Figure>; 4] {
    let n_heads = answer.config().n_heads;
    let score = |spec, of: fn(&RepeatedHeads, usize) -> f32| {
        let found = Arc::clone(found);
        answer.figure(spec, answer.by_head([]), move |at| of(&found, at[0] * n_heads + at[1]))
    };
    [
        score(&PREVIOUS_REPEATED, |found, head| found.heads[head].previous),
        score(&PREVIOUS_REPEATED_CHANCE, |found, _| found.chance.previous),
        score(&INDUCTION_REPEATED, |found, head| found.heads[head].induction),
        score(&INDUCTION_REPEATED_CHANCE, |found, _| found.chance.induction),
    ]
}
