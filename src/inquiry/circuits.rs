//! What do the weights alone say about each head? One head per step.

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Once, Progress};
use super::{Answer, Findings};
use crate::analysis::LowRank;
use crate::analysis::circuits::{HeadCircuits, HeadDrive, HeadMaps, qk_over_positions};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::HeadId;
use crate::task::Task;

/// QK circuit over tokens.
pub static QK_TOKENS: Spec = Spec {
    name: "qk_circuit",
    definition: "W_E W_Q W_K^T W_E^T of one head: how well a query token matches a key token, of the folded weights, without \
                 attn_scale and norm scales",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::QueryToken, Dim::Token],
    ..Spec::BARE
};

/// QK circuit over positions.
pub static QK_POSITIONS: Spec = Spec {
    name: "qk_circuit_of_positions",
    definition: "W_pos W_Q W_K^T W_pos^T of one head: how well a query position matches a key position, of the folded weights, \
                 without attn_scale and norm scales",
    source: "Elhage et al. 2021, QK circuit",
    axes: &[Dim::Query, Dim::Key],
    ..Spec::BARE
};

/// From tokens to logits.
pub static OV_LOGITS: Spec = Spec {
    name: "ov_circuit",
    definition: "W_E W_V W_O W_U of one head: what an attended token adds to each logit, of the folded weights, W_U centred \
                 over classes, without the final norm's scale",
    source: "Elhage et al. 2021, OV circuit",
    axes: &[Dim::Token, Dim::Class],
    ..Spec::BARE
};

/// From tokens to neurons.
pub static OV_NEURONS: Spec = Spec {
    name: "ov_circuit_to_neurons",
    definition: "W_E W_V W_O W_in of one head, of the folded weights, minus the mean over tokens: how an attended \
                 token drives each neuron of the layer",
    source: "Elhage et al. 2021, OV circuit",
    axes: &[Dim::Token, Dim::Neuron],
    ..Spec::BARE
};

/// Whether a head copies.
pub static COPYING_SCORE: Spec = Spec {
    name: "copying_score",
    definition: "the sum of the eigenvalues of ov_circuit divided by the sum of their absolute values: 1 if all \
                 are positive, -1 if all are negative; none if the classes are not the tokens, for two tokens, or with a \
                 d_head of 1, where a single eigenvalue decides",
    source: "Elhage et al. 2021",
    baseline: "copying_of_permuted",
    axes: &[Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Singular values of the QK circuit.
pub static QK_SINGULAR: Spec = Spec {
    name: "qk_singular_values",
    definition: "singular values of qk_circuit, at most d_head, the largest first; all others are 0",
    axes: &[Dim::Layer, Dim::Head, Dim::Rank],
    ..Spec::BARE
};

/// Singular values of the token-to-logit map.
pub static OV_SINGULAR: Spec = Spec {
    name: "ov_singular_values",
    definition: "singular values of ov_circuit, at most d_head, the largest first; all others are 0",
    axes: &[Dim::Layer, Dim::Head, Dim::Rank],
    ..Spec::BARE
};

/// The scores of every head's circuits as figures.
pub struct Figures {
    /// [`COPYING_SCORE`].
    pub copying_score: Arc<Figure>,
    /// [`QK_SINGULAR`].
    pub qk_singular: Arc<Figure>,
    /// [`OV_SINGULAR`].
    pub ov_singular: Arc<Figure>,
}

/// The scores of every head's circuits.
pub fn figures(answer: &Answer, found: &Arc<Vec<HeadCircuits>>) -> Figures {
    let n_heads = answer.config().n_heads;
    let singular = |spec, of: fn(&HeadCircuits) -> &[f32]| {
        let ranks = found.iter().map(|head| of(head).len()).max().unwrap_or_default();
        let found = Arc::clone(found);
        answer.figure(spec, answer.by_head([Axis::counted(Dim::Rank, ranks)]), move |at| {
            of(&found[at[0] * n_heads + at[1]]).get(at[2]).copied()
        })
    };
    let copying = Arc::clone(found);
    Figures {
        copying_score: answer.figure(&COPYING_SCORE, answer.by_head([]), move |at| {
            copying[at[0] * n_heads + at[1]].copying_score
        }),
        qk_singular: singular(&QK_SINGULAR, |head| &head.qk_singular),
        ov_singular: singular(&OV_SINGULAR, |head| &head.ov_singular),
    }
}

/// A map of the requested head.
fn map(
    answer: &Answer,
    spec: &'static Spec,
    axes: [Axis; 2],
    cell: impl Fn(usize, usize) -> Option<f32> + Send + Sync + 'static,
) -> Arc<Figure> {
    of_head(&answer.figure(spec, axes.into(), move |at| cell(at[0], at[1])), answer)
}

/// [`QK_TOKENS`] of the requested head.
pub fn qk_tokens(answer: &Answer, found: &Arc<HeadMaps>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let (found, axes) = (Arc::clone(found), [Axis::query_tokens(task), Axis::tokens(task)]);
    map(answer, &QK_TOKENS, axes, move |query, key| found.qk.get(query, key))
}

/// [`OV_LOGITS`] of the requested head.
pub fn ov_logits(answer: &Answer, found: &Arc<HeadMaps>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let (found, axes) = (Arc::clone(found), [Axis::tokens(task), Axis::classes(task)]);
    map(answer, &OV_LOGITS, axes, move |token, class| found.ov_logit.get(token, class))
}

/// [`QK_POSITIONS`] of the requested head; empty where a key is after its query.
pub fn positions(answer: &Answer, found: &Arc<LowRank>) -> Arc<Figure> {
    let axes = [Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, answer.config().n_ctx));
    let found = Arc::clone(found);
    map(answer, &QK_POSITIONS, axes, move |query, key| found.get(query, key).filter(|_| key <= query))
}

/// [`OV_NEURONS`] of the requested head.
pub fn drive(answer: &Answer, found: &Arc<HeadDrive>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let axes = [Axis::tokens(task), Axis::counted(Dim::Neuron, answer.config().d_mlp)];
    let found = Arc::clone(found);
    map(answer, &OV_NEURONS, axes, move |token, neuron| found.values.get(token, neuron))
}

fn of_head(figure: &Figure, answer: &Answer) -> Arc<Figure> {
    let head = answer.inquiry.question.head();
    figure.asked_with("head", &head.map_or_else(String::new, |id| format!("{}.{}", id.layer, id.head)))
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    let heads: Vec<HeadId> = subject.snapshot.config().heads().collect();
    Box::new(Circuits { subject: subject.clone(), heads, found: Vec::new() })
}

/// A head's maps over the vocabulary.
pub(super) fn ask_maps(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    Box::new(Once(move |bench: &Bench| Findings::Maps(bench.maps(&subject, id))))
}

/// How well positions match as query and key in a head.
pub(super) fn ask_positions(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    let positions = move |bench: &Bench| qk_over_positions(&bench.weights(&subject).weights, id);
    Box::new(Once(move |bench: &Bench| Findings::Positions(Arc::new(positions(bench)))))
}

/// How a head drives the neurons of its layer.
pub(super) fn ask_drive(subject: &Subject, id: HeadId) -> Box<dyn Job> {
    let subject = subject.clone();
    Box::new(Once(move |bench: &Bench| Findings::Drive(bench.drive(&subject, id))))
}

struct Circuits {
    subject: Subject,
    heads: Vec<HeadId>,
    found: Vec<HeadCircuits>,
}

impl Job for Circuits {
    fn step(&mut self, bench: &Bench) -> Progress {
        let weights = bench.weights(&self.subject);
        let next = self.heads.get(self.found.len());
        self.found.extend(next.map(|id| HeadCircuits::new(&weights.weights, *id)));
        if self.found.len() < self.heads.len() {
            return Progress::More;
        }
        Progress::Done(Findings::Circuits(Arc::new(std::mem::take(&mut self.found))))
    }
}
