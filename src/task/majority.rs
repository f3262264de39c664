//! The running majority element, the founding notebook's task.

use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Answers, Class, Definition, Facts, Feature, Situation, Targets, Task, Token, Vocabulary};

/// The definition in the registry.
pub const DEFINITION: Definition = Definition {
    name: "majority",
    question: "which token has been seen most often so far?",
    rule: "at each position the token with the largest count up to there; ties go to the smallest",
    published: "validation accuracy .997 after 420 steps",
    time: "40 s",
    tour: TOUR,
    settings: &[],
    recipe: |_| String::new(),
    task: |_, shape| {
        let facts = Facts {
            features: &FEATURES,
            situations: &SITUATIONS,
            answers: Some(&AT_TIES),
            ..Facts::new(DEFINITION.name, Vocabulary::Numbers(shape.d_vocab), shape.n_ctx)
        };
        Arc::new(Majority { facts })
    },
};

const TOUR: &str = "\
2          every head attends almost uniformly: its `uni` is near 1, so that it averages what was seen
4 b        the neurons that track the target of the cursor best, along the sequence
o          beneath them the hypothesis that fits their sum best, with its R²; a: before the activation
B 6        without them: accuracy by class before and after, beside random neurons";

#[derive(Debug)]
struct Majority {
    facts: Facts,
}

impl Task for Majority {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn sequence(&self, random: &mut ChaCha8Rng) -> Vec<Token> {
        (0..self.facts.n_ctx).map(|_| random.gen_range(0..self.facts.vocabulary.len()) as Token).collect()
    }

    /// The notebook's `one_hot(x).cumsum(-2).argmax(-1)`.
    fn targets(&self, tokens: &[Token]) -> Targets {
        let mut counts = vec![0_u32; self.facts.vocabulary.len()];
        let mut leader = 0;
        let seen = tokens.iter().map(|&token| {
            let token = usize::from(token);
            counts[token] += 1;
            if counts[token] > counts[leader] || (counts[token] == counts[leader] && token < leader) {
                leader = token;
            }
            leader as Class
        });
        seen.collect()
    }
}

const SITUATIONS: [Situation; 1] =
    [Situation { name: "lead", values: &["tie", "1", "2", "3+"], of: lead_of_the_leader }];

/// The smallest of the tied tokens is the right answer.
static AT_TIES: Answers = Answers {
    name: "at ties",
    values: &["smallest", "larger", "untied"],
    of: smallest_and_larger_of_the_tied,
};

/// Where tokens share the largest count, the smallest of them, and the others.
fn smallest_and_larger_of_the_tied(tokens: &[Token]) -> Vec<Vec<Vec<Class>>> {
    let mut counts = vec![0_usize; usize::from(tokens.iter().copied().max().unwrap_or(0)) + 1];
    let kinds = tokens.iter().map(|&token| {
        counts[usize::from(token)] += 1;
        let most = counts.iter().max();
        let leaders = (0..).zip(&counts).filter(|(_, count)| Some(*count) == most).map(|(token, _)| token);
        let leaders: Vec<Class> = leaders.collect();
        match &leaders[..] {
            [_] | [] => Vec::new(),
            [smallest, larger @ ..] => vec![vec![*smallest], larger.to_vec()],
        }
    });
    kinds.collect()
}

/// The largest count minus the second largest, at each position.
fn lead_of_the_leader(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut counts = vec![0_usize; usize::from(tokens.iter().copied().max().unwrap_or(0)) + 2];
    let lead = tokens.iter().map(|&token| {
        counts[usize::from(token)] += 1;
        let mut most = [0, 0];
        for &count in &counts {
            most = if count > most[0] { [count, most[0]] } else { [most[0], most[1].max(count)] };
        }
        Some((most[0] - most[1]).min(3))
    });
    lead.collect()
}

const FEATURES: [Feature; 7] = [
    Feature::LABEL,
    Feature::of_task("z share", "z share", "standardised_share", |task, tokens, class| {
        standardised_share(tokens, class, task.vocabulary().len())
    }),
    Feature::new("leads", "leads", "lead_at_least_0", leads),
    Feature::new("count", "count", "count", count),
    Feature::new("lead", "lead", "lead", lead),
    Feature::new("share", "share", "share", share),
    Feature::new("last seen", "seen", "last_occurrence", last_seen),
];

/// The token's share, minus the mean of all tokens' shares, over their standard deviation; 0 where all are equal. What layer
/// norm makes of a row of shares.
fn standardised_share(tokens: &[Token], wanted: Class, d_vocab: usize) -> Vec<f32> {
    let mut counts = vec![0.0_f64; d_vocab];
    let mean = |values: &[f64]| values.iter().sum::<f64>() / d_vocab as f64;
    let seen = tokens.iter().map(|&token| {
        counts[usize::from(token)] += 1.0;
        let middle = mean(&counts);
        let squares: Vec<f64> = counts.iter().map(|count| (count - middle).powi(2)).collect();
        let deviation = mean(&squares).sqrt();
        let own = counts.get(usize::from(wanted)).copied().unwrap_or(0.0) - middle;
        if deviation > 0.0 { (own / deviation) as f32 } else { 0.0 }
    });
    seen.collect()
}

/// 1 where no other token is more frequent.
fn leads(tokens: &[Token], wanted: Class) -> Vec<f32> {
    lead(tokens, wanted).into_iter().map(|lead| f32::from(u8::from(lead >= 0.0))).collect()
}

/// Number of occurrences of the token so far.
fn count(tokens: &[Token], wanted: Class) -> Vec<f32> {
    let mut count = 0;
    let seen = tokens.iter().map(|&token| {
        count += u32::from(token == wanted);
        count as f32
    });
    seen.collect()
}

/// The token's count minus that of the most frequent other token.
fn lead(tokens: &[Token], wanted: Class) -> Vec<f32> {
    let mut others = vec![0_u32; usize::from(tokens.iter().copied().max().unwrap_or(0)) + 1];
    let mut most = 0;
    let seen = tokens.iter().zip(count(tokens, wanted)).map(|(&token, count)| {
        if token != wanted {
            others[usize::from(token)] += 1;
            most = most.max(others[usize::from(token)]);
        }
        count - most as f32
    });
    seen.collect()
}

/// The token's share of the positions so far.
fn share(tokens: &[Token], wanted: Class) -> Vec<f32> {
    count(tokens, wanted).into_iter().zip(1_u16..).map(|(count, so_far)| count / f32::from(so_far)).collect()
}

/// 1 / (1 + positions since its last occurrence); 0 before the first.
fn last_seen(tokens: &[Token], wanted: Class) -> Vec<f32> {
    let mut since = None;
    let seen = tokens.iter().map(|&token| {
        since = if token == wanted { Some(0) } else { since.map(|n: u32| n + 1) };
        since.map_or(0.0, |n| 1.0 / (1 + n) as f32)
    });
    seen.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Settings, Shape};
    use proptest::prelude::*;

    fn targets(tokens: &[Token], d_vocab: usize) -> Vec<Class> {
        let shape = Shape { n_ctx: tokens.len(), d_vocab, d_vocab_out: d_vocab };
        let task = (DEFINITION.task)(&Settings::new(), shape);
        task.targets(tokens).iter().flatten().copied().collect()
    }

    #[test]
    fn ties_go_to_the_smallest_token() {
        assert_eq!(targets(&[1, 5, 3, 6, 0, 9, 6], 10), [1, 1, 1, 1, 0, 0, 6]);
        assert_eq!(targets(&[9, 9, 3, 3, 3, 9], 10), [9, 9, 9, 3, 3, 3]);
    }

    #[test]
    fn a_lead_is_the_margin_of_the_most_frequent_token_over_the_next() {
        let leads = lead_of_the_leader(&[2, 1, 2, 2, 2, 1, 1, 1]);
        assert_eq!(leads, [1, 0, 1, 2, 3, 2, 1, 0].map(Some));
    }

    #[test]
    fn answers_at_ties_are_the_smallest_of_the_tied_a_larger_one_or_another_token() {
        let predictions = [Some(2), Some(1), Some(2), Some(2), Some(3), Some(3), None, Some(2)];
        let kinds = AT_TIES.kinds(&[2, 1, 3, 3, 1, 2, 0, 3], &predictions);
        // Tied: {1 2}, {1 2 3}, then {1 3}, {1 2 3} twice.
        assert_eq!(kinds, [None, Some(0), Some(1), None, Some(1), Some(1), Some(2), None]);
        assert_eq!(AT_TIES.kinds(&[5, 4], &[Some(5), Some(7)]), [None, Some(2)]);
    }

    #[test]
    fn each_feature_matches_its_name() {
        let tokens = [2, 1, 2, 0, 0, 0];
        assert_eq!(count(&tokens, 2), [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]);
        assert_eq!(lead(&tokens, 2), [1.0, 0.0, 1.0, 1.0, 0.0, -1.0]);
        assert_eq!(share(&tokens, 2)[3..4], [0.5]);
        assert_eq!(leads(&tokens, 2), [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        // Counts 1, 1, 2: mean 4/3, standard deviation sqrt(2)/3.
        let z = standardised_share(&tokens, 2, 3);
        assert!((z[3] - 2_f32.sqrt()).abs() < 1e-6 && z[1] > 0.0, "{z:?}");
        assert_eq!(last_seen(&tokens, 2)[..4], [1.0, 0.5, 1.0, 0.5]);
    }

    proptest! {
        #[test]
        fn equals_the_notebooks_definition(tokens in prop::collection::vec(0_u16..7, 0..60)) {
            let by_definition: Vec<Token> = (0..tokens.len())
                .map(|end| {
                    let count = |d: Token| tokens[..=end].iter().filter(|&&t| t == d).count();
                    (0..7).max_by_key(|&d| (count(d), std::cmp::Reverse(d))).unwrap()
                })
                .collect();
            prop_assert_eq!(targets(&tokens, 7), by_definition);
        }
    }
}
