//! The active interventions.

use crate::model::{HeadId, Interventions, NeuronId, PatternKind};

/// A row of the list of interventions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InterventionRow {
    /// A head.
    Head(HeadId),
    /// A neuron.
    Neuron(NeuronId),
    /// A head with a replaced attention pattern.
    Pattern(HeadId, PatternKind),
    /// An edit of the list, by its place.
    Listed(usize),
}

/// The active interventions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ablation {
    pub(crate) off: Interventions,
    /// Removed by `clear`, for `restore`.
    cleared: Option<Interventions>,
}

impl Ablation {
    /// Removes all interventions.
    pub(super) fn clear(&mut self) {
        self.cleared = Some(self.off.clone());
        self.off.clear();
    }

    /// Whether there are cleared interventions to restore.
    pub(super) fn can_restore(&self) -> bool {
        self.cleared.is_some()
    }

    /// Restores the interventions that were last cleared.
    pub(super) fn restore(&mut self) {
        let Some(cleared) = self.cleared.take() else { return };
        self.off.heads.extend(&cleared.heads);
        self.off.neurons.extend(&cleared.neurons);
        self.off.patterns.extend(&cleared.patterns);
        self.off.list.extend(cleared.list);
    }

    /// The active interventions, row by row.
    pub(crate) fn lines(&self) -> Vec<InterventionRow> {
        let heads = self.off.heads.iter().map(|id| InterventionRow::Head(*id));
        let neurons = self.off.neurons.iter().map(|id| InterventionRow::Neuron(*id));
        let patterns = self.off.patterns.iter().map(|(id, kind)| InterventionRow::Pattern(*id, *kind));
        let list = (0..self.off.list.len()).map(InterventionRow::Listed);
        heads.chain(neurons).chain(patterns).chain(list).collect()
    }

    /// Removes the intervention of a row.
    pub(super) fn undo(&mut self, line: InterventionRow) {
        match line {
            InterventionRow::Head(id) => self.off.toggle_head(id),
            InterventionRow::Neuron(id) => self.off.toggle_neuron(id),
            InterventionRow::Pattern(id, _) => drop(self.off.patterns.remove(&id)),
            InterventionRow::Listed(at) => drop(self.off.list.remove(at)),
        }
    }
}
