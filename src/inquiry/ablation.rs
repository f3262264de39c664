//! What do the edits do over the validation set, beside matched random sets?

use super::Findings;
use super::bench::Bench;
use super::job::{Job, MeansOf, Progress, Sweep};
use super::subject::Subject;
use crate::analysis::evaluation::control;
use crate::analysis::{Controls, Evaluation, Tally};
use crate::model::Interventions;

/// What edits do over a set of sequences, beside matched random ones.
#[derive(Clone, Debug)]
pub struct AblationReport {
    /// With nothing switched off.
    pub before: Evaluation,
    /// With the edits; `None` while it is being computed.
    pub after: Option<Evaluation>,
    /// Random neuron sets of the same size; `None` when no neuron is switched off, or too few others are there.
    pub controls: Option<Controls>,
}

pub(super) fn ask(subject: &Subject, controls: usize) -> Box<dyn Job> {
    let (clean, means) = (subject.clone().edited(&Interventions::default()), MeansOf::default());
    let controls =
        (!subject.edits.neurons.is_empty()).then(|| Controls { planned: controls, ..Controls::default() });
    Box::new(Ablation { subject: subject.clone(), clean, controls, report: None, means, sweep: None })
}

struct Ablation {
    subject: Subject,
    clean: Subject,
    controls: Option<Controls>,
    report: Option<AblationReport>,
    means: MeansOf,
    /// The evaluation under way.
    sweep: Option<Sweep<Tally>>,
}

impl Ablation {
    /// Evaluates a set of edits; `None` until all sequences are counted.
    fn evaluate(&mut self, of: &Subject, bench: &Bench) -> Option<Evaluation> {
        let Some(sweep) = &mut self.sweep else {
            let patch = self.means.patch(of, bench)?;
            let weights = bench.weights(of);
            let tally = Tally::new(weights.config());
            self.sweep = Some(Sweep::new(weights, patch, tally));
            return None;
        };
        let evaluation = sweep.step(bench)?.evaluation();
        self.sweep = None;
        Some(evaluation)
    }

    fn before(&mut self, bench: &Bench) -> Option<AblationReport> {
        if bench.known_baseline(&self.clean).is_none() {
            let evaluation = self.evaluate(&self.clean.clone(), bench)?;
            bench.keep_baseline(&self.clean, evaluation);
        }
        let before = bench.known_baseline(&self.clean)?.as_ref().clone();
        Some(AblationReport { before, after: None, controls: self.controls.clone() })
    }

    /// The next random set; `None` while it is under way.
    fn control(&mut self, mut report: AblationReport, bench: &Bench) -> Option<AblationReport> {
        let done = report.controls.as_ref().map_or(0, |controls| controls.losses.len());
        let activity = self.means.step(&self.clean.clone(), bench)?;
        let Some(set) = control(&self.subject.edits, &activity.activity, bench.seed(), done as u64) else {
            report.controls = None;
            return Some(report);
        };
        let evaluation = self.evaluate(&self.subject.clone().edited(&set), bench)?;
        if let Some(controls) = &mut report.controls {
            controls.losses.push(evaluation.loss);
            controls.accuracies.push(evaluation.accuracy);
        }
        Some(report)
    }

    /// A piece more of the report; `None` while it is under way.
    fn piece(&mut self, bench: &Bench) -> Option<AblationReport> {
        match self.report.clone() {
            None => self.before(bench),
            Some(report) if report.after.is_none() => {
                let after = self.evaluate(&self.subject.clone(), bench)?;
                Some(AblationReport { after: Some(after), ..report })
            }
            Some(report) => self.control(report, bench),
        }
    }
}

impl Job for Ablation {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(report) = self.piece(bench) else { return Progress::More };
        self.report = Some(report.clone());
        let goes_on =
            report.controls.as_ref().is_some_and(|controls| controls.losses.len() < controls.planned);
        let is_done = report.after.is_some() && !goes_on;
        let findings = Findings::Ablation(report);
        if is_done { Progress::Done(findings) } else { Progress::Partial(findings) }
    }
}
