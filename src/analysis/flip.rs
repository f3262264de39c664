//! The flip point: the smallest change of tokens that changes the answer.

use rayon::prelude::*;

use crate::model::{Activations, Patch, Weights, forward_each, tiles};
use crate::task::{Class, Task, Token};

use super::logits::argmax;

/// Replacements of tokens, by position.
pub type Replacements = Vec<(usize, Token)>;

/// Most sequences that are tried.
pub const MOST_TRIED: usize = 1 << 14;

/// Single replacements that are combined in pairs if none of them changes the answer.
const BEST: usize = 16;

/// A change of tokens, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The replacements.
    pub replaced: Replacements,
    /// The class of the largest logit afterwards.
    pub answer: Class,
    /// The largest other logit minus that of the old answer: above 0 if the answer has changed.
    pub margin: f32,
}

/// The tokens with replacements.
pub fn replaced(tokens: &[Token], replacements: &Replacements) -> Vec<Token> {
    let mut tokens = tokens.to_vec();
    replacements.iter().for_each(|(position, token)| tokens[*position] = *token);
    tokens
}

/// Every replacement of one token that keeps the position scored, if it is; of tokens that the position can see.
pub fn singles(task: &dyn Task, tokens: &[Token], position: usize, end: usize) -> Vec<Replacements> {
    let is_scored = |tokens: &[Token]| task.targets(tokens)[position].is_some();
    let was_scored = is_scored(tokens);
    let all = (0..end).flat_map(|at| {
        let others = (0..task.vocabulary().len()).map(|token| token as Token);
        others.filter(move |token| *token != tokens[at]).map(move |token| vec![(at, token)])
    });
    all.filter(|change| is_scored(&replaced(tokens, change)) == was_scored).collect()
}

/// Pairs of the single replacements that came closest, at different positions.
pub fn pairs(tried: &[Tried]) -> Vec<Replacements> {
    let mut best: Vec<&Tried> = tried.iter().collect();
    best.sort_by(|a, b| b.margin.total_cmp(&a.margin));
    best.truncate(BEST);
    let pair = |(at, a): (usize, &&Tried)| -> Vec<Replacements> {
        let later = best[at + 1..].iter().filter(|b| b.replaced[0].0 != a.replaced[0].0);
        later.map(|b| [&a.replaced[..], &b.replaced].concat()).collect()
    };
    best.iter().enumerate().flat_map(pair).collect()
}

/// The change that turns the answer most decidedly; `None` if none turns it.
pub fn best(tried: &[Tried]) -> Option<&Tried> {
    let turned = tried.iter().filter(|one| one.margin > 0.0);
    // Of equal ones the first.
    turned.reduce(|best, one| if one.margin > best.margin { one } else { best })
}

/// Sequences of a part of [`try_all`].
const PART: usize = 32;

/// What each change does to the answer at a position.
pub fn try_all(
    weights: &Weights,
    tokens: &[Token],
    (position, answer): (usize, Class),
    changes: &[Replacements],
) -> Vec<Tried> {
    let part = |changes: &[Replacements]| {
        let changed: Vec<Vec<Token>> = changes.iter().map(|change| replaced(tokens, change)).collect();
        let (nothing, mut buffers, mut tried) =
            (Patch::default(), <[Activations; 2]>::default(), Vec::with_capacity(changes.len()));
        for tile in tiles(changed.iter().map(Vec::len)) {
            let sequences: Vec<_> =
                changed[tile.clone()].iter().map(|tokens| (&tokens[..], &nothing)).collect();
            forward_each(weights, (&sequences, true), &mut buffers, &|| (), |index, run| {
                let outputs = run.logits.len() / run.len;
                let logits = &run.logits[position * outputs..(position + 1) * outputs];
                let others = logits.iter().enumerate().filter(|(class, _)| *class != usize::from(answer));
                let other = others.map(|(_, logit)| *logit).fold(f32::NEG_INFINITY, f32::max);
                tried.push(Tried {
                    replaced: changes[tile.start + index].clone(),
                    answer: argmax(logits),
                    margin: other - logits[usize::from(answer)],
                });
            });
        }
        tried
    };
    changes.par_chunks(PART).flat_map_iter(part).collect()
}
