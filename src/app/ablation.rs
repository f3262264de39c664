//! The active interventions, and the questions about them.

use std::sync::Arc;

use super::App;
use super::studies::Asked;
use crate::inquiry::{AblationReport, Answer, DoseReport, Question};
use crate::model::{HeadId, Interventions, NeuronId, PatternKind};

/// Number of random neuron sets to compare an ablation with.
const CONTROLS: usize = 20;

/// Number of random neuron sets at each dose.
const DOSED_CONTROLS: usize = 5;

/// Sets whose damage is evaluated without asking.
const FEW_SETS: usize = 32;

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

impl App {
    /// Effect of the active edits over the validation set.
    pub(crate) fn ablation_figures(&self) -> Option<(&Answer, &Arc<AblationReport>)> {
        let off = &self.ablation.off;
        self.studies.ablation().filter(|(answer, _)| !off.is_empty() && answer.inquiry.subject.edits == *off)
    }

    /// The active heads and neurons at each dose asked for.
    pub(crate) fn dose_figures(&self) -> Option<(&Answer, &Arc<DoseReport>)> {
        let (off, doses) = (&self.ablation.off, self.settings.doses?);
        let is_of = |answer: &Answer, report: &DoseReport| {
            answer.inquiry.subject.edits == *off && report.doses == doses
        };
        self.studies.doses_of().filter(|(answer, report)| has_doses(off) && is_of(answer, report))
    }

    /// Whether the current view waits for figures with the active edits.
    pub(super) fn is_evaluating(&self) -> bool {
        let asks = (self.view.room().asks)(self);
        let mut edits = asks.iter().filter(|(_, question)| matches!(question, Question::Ablation { .. }));
        let is_known = self.ablation_figures().is_some_and(|(_, report)| report.after.is_some());
        !is_known && edits.any(|(subject, question)| self.studies.is_waited_for(subject, question))
    }

    /// The question about the damage of every set, while nothing is edited: asked at once if there are few sets, else by a
    /// key.
    pub(crate) fn of_damage(&self) -> Option<Asked> {
        let subject = self.of_validation().filter(|_| self.ablation.off.is_empty())?;
        let model = &self.options.model;
        let sets = 2 * (model.n_layers * model.n_heads + if model.has_mlp() { model.outputs() } else { 0 });
        (self.settings.damage || sets <= FEW_SETS).then_some((subject, Question::Damage))
    }

    /// The question about the effect of the active edits.
    pub(super) fn of_edits(&self) -> Option<Asked> {
        let off = &self.ablation.off;
        let subject = self.of_validation().filter(|_| !off.is_empty())?;
        let (controls, pool) = (CONTROLS, self.settings.pool);
        Some((subject.edited(off), Question::Ablation { controls, pool }))
    }

    /// The question about the active heads and neurons at each dose.
    pub(super) fn of_doses(&self) -> Option<Asked> {
        let (off, doses) = (&self.ablation.off, self.settings.doses?);
        let subject = self.of_validation().filter(|_| has_doses(off))?;
        let (controls, pool) = (DOSED_CONTROLS, self.settings.pool);
        Some((subject.edited(off), Question::Doses { doses, controls, pool }))
    }
}

/// Whether heads or neurons are off, which have a dose.
pub(crate) fn has_doses(off: &Interventions) -> bool {
    !(off.heads.is_empty() && off.neurons.is_empty())
}
