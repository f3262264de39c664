//! What is switched off, and what is known of it over the validation set.

use std::sync::Arc;

use super::Form;
use super::event::EvaluateRequest;
use crate::analysis::AblationReport;
use crate::model::{HeadId, Interventions, NeuronId, PatternKind, Snapshot};

/// A line of the list of what is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OffLine {
    /// A head.
    Head(HeadId),
    /// A neuron.
    Neuron(NeuronId),
    /// A head that attends as told.
    Pattern(HeadId, PatternKind),
}

/// Random neuron sets that an ablation is compared with.
const CONTROLS: usize = 20;

/// A question: of which step, in which form, and what was off.
type Asked = (usize, Form, Interventions);

/// The interventions in force and their figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ablation {
    pub(crate) off: Interventions,
    /// What `clear` took away.
    cleared: Option<Interventions>,
    /// The question that was last asked.
    asked: Option<Asked>,
    generation: u64,
    /// The answer to it, as far as it is known.
    pub(crate) report: Option<AblationReport>,
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

    /// The question to ask now, unless it has been asked or there is none.
    pub(super) fn ask(&mut self, snapshot: &Arc<Snapshot>, form: Form) -> Option<EvaluateRequest> {
        if self.off.is_empty() || self.is_asked(snapshot.step, form) {
            return None;
        }
        self.generation += 1;
        let same_form = self.asked.as_ref().is_some_and(|(_, asked, _)| *asked == form);
        self.asked = Some((snapshot.step, form, self.off.clone()));
        // What holds with nothing switched off still holds.
        let still = |report: &AblationReport| same_form && report.step == snapshot.step;
        self.report = self.report.take().filter(still).map(|report| AblationReport {
            generation: self.generation,
            after: None,
            controls: None,
            ..report
        });
        Some(EvaluateRequest {
            generation: self.generation,
            snapshot: Arc::clone(snapshot),
            folded: form.is_folded(),
            interventions: self.off.clone(),
            controls: CONTROLS,
        })
    }

    /// Takes an answer. False if it is late.
    pub(super) fn answer(&mut self, report: AblationReport) -> bool {
        let current = report.generation == self.generation;
        if current {
            self.report = Some(report);
        }
        current
    }

    fn is_asked(&self, step: usize, form: Form) -> bool {
        let is_this = |(at, of, off): &Asked| (*at, *of) == (step, form) && *off == self.off;
        self.asked.as_ref().is_some_and(is_this)
    }

    /// Whether the figures of what is off now are still being computed.
    pub(super) fn is_pending(&self) -> bool {
        let is_asked = self.asked.as_ref().is_some_and(|(_, _, off)| *off == self.off);
        let is_known = self.report.as_ref().is_some_and(|report| report.after.is_some());
        is_asked && !is_known && !self.off.is_empty()
    }

    /// The figures, if they are of what is switched off now.
    pub(crate) fn figures(&self) -> Option<&AblationReport> {
        let of_this = self.asked.as_ref().is_some_and(|(_, _, off)| *off == self.off);
        self.report.as_ref().filter(|_| of_this && !self.off.is_empty())
    }

    /// The form of the weights that the figures are of.
    pub(crate) fn form(&self) -> Form {
        self.asked.as_ref().map_or_else(Form::default, |(_, form, _)| *form)
    }

    /// What is off, line by line.
    pub(crate) fn lines(&self) -> Vec<OffLine> {
        let heads = self.off.heads.iter().map(|id| OffLine::Head(*id));
        let neurons = self.off.neurons.iter().map(|id| OffLine::Neuron(*id));
        let patterns = self.off.patterns.iter().map(|(id, kind)| OffLine::Pattern(*id, *kind));
        heads.chain(neurons).chain(patterns).collect()
    }

    /// Switches on again what a line says.
    pub(super) fn undo(&mut self, line: OffLine) {
        match line {
            OffLine::Head(id) => self.off.toggle_head(id),
            OffLine::Neuron(id) => self.off.toggle_neuron(id),
            OffLine::Pattern(id, _) => drop(self.off.patterns.remove(&id)),
        }
    }
}
