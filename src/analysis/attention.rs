//! Attention patterns and their summaries.

use serde::Serialize;

use super::readout::product;
use super::total::{Total, over};
use crate::model::{Activations, HeadId, Mat, ModelConfig, Patch, VisibleKeys, Weights, sum_p_ln_p};
use crate::task::{Example, Token};

/// Figures of one head over one sequence.
#[derive(Clone, Debug)]
pub struct HeadSummary {
    /// Length of what each key would write at an attention of 1, |v `W_O`|, `[key]`.
    pub value_norms: Vec<f32>,
    /// Entropy of each query's pattern, in nats, `[query]`.
    pub entropy: Vec<f32>,
    /// Kullback-Leibler divergence of each query's pattern from uniform over the keys it may see, in nats, `[query]`.
    pub kl_from_uniform: Vec<f32>,
}

impl HeadSummary {
    /// Mean entropy over queries, in nats.
    pub fn mean_entropy(&self) -> f32 {
        mean(&self.entropy)
    }

    /// Mean divergence from uniform over queries, in nats.
    pub fn mean_kl(&self) -> f32 {
        mean(&self.kl_from_uniform)
    }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// The summaries of all heads, by layer, then head.
pub(super) fn summaries(weights: &Weights, from: &Activations) -> Vec<HeadSummary> {
    weights
        .config()
        .heads()
        .map(|HeadId { layer, head }| {
            let pattern =
                &from.blocks[layer].attn.pattern[head * from.len * from.len..][..from.len * from.len];
            let entropy: Vec<f32> = pattern.chunks_exact(from.len).map(entropy).collect();
            let queries = pattern.chunks_exact(from.len).enumerate();
            let kl_from_uniform =
                queries.map(|(query, row)| kl_from_uniform(query, row, &from.keys)).collect();
            HeadSummary { value_norms: value_norms(weights, from, layer, head), entropy, kl_from_uniform }
        })
        .collect()
}

/// Not computed as the logarithm of the number of keys minus the entropy: near uniform, few digits would remain. Rounding
/// can make a divergence slightly negative, which becomes 0; NaN stays NaN.
fn kl_from_uniform(query: usize, pattern: &[f32], keys: &VisibleKeys) -> f32 {
    let divergence = sum_p_ln_p(&pattern[..keys.end(query)], keys.of(query).count() as f32);
    if divergence < 0.0 { 0.0 } else { divergence }
}

fn entropy(pattern: &[f32]) -> f32 {
    -sum_p_ln_p(pattern, 1.0)
}

/// |v `W_O`| of one head, `[key]`.
fn value_norms(weights: &Weights, from: &Activations, layer: usize, head: usize) -> Vec<f32> {
    let c = weights.config();
    let values = &from.blocks[layer].attn.qkv[2 * c.d_heads() + head * c.d_head..];
    let rows = || values.chunks(3 * c.d_heads()).map(|row| &row[..c.d_head]);
    let matrix = Mat::strided(values, from.len, c.d_head, 3 * c.d_heads());
    let w_o = &weights.part(&weights.layout.blocks[layer].attn.w_o)[head * c.d_head * c.d_model..];
    let w_o = Mat::new(w_o, c.d_head, c.d_model);
    let is_wide = c.d_model > 2 * c.d_head;
    let norms = is_wide.then(|| norms_by_gram(rows(), matrix, w_o, c.d_head)).flatten();
    norms.unwrap_or_else(|| norms_of_rows(&product(matrix, w_o, from.len, c.d_model), c.d_model))
}

/// Below this share of its upper bound, a square has too few digits left after rounding.
const LEAST_SHARE: f32 = 0.05;

/// Like [`value_norms`], as the root of v (`W_O` `W_O`^T) v^T: much less work if `d_model` is much larger than
/// `d_head`. `None` if a norm would have a relative error above 1e-5.
fn norms_by_gram<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f32]>,
    values: Mat<'_>,
    w_o: Mat<'_>,
    d_head: usize,
) -> Option<Vec<f32>> {
    let gram = product(w_o, w_o.t(), d_head, d_head);
    let mapped = product(values, Mat::new(&gram, d_head, d_head), rows.len(), d_head);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let size = dot(&gram, &gram).sqrt();
    let norm = |(row, mapped): (&[f32], &[f32])| {
        let square = dot(row, mapped);
        (square >= LEAST_SHARE * size * dot(row, row)).then(|| square.sqrt())
    };
    rows.zip(mapped.chunks_exact(d_head)).map(norm).collect()
}

fn norms_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    rows.chunks_exact(width).map(|row| row.iter().map(|x| x * x).sum::<f32>().sqrt()).collect()
}

/// How closely a head follows known attention patterns; each score from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HeadScores {
    /// Mean attention to the previous position, over queries that have one.
    pub previous: f32,
    /// Mean attention to earlier positions with the query's own token, over queries that have one.
    pub duplicate: f32,
    /// Mean attention to positions that follow an earlier occurrence of the query's token, over queries that have one.
    pub induction: f32,
    /// 1 minus the mean total variation distance from uniform attention over the keys that the query sees.
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
    let distance = |(query, row): (usize, &[f32])| {
        let uniform = 1.0 / keys.of(query).count() as f32;
        0.5 * keys.of(query).map(|key| (row[key] - uniform).abs()).sum::<f32>()
    };
    HeadScores {
        previous: attention_to(&|query, key| key + 1 == query),
        duplicate: attention_to(&|query, key| key < query && tokens[key] == tokens[query]),
        induction: attention_to(&|query, key| key > 0 && tokens[key - 1] == tokens[query] && key - 1 < query),
        uniform: 1.0 - rows().map(distance).sum::<f32>() / len as f32,
    }
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
        let zero = |id| HeadAverages { id, pattern: vec![0.0; len * len], scores: HeadScores::default() };
        Self { reach: vec![0; len], sequences: 0, scored: [0; 2], sums: config.heads().map(zero).collect() }
    }

    /// By layer, then head. A score without any query is NaN.
    pub fn averages(mut self) -> Vec<HeadAverages> {
        let [with_previous, with_repeat] = self.scored.map(|sequences| sequences as f32);
        let all = self.sequences.max(1) as f32;
        for HeadAverages { pattern, scores, .. } in &mut self.sums {
            for (row, reach) in pattern.chunks_exact_mut(self.reach.len()).zip(&self.reach) {
                row.iter_mut().for_each(|p| *p /= *reach as f32);
            }
            *scores = HeadScores {
                previous: scores.previous / with_previous,
                duplicate: scores.duplicate / with_repeat,
                induction: scores.induction / with_repeat,
                uniform: scores.uniform / all,
            };
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
    fn empty(&self) -> Self {
        let zero = |sum: &HeadAverages| HeadAverages {
            id: sum.id,
            pattern: vec![0.0; sum.pattern.len()],
            scores: HeadScores::default(),
        };
        let sums = self.sums.iter().map(zero).collect();
        Self { reach: vec![0; self.reach.len()], sequences: 0, scored: [0; 2], sums }
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn()) {
        self.sequences += 1;
        let has = has_queries(example.tokens());
        self.scored.iter_mut().zip(has).for_each(|(scored, has)| *scored += usize::from(has));
        let (len, own) = (self.reach.len(), from.len);
        self.reach.iter_mut().take(own).for_each(|reach| *reach += 1);
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
        self.scored.iter_mut().zip(next.scored).for_each(|(ours, theirs)| *ours += theirs);
        self.reach.iter_mut().zip(next.reach).for_each(|(ours, theirs)| *ours += theirs);
        for (ours, theirs) in self.sums.iter_mut().zip(next.sums) {
            ours.pattern.iter_mut().zip(theirs.pattern).for_each(|(sum, p)| *sum += p);
            ours.scores.add(theirs.scores);
        }
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
    fn norms_by_the_gram_matrix_equal_those_of_the_written_vectors_or_are_refused() {
        let (len, d_head, d_model) = (40, 16, 128);
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let values: Vec<f32> = (0..len * d_head).map(|_| noise()).collect();
        let w_o: Vec<f32> = (0..d_head * d_model).map(|_| noise()).collect();
        let norms = |values: &[f32], w_o: &[f32]| {
            let (v, w) = (Mat::new(values, len, d_head), Mat::new(w_o, d_head, d_model));
            let right = norms_of_rows(&product(v, w, len, d_model), d_model);
            (norms_by_gram(values.chunks_exact(d_head), v, w, d_head), right)
        };
        let (found, right) = norms(&values, &w_o);
        for (found, right) in found.expect("no row is hard").into_iter().zip(right) {
            assert!((found / right - 1.0).abs() < 1e-5, "{found} {right}");
        }
        // A value that W_O nearly maps to zero: the difference of two nearly equal rows of W_O.
        let mut flat = w_o.clone();
        (0..d_model).for_each(|at| flat[d_model + at] = flat[at] * 1.0001);
        let mut hidden = values.clone();
        hidden[..d_head].fill(0.0);
        (hidden[0], hidden[1]) = (1.0, -1.0);
        assert!(norms(&hidden, &flat).0.is_none());
        hidden[0] = f32::NAN;
        assert!(norms(&hidden, &w_o).0.is_none(), "NaN is not left out");
        assert!(
            norms(&values, &vec![0.0; w_o.len()]).0.is_some_and(|all| all.iter().all(|norm| *norm == 0.0))
        );
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
    }
}
