//! What is switched off, and what is known of it over the validation set.

use std::sync::Arc;

use super::event::EvaluateRequest;
use crate::analysis::{AblationReport, Snapshot};
use crate::model::Interventions;

/// Random neuron sets that an ablation is compared with.
const CONTROLS: usize = 20;

/// The interventions in force and their figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ablation {
    pub(crate) off: Interventions,
    /// What `clear` took away.
    cleared: Option<Interventions>,
    /// The question that was last asked.
    asked: Option<(usize, Interventions)>,
    generation: u64,
    /// The answer to it, as far as it is known.
    pub(crate) report: Option<AblationReport>,
}

impl Ablation {
    /// Switches everything on. False if nothing was off.
    pub(super) fn clear(&mut self) -> bool {
        if self.off.is_empty() {
            return false;
        }
        self.cleared = Some(self.off.clone());
        self.off.clear();
        true
    }

    /// Switches off again what was last cleared. False if there is nothing to bring back.
    pub(super) fn restore(&mut self) -> bool {
        let Some(cleared) = self.cleared.take() else { return false };
        self.off.heads.extend(&cleared.heads);
        self.off.neurons.extend(&cleared.neurons);
        true
    }

    /// The question to ask now, unless it has been asked or there is none.
    pub(super) fn ask(&mut self, snapshot: &Arc<Snapshot>) -> Option<EvaluateRequest> {
        if self.off.is_empty() || self.is_asked(snapshot.step) {
            return None;
        }
        self.generation += 1;
        self.asked = Some((snapshot.step, self.off.clone()));
        // What holds with nothing switched off still holds.
        self.report = self.report.take().filter(|report| report.step == snapshot.step).map(|report| {
            AblationReport { generation: self.generation, after: None, controls: None, ..report }
        });
        Some(EvaluateRequest {
            generation: self.generation,
            snapshot: Arc::clone(snapshot),
            folded: false,
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

    fn is_asked(&self, step: usize) -> bool {
        self.asked.as_ref().is_some_and(|(asked, off)| *asked == step && *off == self.off)
    }

    /// The figures, if they are of what is switched off now.
    pub(crate) fn figures(&self) -> Option<&AblationReport> {
        let of_this = self.asked.as_ref().is_some_and(|(_, off)| *off == self.off);
        self.report.as_ref().filter(|_| of_this && !self.off.is_empty())
    }
}
