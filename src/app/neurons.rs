//! A layer's neurons at the cursor, in the order of the list.

use super::{App, Sort};
use crate::analysis::Pass;
use crate::analysis::ResolvedTarget;
use crate::inquiry::Probe;
use crate::model::NeuronId;

impl App {
    /// The pass that a neuron's value is read from: a neuron that is off keeps its clean value, and so its place in the
    /// list.
    pub(crate) fn pass_of<'a>(&self, probe: &'a Probe, id: NeuronId) -> &'a Pass {
        if self.ablation.off.neurons.contains(&id) { &probe.clean } else { probe.current() }
    }

    /// The cursor's position, clamped to the last answer, which may be of a shorter sequence.
    pub(crate) fn position_in(&self, probe: &Probe) -> usize {
        self.cursor.position.min(probe.len().saturating_sub(1))
    }

    /// The target at a position, resolved without the ablation, so that ablating does not change the target.
    pub(crate) fn target_at(&self, probe: &Probe, position: usize) -> ResolvedTarget {
        probe.resolved(self.cursor.target, position)
    }

    /// The neurons of the cursor's layer in list order. Ranked without the edits: otherwise each neuron switched off
    /// would reorder the list.
    pub(crate) fn neuron_order(&self, probe: &Probe) -> Vec<usize> {
        if probe.is_empty() {
            return Vec::new();
        }
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let (layer, clean) = (self.cursor.layer, &probe.clean);
        let single = self.studies.single_neurons(layer).map(|(_, found)| found);
        let rank = |neuron: usize| match self.settings.sort {
            Sort::Contribution => {
                probe.readout.contribution(&clean.activations, layer, neuron, position, target).abs()
            }
            Sort::Activation => {
                self.settings.hook.of(&clean.activations, NeuronId { layer, neuron }, position).abs()
            }
            Sort::Damage => single.map_or(0.0, |found| found.ablated[neuron][0].loss as f32),
            Sort::Index => 0.0,
        };
        let mut order: Vec<(f32, usize)> =
            (0..probe.config().d_mlp).map(|neuron| (rank(neuron), neuron)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.into_iter().map(|(_, neuron)| neuron).collect()
    }
}
