//! How much of what an earlier head writes does a later head read?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress};
use super::{Answer, Findings};
use crate::analysis::composition::{INTO, into_head, of_random};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::{HeadId, ModelConfig};

/// Composition scores.
pub static COMPOSITION: Spec = Spec {
    name: "composition_score",
    definition: "|A B| / (|A| |B|), Frobenius norms, of the folded weights: A is W_V W_O of the earlier head; B is W_Q W_K^T of \
                 the later head for Q, its transpose for K, W_V W_O for V",
    source: "Elhage et al. 2021; TransformerLens all_composition_scores",
    baseline: "composition_of_random",
    axes: &[Dim::Part, Dim::EarlierHead, Dim::LaterHead],
    ..Spec::BARE
};

/// Composition scores of random matrices.
pub static RANDOM_COMPOSITION: Spec = Spec {
    name: "composition_of_random",
    definition: "composition_score of 200 pairs of products of random normal factors of the heads' shapes: mean, 2.5th and 97.5th \
                 percentile",
    axes: &[Dim::Part],
    ..Spec::BARE
};

/// Composition of every pair of heads of two layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compositions {
    /// By later head, from the second layer on; then earlier head, as Q, K and V.
    pub into: Vec<Vec<[f64; 3]>>,
    /// Mean, 2.5th and 97.5th percentile of random matrices.
    pub random: [f64; 3],
}

impl Compositions {
    /// The score of a pair as Q (0), K (1) or V (2); `None` unless the second head is of a later layer.
    pub fn score(&self, c: &ModelConfig, part: usize, [earlier, later]: [HeadId; 2]) -> Option<f64> {
        let of = self.into.get((later.layer * c.n_heads + later.head).checked_sub(c.n_heads)?)?;
        of.get(earlier.layer * c.n_heads + earlier.head).map(|scores| scores[part])
    }
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), found: Compositions::default() })
}

struct Asked {
    subject: Subject,
    found: Compositions,
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = &bench.weights(&self.subject).weights;
        let c = weights.config();
        if let Some(later) = c.heads().nth(c.n_heads + self.found.into.len()) {
            self.found.into.push(into_head(weights, later));
            return Progress::More;
        }
        let scores = of_random(c);
        let at = |share: f64| scores[((scores.len() - 1) as f64 * share).round() as usize];
        self.found.random = [scores.iter().sum::<f64>() / scores.len() as f64, at(0.025), at(0.975)];
        Progress::Done(Findings::Composition(Arc::new(std::mem::take(&mut self.found))))
    }
}

/// [`COMPOSITION`] and [`RANDOM_COMPOSITION`].
pub fn figures(answer: &Answer, found: &Arc<Compositions>) -> [Arc<Figure>; 2] {
    let c = answer.config().clone();
    let names = || c.heads().map(|id| format!("{}.{}", id.layer, id.head));
    let axes = vec![
        Axis::named(Dim::Part, INTO),
        Axis::named(Dim::EarlierHead, names()),
        Axis::named(Dim::LaterHead, names()),
    ];
    let (pairs, random) = (Arc::clone(found), Arc::clone(found));
    let scores = answer.figure(&COMPOSITION, axes, move |at| {
        let id = |flat: usize| HeadId { layer: flat / c.n_heads, head: flat % c.n_heads };
        pairs.score(&c, at[0], [id(at[1]), id(at[2])])
    });
    let axes = vec![Axis::named(Dim::Part, ["mean", "2.5%", "97.5%"])];
    [scores, answer.figure(&RANDOM_COMPOSITION, axes, move |at| random.random[at[0]])]
}
