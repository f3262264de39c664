//! The edits of the screen and the command line.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ModelConfig;
use super::edit::{AblationKind, Change, Edit, Hook, Means, PatternKind, Positions};
use super::ids::{HeadId, NeuronId};
use super::patch::Patch;
use super::visible::VisibleKeys;

/// The edits of the screen and the command line: heads ablated at `attn.hook_z`, neurons at `mlp.hook_post`, patterns
/// replaced at `attn.hook_pattern`, usually at every position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interventions {
    /// Ablated heads.
    pub heads: BTreeSet<HeadId>,
    /// Ablated neurons.
    pub neurons: BTreeSet<NeuronId>,
    /// The replacement for ablated heads and neurons.
    pub kind: AblationKind,
    /// Attention-pattern overrides by head.
    pub patterns: BTreeMap<HeadId, PatternKind>,
    /// The positions of all of them; of a pattern, its queries.
    pub positions: Positions,
}

impl Interventions {
    /// Whether there are no interventions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of heads and neurons switched off, and of patterns replaced.
    pub fn len(&self) -> usize {
        self.heads.len() + self.neurons.len() + self.patterns.len()
    }

    /// Switches a head off, or on again.
    pub fn toggle_head(&mut self, id: HeadId) {
        if !self.heads.remove(&id) {
            self.heads.insert(id);
        }
    }

    /// Switches a neuron off, or on again.
    pub fn toggle_neuron(&mut self, id: NeuronId) {
        if !self.neurons.remove(&id) {
            self.neurons.insert(id);
        }
    }

    /// Removes all interventions.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.neurons.clear();
        self.patterns.clear();
    }

    /// The interventions as a list of edits.
    pub fn edits(&self) -> Vec<Edit> {
        let change = match self.kind {
            AblationKind::Zero => Change::Zero,
            AblationKind::Mean => Change::Mean,
            AblationKind::MeanPosition => Change::MeanPosition,
            AblationKind::Resample => Change::Donor,
        };
        let edit = |layer, hook, index, change| Edit {
            layer,
            hook,
            indices: vec![index],
            positions: self.positions.clone(),
            change,
        };
        let heads = self.heads.iter().map(|id| edit(id.layer, Hook::Z, id.head, change));
        let neurons = self.neurons.iter().map(|id| edit(id.layer, Hook::Post, id.neuron, change));
        let pattern = |(id, kind): (&HeadId, &PatternKind)| {
            edit(id.layer, Hook::Pattern, id.head, Change::Pattern(*kind))
        };
        heads.chain(neurons).chain(self.patterns.iter().map(pattern)).collect()
    }

    /// Number of values replaced in a sequence.
    pub fn cells(&self, config: &ModelConfig, keys: &VisibleKeys) -> usize {
        self.edits().iter().map(|edit| edit.cells(config, keys)).sum()
    }

    /// The replacement values. `means` are those of the donor if values are resampled. Without `means`, every ablation
    /// is to zero.
    pub fn patch(&self, config: &ModelConfig, means: Option<&Means>) -> Patch {
        Patch::new(config, &self.edits(), means)
    }
}
