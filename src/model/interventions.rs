//! The edits of the screen and the command line.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ModelConfig;
use super::edit::{AblationKind, Change, Edit, Hook, Means, PatternKind, Positions};
use super::ids::{HeadId, NeuronId};
use super::patch::Patch;
use super::rule::{Becomes, EditRule, Site};
use super::rule_table::{EditTable, To};
use super::visible::VisibleKeys;
use crate::task::Token;

/// The edits of the screen and the command line: heads ablated at `attn.hook_z`, neurons at `mlp.hook_post`, patterns
/// replaced at `attn.hook_pattern`, usually at every position; and a list of edits of any kind.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// Edits of any kind, each with its own positions.
    pub list: Vec<EditRule>,
}

impl Interventions {
    /// Whether there are no interventions.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of heads and neurons switched off, of patterns replaced, and of edits in the list.
    pub fn len(&self) -> usize {
        self.switched() + self.list.len()
    }

    /// Number of heads and neurons switched off, and of patterns replaced.
    pub fn switched(&self) -> usize {
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
        self.list.clear();
    }

    /// A list of edits, of which those of whole heads, neurons and patterns become switches like those of the keys, as far as
    /// they are of one kind.
    pub fn of_list(list: Vec<EditRule>) -> Self {
        let mut all = Self::default();
        let kind_of = |edit: &EditRule| match (&edit.becomes, edit.site) {
            (Becomes::Zero, Site::Of(Hook::Z | Hook::Post)) => Some(AblationKind::Zero),
            (Becomes::Mean, Site::Of(Hook::Z | Hook::Post)) => Some(AblationKind::Mean),
            (Becomes::MeanPosition, Site::Of(Hook::Z | Hook::Post)) => Some(AblationKind::MeanPosition),
            (Becomes::Resample, Site::Of(Hook::Z | Hook::Post)) => Some(AblationKind::Resample),
            _ => None,
        };
        let is_switch = |edit: &EditRule| edit.places.is_none() && edit.reader.is_none();
        all.kind = list.iter().filter(|edit| is_switch(edit)).find_map(kind_of).unwrap_or_default();
        for edit in list {
            let layer = edit.layer;
            let heads = edit.indices.iter().map(|head| HeadId { layer, head: *head });
            let neurons = edit.indices.iter().map(|neuron| NeuronId { layer, neuron: *neuron });
            let is_of_kind = kind_of(&edit) == Some(all.kind);
            match (&edit.becomes, edit.site) {
                _ if !is_switch(&edit) => all.list.push(edit),
                (Becomes::Pattern(kind), _) => all.patterns.extend(heads.map(|id| (id, *kind))),
                (_, Site::Of(Hook::Z)) if is_of_kind => all.heads.extend(heads),
                (_, Site::Of(Hook::Post)) if is_of_kind => all.neurons.extend(neurons),
                _ => all.list.push(edit),
            }
        }
        all
    }

    /// The same with the list as switches where nothing else is switched, see [`of_list`](Self::of_list).
    #[must_use]
    pub fn with_switches(self) -> Self {
        if self.switched() == 0 { Self::of_list(self.list) } else { self }
    }

    /// Adds an edit to the list, or removes the one that says the same.
    pub fn toggle(&mut self, edit: EditRule) {
        match self.list.iter().position(|other| *other == edit) {
            Some(at) => drop(self.list.remove(at)),
            None => self.list.push(edit),
        }
    }

    /// What an ablated value becomes, as a word of a file.
    pub fn to(&self) -> To {
        match self.kind {
            AblationKind::Zero => To::Zero,
            AblationKind::Mean => To::Mean,
            AblationKind::MeanPosition => To::MeanPosition,
            AblationKind::Resample => To::Resample,
        }
    }

    /// All of them as tables of a file.
    pub fn tables(&self) -> Vec<EditTable> {
        let to = self.to();
        let of_head = |site: Hook, id: &HeadId, to: To| EditTable {
            site: site.site().into(),
            layer: Some(id.layer),
            heads: Some(vec![id.head]),
            to: Some(to),
            ..EditTable::default()
        };
        let pattern = |(id, kind): (&HeadId, &PatternKind)| {
            let to = match kind {
                PatternKind::Uniform => To::Uniform,
                PatternKind::Identity => To::Identity,
                PatternKind::Previous => To::Previous,
            };
            of_head(Hook::Pattern, id, to)
        };
        let neuron = |id: &NeuronId| EditTable {
            site: Hook::Post.site().into(),
            layer: Some(id.layer),
            neurons: Some(vec![id.neuron]),
            to: Some(to),
            ..EditTable::default()
        };
        let heads = self.heads.iter().map(|id| of_head(Hook::Z, id, to));
        let neurons = self.neurons.iter().map(neuron);
        let list = self.list.iter().map(|edit| edit.table().clone());
        heads.chain(neurons).chain(self.patterns.iter().map(pattern)).chain(list).collect()
    }

    /// The heads, neurons and patterns as a list of edits.
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

    /// Number of values changed in a sequence.
    pub fn cells(&self, config: &ModelConfig, (tokens, keys): (&[Token], &VisibleKeys)) -> usize {
        let switched = self.edits().iter().map(|edit| edit.cells(config, keys)).sum::<usize>();
        switched + self.list.iter().map(|edit| edit.cells(config, (tokens, keys))).sum::<usize>()
    }

    /// The replacement values of heads, neurons and patterns; the list needs more. `means` are those of the donor if values are resampled. Without `means`, every ablation
    /// is to zero.
    pub fn patch(&self, config: &ModelConfig, means: Option<&Means>) -> Patch {
        Patch::new(config, &self.edits(), means)
    }
}
