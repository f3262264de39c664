//! Which eigenvalues make a head's copying score, and what would permuted tokens give?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress};
use super::{Answer, Findings};
use crate::analysis::controls::percentile;
use crate::analysis::copying::Copying;
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::HeadId;

/// Eigenvalues of the OV circuit.
pub static OV_EIGENVALUES: Spec = Spec {
    name: "ov_eigenvalues",
    definition: "eigenvalues of ov_circuit, real and imaginary parts, the largest absolute value first; none where there is no \
                 copying_score",
    source: "Elhage et al. 2021",
    axes: &[Dim::Layer, Dim::Head, Dim::Rank, Dim::Part],
    ..Spec::BARE
};

/// Copying scores of permuted tokens.
pub static PERMUTED_COPYING: Spec = Spec {
    name: "copying_of_permuted",
    definition: "copying_score of ov_circuit with its rows permuted, over 100 random permutations of the tokens: mean and standard \
                 deviation, and the percentile of copying_score among them",
    axes: &[Dim::Layer, Dim::Head, Dim::Part],
    ..Spec::BARE
};

/// By layer, then head; `None` where there is no copying score.
pub type Copyings = Vec<Option<Copying>>;

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    let heads = subject.snapshot.config().heads().collect();
    Box::new(Asked { subject: subject.clone(), heads, found: Vec::new() })
}

struct Asked {
    subject: Subject,
    heads: Vec<HeadId>,
    found: Copyings,
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = bench.weights(&self.subject);
        let next = self.heads.get(self.found.len());
        self.found.extend(next.map(|id| Copying::new(&weights.weights, *id)));
        if self.found.len() < self.heads.len() {
            return Progress::More;
        }
        Progress::Done(Findings::Copying(Arc::new(std::mem::take(&mut self.found))))
    }
}

/// [`OV_EIGENVALUES`] and [`PERMUTED_COPYING`].
pub fn figures(answer: &Answer, found: &Arc<Copyings>) -> [Arc<Figure>; 2] {
    let n_heads = answer.config().n_heads;
    let ranks = found.iter().flatten().map(|one| one.eigenvalues.len()).max().unwrap_or_default();
    let (eigen, null) = (Arc::clone(found), Arc::clone(found));
    let axes = [Axis::counted(Dim::Rank, ranks), Axis::named(Dim::Part, ["re", "im"])];
    let eigenvalues = answer.figure(&OV_EIGENVALUES, answer.by_head(axes), move |at| -> Datum {
        let one = eigen[at[0] * n_heads + at[1]].as_ref();
        one.and_then(|one| one.eigenvalues.get(at[2])).map(|value| value[at[3]]).into()
    });
    let parts = Axis::named(Dim::Part, ["mean", "deviation", "percentile"]);
    let permuted = answer.figure(&PERMUTED_COPYING, answer.by_head([parts]), move |at| -> Datum {
        let one = null[at[0] * n_heads + at[1]].as_ref();
        one.and_then(|one| statistics(one, at[2])).into()
    });
    [eigenvalues, permuted]
}

/// Mean (0) and standard deviation (1) of the permuted scores, and the percentile of the score (2).
fn statistics(of: &Copying, which: usize) -> Option<f64> {
    let n = of.permuted.len() as f64;
    let mean = of.permuted.iter().sum::<f64>() / n;
    let variance = of.permuted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    match which {
        _ if of.permuted.is_empty() => None,
        0 => Some(mean),
        1 => Some(variance.sqrt()),
        _ => percentile(&of.permuted, of.score()),
    }
}
