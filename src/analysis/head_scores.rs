//! How closely heads follow known attention patterns, over sequences of a task and over random repeated tokens.

use rand::Rng;
use serde::Serialize;

use super::total::{Total, over};
use crate::model::{Activations, HeadId, ModelConfig, Patch, VisibleKeys, Weights};
use crate::random::{Purpose, stream};
use crate::task::{Example, Token};

/// How closely a head follows known attention patterns; each score from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HeadScores {
    /// Mean attention to the previous position, over queries that have one.
    pub previous: f32,
    /// Mean attention to earlier positions with the query's own token, over queries that have one.
    pub duplicate: f32,
    /// Mean attention to positions that follow an earlier occurrence of the query's token, over queries that have one.
    pub induction: f32,
    /// 1 minus the mean total variation distance from uniform attention over the keys that the query sees, over the largest
    /// possible one, that of a query with a single key in view: a one-hot pattern scores 0. Over queries that see two keys.
    pub uniform: f32,
}

/// Scores a pattern, `[query, key]`, over its sequence.
pub fn head_scores(pattern: &[f32], tokens: &[Token], keys: &VisibleKeys) -> HeadScores {
    let len = tokens.len();
    let rows = || pattern.chunks_exact(len).enumerate();
    // Sums the attention to the keys that qualify; a query without any does not count.
    let attention_to = |qualifies: &dyn Fn(usize, usize) -> bool| {
        let per_query = rows().filter_map(|(query, row)| {
            let wanted: Vec<usize> = keys.of(query).filter(|&key| qualifies(query, key)).collect();
            (!wanted.is_empty()).then(|| wanted.into_iter().map(|key| row[key]).sum::<f32>())
        });
        let sums: Vec<f32> = per_query.collect();
        if sums.is_empty() { 0.0 } else { mean(&sums) }
    };
    let closeness = |(query, row): (usize, &[f32])| {
        let uniform = 1.0 / keys.of(query).count() as f32;
        let distance = 0.5 * keys.of(query).map(|key| (row[key] - uniform).abs()).sum::<f32>();
        (uniform < 1.0).then(|| 1.0 - distance / (1.0 - uniform))
    };
    let closeness: Vec<f32> = rows().filter_map(closeness).collect();
    HeadScores {
        previous: attention_to(&|query, key| key + 1 == query),
        duplicate: attention_to(&|query, key| key < query && tokens[key] == tokens[query]),
        induction: attention_to(&|query, key| key > 0 && tokens[key - 1] == tokens[query] && key - 1 < query),
        uniform: if closeness.is_empty() { 0.0 } else { mean(&closeness) },
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// The pattern of a head that attends equally to every key in view, `[query, key]`.
fn uniform_pattern(keys: &VisibleKeys) -> Vec<f32> {
    let len = keys.len();
    let mut pattern = vec![0.0; len * len];
    for (query, row) in pattern.chunks_exact_mut(len).enumerate() {
        let share = 1.0 / keys.of(query).count() as f32;
        keys.of(query).for_each(|key| row[key] = share);
    }
    pattern
}

/// Averages of one head over a set of sequences.
#[derive(Clone, Debug)]
pub struct HeadAverages {
    /// Which head.
    pub id: HeadId,
    /// Mean pattern, `[query, key]`.
    pub pattern: Vec<f32>,
    /// Mean scores.
    pub scores: HeadScores,
    /// The mean scores of a head with uniform attention over the same sequences.
    pub chance: HeadScores,
}

/// Patterns and scores of every head averaged over `examples`, by layer, then head. A query's pattern is averaged over
/// the sequences long enough to contain it.
pub fn averages(weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> Vec<HeadAverages> {
    let len = examples.iter().map(|example| example.tokens().len()).max().unwrap_or(0);
    over(HeadSums::new(weights.config(), len), weights, patch, examples).averages()
}

/// Sums of patterns and scores of every head over sequences.
pub struct HeadSums {
    /// Number of sequences long enough for each query.
    reach: Vec<usize>,
    sequences: usize,
    /// Number of sequences with a query that the duplicate and induction scores count.
    scored: [usize; 2],
    chance: HeadScores,
    sums: Vec<HeadAverages>,
}

/// Whether any query has a previous position, and whether any token has an earlier occurrence.
fn has_queries(tokens: &[Token]) -> [bool; 2] {
    let repeats = |(at, token): (usize, &Token)| tokens[..at].contains(token);
    [tokens.len() > 1, tokens.iter().enumerate().any(repeats)]
}

impl HeadSums {
    /// Empty sums, for sequences of at most `len` tokens.
    pub fn new(config: &ModelConfig, len: usize) -> Self {
        Self::of_heads(config.heads(), len)
    }

    fn of_heads(heads: impl Iterator<Item = HeadId>, len: usize) -> Self {
        let (scores, chance) = (HeadScores::default(), HeadScores::default());
        let zero = |id| HeadAverages { id, pattern: vec![0.0; len * len], scores, chance };
        Self { reach: vec![0; len], sequences: 0, scored: [0; 2], chance, sums: heads.map(zero).collect() }
    }

    /// By layer, then head. A score without any query is NaN.
    pub fn averages(mut self) -> Vec<HeadAverages> {
        let [with_previous, with_repeat] = self.scored.map(|sequences| sequences as f32);
        let averaged = |sums: &HeadScores| HeadScores {
            previous: sums.previous / with_previous,
            duplicate: sums.duplicate / with_repeat,
            induction: sums.induction / with_repeat,
            uniform: sums.uniform / with_previous,
        };
        for HeadAverages { pattern, scores, chance, .. } in &mut self.sums {
            for (row, reach) in pattern.chunks_exact_mut(self.reach.len()).zip(&self.reach) {
                row.iter_mut().for_each(|p| *p /= *reach as f32);
            }
            (*scores, *chance) = (averaged(scores), averaged(&self.chance));
        }
        self.sums
    }
}

impl HeadScores {
    fn add(&mut self, other: Self) {
        self.previous += other.previous;
        self.duplicate += other.duplicate;
        self.induction += other.induction;
        self.uniform += other.uniform;
    }
}

impl Total for HeadSums {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::of_heads(self.sums.iter().map(|sum| sum.id), self.reach.len())
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        self.sequences += 1;
        let has = has_queries(example.tokens());
        self.scored.iter_mut().zip(has).for_each(|(scored, has)| *scored += usize::from(has));
        let (len, own) = (self.reach.len(), from.len);
        self.reach.iter_mut().take(own).for_each(|reach| *reach += 1);
        self.chance.add(head_scores(&uniform_pattern(&from.keys), example.tokens(), &from.keys));
        for sum in &mut self.sums {
            between();
            let HeadId { layer, head } = sum.id;
            let pattern = &from.blocks[layer].attn.pattern[head * own * own..][..own * own];
            for (sums, row) in sum.pattern.chunks_exact_mut(len).zip(pattern.chunks_exact(own)) {
                sums.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
            }
            sum.scores.add(head_scores(pattern, example.tokens(), &from.keys));
        }
    }

    fn merge(&mut self, next: Self) {
        self.sequences += next.sequences;
        self.chance.add(next.chance);
        self.scored.iter_mut().zip(next.scored).for_each(|(ours, theirs)| *ours += theirs);
        self.reach.iter_mut().zip(next.reach).for_each(|(ours, theirs)| *ours += theirs);
        for (ours, theirs) in self.sums.iter_mut().zip(next.sums) {
            ours.pattern.iter_mut().zip(theirs.pattern).for_each(|(sum, p)| *sum += p);
            ours.scores.add(theirs.scores);
        }
    }
}

/// Most random sequences, and most of their tokens together.
const REPEATED: (usize, usize) = (64, 1 << 13);

/// Longest random half.
const HALF: usize = 64;

/// Whether the context has room for two tokens twice, and the vocabulary has two.
pub fn can_repeat(config: &ModelConfig) -> bool {
    config.n_ctx >= 4 && config.d_vocab - usize::from(config.pad_token.is_some()) >= 2
}

/// Random tokens, each sequence repeated once, `[sequence][2 * half]`. Panics unless [`can_repeat`].
pub fn repeated_tokens(config: &ModelConfig, seed: u64) -> Vec<Vec<Token>> {
    let half = (config.n_ctx / 2).min(HALF);
    let tokens: Vec<Token> = (0..config.d_vocab)
        .map(|token| token as Token)
        .filter(|token| config.pad_token != Some(*token))
        .collect();
    let sequences = REPEATED.0.min(REPEATED.1 / (2 * half)).max(1);
    let sequence = |index: usize| {
        let mut random = stream(seed, Purpose::Repeated, index as u64);
        let first: Vec<Token> = (0..half).map(|_| tokens[random.gen_range(0..tokens.len())]).collect();
        first.iter().chain(&first).copied().collect()
    };
    (0..sequences).map(sequence).collect()
}

/// Scores of a head on random tokens repeated once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RepeatedScores {
    /// Mean attention from the second half to the position after the token's first occurrence.
    pub induction: f32,
    /// Mean attention to the previous position, over queries that have one.
    pub previous: f32,
}

impl RepeatedScores {
    fn of(pattern: &[f32], len: usize) -> Self {
        let at = |query: usize, key: usize| pattern[query * len + key];
        let half = len / 2;
        let induction: Vec<f32> = (half..len).map(|query| at(query, query + 1 - half)).collect();
        let previous: Vec<f32> = (1..len).map(|query| at(query, query - 1)).collect();
        Self { induction: mean(&induction), previous: mean(&previous) }
    }

    fn add(&mut self, other: Self) {
        self.induction += other.induction;
        self.previous += other.previous;
    }

    fn over(self, sequences: usize) -> Self {
        let n = sequences.max(1) as f32;
        Self { induction: self.induction / n, previous: self.previous / n }
    }
}

/// Sums of [`RepeatedScores`] over sequences of one length.
#[derive(Clone)]
pub struct RepeatedSums {
    sequences: usize,
    /// By layer, then head.
    heads: Vec<(HeadId, RepeatedScores)>,
    chance: RepeatedScores,
}

impl RepeatedSums {
    /// Empty sums.
    pub fn new(config: &ModelConfig) -> Self {
        let heads = config.heads().map(|id| (id, RepeatedScores::default())).collect();
        Self { sequences: 0, heads, chance: RepeatedScores::default() }
    }

    /// The mean scores by layer, then head, and those of uniform attention.
    pub fn averages(&self) -> (Vec<RepeatedScores>, RepeatedScores) {
        let heads = self.heads.iter().map(|(_, sum)| sum.over(self.sequences)).collect();
        (heads, self.chance.over(self.sequences))
    }
}

impl Total for RepeatedSums {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        let heads = self.heads.iter().map(|(id, _)| (*id, RepeatedScores::default())).collect();
        Self { sequences: 0, heads, chance: RepeatedScores::default() }
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let len = example.tokens().len();
        self.sequences += 1;
        self.chance.add(RepeatedScores::of(&uniform_pattern(&from.keys), len));
        for (HeadId { layer, head }, sum) in &mut self.heads {
            let pattern = &from.blocks[*layer].attn.pattern[*head * len * len..][..len * len];
            sum.add(RepeatedScores::of(pattern, len));
        }
    }

    fn merge(&mut self, next: Self) {
        self.sequences += next.sequences;
        self.chance.add(next.chance);
        self.heads.iter_mut().zip(next.heads).for_each(|((_, ours), (_, theirs))| ours.add(theirs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_hot(len: usize, key_of: impl Fn(usize) -> usize) -> Vec<f32> {
        let mut pattern = vec![0.0; len * len];
        (0..len).for_each(|query| pattern[query * len + key_of(query)] = 1.0);
        pattern
    }

    #[test]
    fn a_sequence_without_such_a_query_does_not_count_in_a_score() {
        assert_eq!(has_queries(&[3]), [false, false]);
        assert_eq!(has_queries(&[3, 4]), [true, false]);
        assert_eq!(has_queries(&[3, 4, 3]), [true, true]);
        let config = ModelConfig { d_model: 8, d_head: 4, d_mlp: 0, n_ctx: 3, ..ModelConfig::default() };
        let weights = Weights::initial(&config, 1);
        let scores = |sequences: &[&[Token]]| {
            let targets = [None; 3];
            let examples: Vec<Example<'_>> =
                sequences.iter().map(|tokens| Example::new(tokens, &targets[..tokens.len()])).collect();
            averages(&weights, &Patch::default(), &examples)[0].scores
        };
        let (with, both) = (scores(&[&[1, 2, 1]]), scores(&[&[1, 2, 1], &[3, 4]]));
        assert_eq!(
            (with.duplicate.to_bits(), with.induction.to_bits()),
            (both.duplicate.to_bits(), both.induction.to_bits())
        );
        assert!(scores(&[&[3, 4]]).duplicate.is_nan());
    }

    #[test]
    fn each_score_recognises_its_own_kind_of_head() {
        let tokens = [4, 7, 2, 4, 7, 2];
        let keys = ModelConfig::default().visible_keys(&tokens);
        let head_scores = |pattern: &[f32], tokens: &[Token]| head_scores(pattern, tokens, &keys);
        let close = |score: f32, want: f32| assert!((score - want).abs() < 1e-6, "{score} {want}");
        let previous = head_scores(&one_hot(6, |query| query.saturating_sub(1)), &tokens);
        close(previous.previous, 1.0);
        close(previous.duplicate, 0.0);
        let duplicate = head_scores(&one_hot(6, |query| if query < 3 { query } else { query - 3 }), &tokens);
        close(duplicate.previous, 0.0);
        close(duplicate.duplicate, 1.0);
        let induction = head_scores(&one_hot(6, |query| if query < 3 { 0 } else { query - 2 }), &tokens);
        close(induction.induction, 1.0);
        let uniform: Vec<f32> =
            (0..36).map(|i| if i % 6 <= i / 6 { 1.0 / (i / 6 + 1) as f32 } else { 0.0 }).collect();
        close(head_scores(&uniform, &tokens).uniform, 1.0);
        close(previous.uniform, 0.0);
        assert_eq!(uniform_pattern(&keys), uniform);
    }

    #[test]
    fn an_induction_head_scores_one_on_repeated_tokens_and_a_uniform_one_its_chance() {
        let half = 5;
        let induction = one_hot(10, |query| if query < half { query } else { query + 1 - half });
        let scores = RepeatedScores::of(&induction, 10);
        assert_eq!((scores.induction, scores.previous), (1.0, 0.0));
        let keys = ModelConfig::default().visible_keys(&[0; 10]);
        let chance = RepeatedScores::of(&uniform_pattern(&keys), 10);
        let by_definition = (5..10).map(|query| 1.0 / (query + 1) as f32).sum::<f32>() / 5.0;
        assert!((chance.induction - by_definition).abs() < 1e-6, "{chance:?}");
        let config = ModelConfig { n_ctx: 7, pad_token: Some(3), ..ModelConfig::default() };
        let sequences = repeated_tokens(&config, 4);
        assert!(sequences.iter().all(|tokens| tokens.len() == 6 && tokens[..3] == tokens[3..]));
        assert!(sequences.iter().flatten().all(|token| *token != 3) && sequences.len() == 64);
        assert!(can_repeat(&config) && !can_repeat(&ModelConfig { n_ctx: 3, ..config.clone() }));
        assert!(!can_repeat(&ModelConfig { d_vocab: 2, ..config }), "one of two is padding");
    }
}
