//! A layer's neurons at the cursor, in the order of the list.

use super::{App, Sort};
use crate::analysis::Pass;
use crate::analysis::attribution::ResolvedTarget;
use crate::inquiry::Probe;
use crate::model::NeuronId;

/// One neuron at the cursor's position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NeuronFigures {
    pub(crate) neuron: usize,
    pub(crate) activation: f32,
    pub(crate) contribution: f32,
    pub(crate) off: bool,
}

impl App {
    /// The pass that a neuron is shown of: one that is off is shown as it would be, so that it keeps its place.
    pub(crate) fn pass_of<'a>(&self, probe: &'a Probe, id: NeuronId) -> &'a Pass {
        if self.ablation.off.neurons.contains(&id) { &probe.clean } else { probe.current() }
    }

    /// The cursor's position in the answer at hand, which may be of a shorter sequence.
    pub(crate) fn position_in(&self, probe: &Probe) -> usize {
        self.cursor.position.min(probe.len().saturating_sub(1))
    }

    /// The target at a position, resolved without the ablation, so that ablating does not change the target.
    pub(crate) fn target_at(&self, probe: &Probe, position: usize) -> ResolvedTarget {
        probe.resolved(self.cursor.target, position)
    }

    /// Every neuron of the cursor's layer at its position, sorted.
    pub(crate) fn neurons(&self, probe: &Probe) -> Vec<NeuronFigures> {
        if probe.is_empty() {
            return Vec::new();
        }
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let directions = &probe.directions;
        let layer = self.cursor.layer;
        // Ranked without the ablation: otherwise each neuron that is switched off would reorder the list.
        let rank = |neuron: usize| match self.settings.sort {
            Sort::Contribution => {
                directions.contribution(&probe.clean.activations, layer, neuron, position, target).abs()
            }
            Sort::Activation => probe.clean.neuron(layer, neuron, position).abs(),
            Sort::Index => 0.0,
        };
        let mut order: Vec<(f32, usize)> =
            (0..probe.config().d_mlp).map(|neuron| (rank(neuron), neuron)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order
            .into_iter()
            .map(|(_, neuron)| {
                let id = NeuronId { layer, neuron };
                let pass = self.pass_of(probe, id);
                NeuronFigures {
                    neuron,
                    activation: pass.neuron(layer, neuron, position),
                    contribution: directions.contribution(&pass.activations, layer, neuron, position, target),
                    off: self.ablation.off.neurons.contains(&id),
                }
            })
            .collect()
    }
}
