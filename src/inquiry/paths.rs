//! Which paths from a token through a head and a neuron add most to a target?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, Progress};
use super::passes::Probe;
use super::{Answer, Findings};
use crate::analysis::circuits::{HeadDrive, drive};
use crate::analysis::{Readout, ResolvedTarget};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::HeadId;
use crate::task::{Task, Token};

/// Paths from tokens to a target.
pub static PATHS: Spec = Spec {
    name: "token_paths",
    definition: "paths from a token through a head and a neuron of its layer to the target, largest |score| first. \
                 score: ov_circuit_to_neurons times what the neuron adds to the target per unit of activation, \
                 both always from the folded weights. drive: what the token's positions add to the neuron's \
                 hook_pre at the query. neuron_contribution: contribution of the whole neuron at the query",
    source: "Elhage et al. 2021, virtual weights",
    axes: &[Dim::Rank, Dim::Part],
    ..Spec::BARE
};

/// The values of a path, in the order of [`PATHS`]' last axis.
pub const PARTS: [&str; 7] = ["token", "layer", "head", "neuron", "score", "drive", "neuron_contribution"];

/// [`PATHS`].
pub fn figure(answer: &Answer, found: &Arc<Vec<TokenPath>>, task: &Arc<dyn Task>) -> Arc<Figure> {
    let axes = vec![Axis::counted(Dim::Rank, found.len()), Axis::named(Dim::Part, PARTS)];
    let (found, names) = (Arc::clone(found), Arc::clone(task));
    let figure = answer.figure(&PATHS, axes, move |at| {
        let path = &found[at[0]];
        match at[1] {
            0 => Datum::token(&*names, path.token),
            1 => path.head.layer.into(),
            2 => path.head.head.into(),
            3 => path.neuron.into(),
            4 => path.score.into(),
            5 => path.drive.into(),
            _ => path.contribution.into(),
        }
    });
    let Some(to) = answer.inquiry.question.paths_to() else { return figure };
    let target = task.outputs().name(to.target.plus);
    let target = to
        .target
        .minus
        .map_or(target.clone(), |minus| format!("{target} minus {}", task.outputs().name(minus)));
    figure.asked_with("position", &to.position.to_string()).asked_with("target", &target)
}

/// Number of paths kept.
const KEPT: usize = 64;

/// A path from a token through a head and a neuron to a logit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPath {
    /// The token attended to.
    pub token: Token,
    /// The head.
    pub head: HeadId,
    /// The neuron, of the head's layer.
    pub neuron: usize,
    /// From the weights alone: how much more the token drives the neuron than the average token does, times what the
    /// neuron adds to the target at an activation of 1.
    pub score: f32,
    /// What the token's positions add to the neuron's `hook_pre` at the query, through the attention there; zero
    /// through a head that is off, even if its pattern is replaced.
    pub drive: f32,
    /// What the neuron adds to the target at the query.
    pub contribution: f32,
}

/// The end of the paths.
#[derive(Clone, Debug, PartialEq)]
pub struct PathsTo {
    /// The folded weights that rank the paths; the probe may be of another snapshot.
    pub ranked_by: Subject,
    /// The block of the heads and neurons.
    pub layer: usize,
    /// The query.
    pub position: usize,
    /// The logit, or difference of two logits.
    pub target: ResolvedTarget,
}

pub(super) fn ask(subject: &Subject, to: &PathsTo) -> Box<dyn Job> {
    Box::new(Paths { subject: subject.clone(), to: to.clone(), means: MeansOf::default() })
}

struct Paths {
    subject: Subject,
    to: PathsTo,
    means: MeansOf,
}

impl Job for Paths {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(patch) = self.means.patch(&self.subject, bench) else { return Progress::More };
        let (by, to) = (&self.to.ranked_by, &self.to);
        let heads = self.subject.snapshot.config().heads().filter(|id| id.layer == to.layer);
        let drives: Vec<Arc<HeadDrive>> = heads.map(|id| bench.drive(by, id)).collect();
        let probe = Probe::of(&self.subject, &patch, bench);
        Progress::Done(Findings::Paths(Arc::new(paths(&drives, &bench.readout(by), &probe, to, KEPT))))
    }
}

/// The `most` paths of a layer with the largest |score|, with values measured by a probe, including its edits. `drives`
/// and `readout` are of the same folded weights.
pub fn paths(
    drives: &[Arc<HeadDrive>],
    readout: &Readout,
    probe: &Probe,
    to: &PathsTo,
    most: usize,
) -> Vec<TokenPath> {
    let (pass, d_mlp) = (probe.current(), probe.config().d_mlp);
    let adds: Vec<f32> = (0..d_mlp).map(|neuron| readout.neuron(to.layer, neuron, to.target)).collect();
    let mut found = Vec::new();
    for head in drives {
        let is_off = probe.ablated.is_some() && probe.subject.edits.heads.contains(&head.id);
        let (seen, measured) = if is_off {
            Default::default()
        } else {
            drive(&probe.weights.weights, pass, probe.tokens(), head.id, to.position)
        };
        for (cell, value) in head.values.dense().into_iter().enumerate() {
            let (token, neuron) = ((cell / d_mlp) as Token, cell % d_mlp);
            let row = seen.binary_search(&token).ok();
            found.push(TokenPath {
                token,
                head: head.id,
                neuron,
                score: value * adds[neuron],
                drive: row.map_or(0.0, |row| measured[row * d_mlp + neuron]),
                contribution: 0.0,
            });
        }
    }
    found.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    found.truncate(most);
    for path in &mut found {
        path.contribution =
            probe.readout.contribution(&pass.activations, to.layer, path.neuron, to.position, to.target);
    }
    found
}
