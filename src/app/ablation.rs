//! What is switched off.

use crate::model::{HeadId, Interventions, NeuronId, PatternKind};

/// A line of the list of what is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InterventionRow {
    /// A head.
    Head(HeadId),
    /// A neuron.
    Neuron(NeuronId),
    /// A head that attends as told.
    Pattern(HeadId, PatternKind),
}

/// The interventions in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ablation {
    pub(crate) off: Interventions,
    /// What `clear` took away.
    cleared: Option<Interventions>,
}

impl Ablation {
    /// Switches everything on.
    pub(super) fn clear(&mut self) {
        self.cleared = Some(self.off.clone());
        self.off.clear();
    }

    /// Whether anything was cleared that is not back.
    pub(super) fn can_restore(&self) -> bool {
        self.cleared.is_some()
    }

    /// Switches off again what was last cleared.
    pub(super) fn restore(&mut self) {
        let Some(cleared) = self.cleared.take() else { return };
        self.off.heads.extend(&cleared.heads);
        self.off.neurons.extend(&cleared.neurons);
        self.off.patterns.extend(&cleared.patterns);
    }

    /// What is off, line by line.
    pub(crate) fn lines(&self) -> Vec<InterventionRow> {
        let heads = self.off.heads.iter().map(|id| InterventionRow::Head(*id));
        let neurons = self.off.neurons.iter().map(|id| InterventionRow::Neuron(*id));
        let patterns = self.off.patterns.iter().map(|(id, kind)| InterventionRow::Pattern(*id, *kind));
        heads.chain(neurons).chain(patterns).collect()
    }

    /// Switches on again what a line says.
    pub(super) fn undo(&mut self, line: InterventionRow) {
        match line {
            InterventionRow::Head(id) => self.off.toggle_head(id),
            InterventionRow::Neuron(id) => self.off.toggle_neuron(id),
            InterventionRow::Pattern(id, _) => drop(self.off.patterns.remove(&id)),
        }
    }
}
