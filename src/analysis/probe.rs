//! A probe: everything about one sequence, for one snapshot and one set of interventions.

use std::sync::Arc;

use super::attention::{HeadSummary, summaries};
use super::attribution::Attribution;
use super::logits::{log_sum_exp, prediction};
use super::neurons::NeuronDirections;
use crate::model::{
    Activations, Interventions, Means, ModelConfig, Patch, Snapshot, Weights, forward, forward_again,
};
use crate::task::{Class, Example, Targets, Token};

/// What to compute.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// Rises with every request; an answer to an older one is dropped.
    pub generation: u64,
    /// The weights; in an answer the folded ones, if they were asked for.
    pub snapshot: Arc<Snapshot>,
    /// Whether to look at the folded weights instead of the trained ones.
    pub folded: bool,
    /// From 1 to `n_ctx` tokens of the vocabulary.
    pub tokens: Arc<[Token]>,
    /// What is right at each of them.
    pub targets: Targets,
    /// What is switched off.
    pub interventions: Interventions,
    /// The averages an ablation to the mean uses; until they are known such an ablation is not run.
    pub means: Option<Arc<Means>>,
}

/// The forward pass of one sequence, and what follows from it.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Every activation.
    pub activations: Activations,
    /// The most likely class at each position, as [`prediction`] has it.
    pub predictions: Vec<Option<Class>>,
    /// Cross-entropy at each position that has a target, in nats.
    pub losses: Vec<Option<f32>>,
    /// Direct logit attribution of every writer.
    pub attribution: Attribution,
    /// By layer, then head.
    pub heads: Vec<HeadSummary>,
}

/// The answer to a [`ProbeRequest`].
#[derive(Clone, Debug)]
pub struct Probe {
    /// What was asked.
    pub request: ProbeRequest,
    /// Of the request's weights; shared like `clean`.
    pub directions: Arc<NeuronDirections>,
    /// With nothing switched off; shared with later probes of the same weights and tokens.
    pub clean: Arc<Pass>,
    /// With the interventions, if there are any.
    pub ablated: Option<Pass>,
    /// Values that the interventions replaced.
    pub cells: usize,
}

impl Probe {
    /// The pass with the interventions in force: the ablated one if there is one.
    pub fn current(&self) -> &Pass {
        self.ablated.as_ref().unwrap_or(&self.clean)
    }

    /// What is right at a position, if anything is.
    pub fn label(&self, position: usize) -> Option<Class> {
        self.request.targets.get(position).copied().flatten()
    }

    /// Positions.
    pub fn len(&self) -> usize {
        self.request.tokens.len()
    }

    /// Whether there is no position; never so for a request that was valid.
    pub fn is_empty(&self) -> bool {
        self.request.tokens.is_empty()
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.request.snapshot.config()
    }
}

impl Pass {
    /// Runs a sequence with `patch` in force.
    pub fn run(weights: &Weights, example: Example<'_>, patch: &Patch) -> Self {
        let mut activations = Activations::new(weights.config(), example.tokens().len());
        forward(weights, example.tokens(), patch, &mut activations);
        Self::of(weights, example, activations)
    }

    /// The pass of the same sequence with `patch` in force, from this one with none: only what follows is run again.
    #[must_use]
    pub fn patched(&self, weights: &Weights, example: Example<'_>, patch: &Patch) -> Self {
        let mut activations = self.activations.clone();
        forward_again(weights, patch, &mut activations);
        Self::of(weights, example, activations)
    }

    fn of(weights: &Weights, example: Example<'_>, activations: Activations) -> Self {
        let rows = || activations.logits.chunks_exact(weights.config().outputs());
        let loss = |(row, target): (&[f32], &Option<Class>)| {
            target.map(|target| log_sum_exp(row) - row[usize::from(target)])
        };
        Self {
            predictions: rows().map(prediction).collect(),
            losses: rows().zip(example.targets()).map(loss).collect(),
            attribution: Attribution::new(weights, example.tokens(), &activations),
            heads: summaries(weights, &activations),
            activations,
        }
    }

    /// Mean cross-entropy over targets, in nats; `None` where there is none.
    pub fn loss(&self) -> Option<f32> {
        let scored = self.losses.iter().flatten().count();
        (scored > 0).then(|| self.losses.iter().flatten().sum::<f32>() / scored as f32)
    }

    /// Share of targets that are predicted; `None` where there is none.
    pub fn accuracy(&self, targets: &[Option<Class>]) -> Option<f32> {
        let scored = self.predictions.iter().zip(targets).filter(|(_, target)| target.is_some());
        let (right, all) = scored.fold((0, 0), |(right, all), (prediction, target)| {
            (right + usize::from(prediction == target), all + 1)
        });
        (all > 0).then(|| right as f32 / all as f32)
    }

    /// Logits at a position, `[d_vocab_out]`.
    pub fn logits(&self, position: usize) -> &[f32] {
        let outputs = self.activations.logits.len() / self.activations.len;
        &self.activations.logits[position * outputs..(position + 1) * outputs]
    }

    /// Probabilities at a position, `[d_vocab_out]`.
    pub fn probabilities(&self, position: usize) -> Vec<f32> {
        let logits = self.logits(position);
        let normalizer = log_sum_exp(logits);
        logits.iter().map(|logit| (logit - normalizer).exp()).collect()
    }

    /// A neuron's activation (`mlp.hook_post`) at a position; 0 in a model without neurons.
    pub fn neuron(&self, layer: usize, neuron: usize, position: usize) -> f32 {
        self.activations.neuron(layer, neuron, position)
    }

    /// A head's attention from a query, `[key]`.
    pub fn attention(&self, layer: usize, head: usize, query: usize) -> &[f32] {
        let len = self.activations.len;
        &self.activations.blocks[layer].attn.pattern[(head * len + query) * len..][..len]
    }
}

/// Runs a request on its snapshot as it is: who asked for folded weights has put them there. Tokens must be of the
/// vocabulary and no more than `n_ctx`.
pub fn probe(request: ProbeRequest) -> Probe {
    probe_after(request, None)
}

/// As [`probe`], computing nothing again that `last`, if there is one, has for the same weights and tokens.
pub fn probe_after(request: ProbeRequest, last: Option<&Known>) -> Probe {
    let weights = &request.snapshot.weights;
    let config = weights.config();
    let example = Example::new(&request.tokens, &request.targets);
    let known = last.filter(|known| Arc::ptr_eq(&known.snapshot, &request.snapshot));
    let directions = known.map(|known| Arc::clone(&known.directions));
    let directions = directions.unwrap_or_else(|| Arc::new(NeuronDirections::new(weights)));
    let clean = known.filter(|known| known.tokens == request.tokens).map(|known| Arc::clone(&known.clean));
    let run = || Arc::new(Pass::run(weights, example, &Patch::default()));
    let clean = clean.unwrap_or_else(run);
    let ablated = (!request.interventions.is_empty()).then(|| {
        let patch = request.interventions.patch(config, request.means.as_deref());
        clean.patched(weights, example, &patch)
    });
    let cells = request.interventions.cells(config, request.tokens.len());
    Probe { request, directions, clean, ablated, cells }
}

/// What a probe leaves for the next one.
#[derive(Clone, Debug)]
pub struct Known {
    snapshot: Arc<Snapshot>,
    tokens: Arc<[Token]>,
    directions: Arc<NeuronDirections>,
    clean: Arc<Pass>,
}

impl Known {
    /// From an answer.
    pub fn of(probe: &Probe) -> Self {
        let ProbeRequest { snapshot, tokens, .. } = &probe.request;
        Self {
            snapshot: Arc::clone(snapshot),
            tokens: Arc::clone(tokens),
            directions: Arc::clone(&probe.directions),
            clean: Arc::clone(&probe.clean),
        }
    }
}
