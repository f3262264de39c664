//! What is the effect of the edits over the validation set, compared with matched random sets?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, MeansOf, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::evaluation::control;
use crate::analysis::{Controls, Evaluation, Tally};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::Interventions;
use crate::task::Task;

/// Loss with edits, beside random ones.
pub static EDITED_LOSS: Spec = Spec {
    name: "edited_loss",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set: clean, edited, and, if neurons are \
                 edited, with random sets in their place, drawn from the neurons of the same layer nearest in mean \
                 |activation|, with the same edits of heads and patterns",
    baseline: "that of the random sets",
    axes: &[Dim::Edits],
    ..Spec::BARE
};

/// Accuracy with edits, beside random ones.
pub static EDITED_ACCURACY: Spec = Spec {
    name: "edited_accuracy",
    definition: "share of all targets of the validation set that are predicted, with the edits of edited_loss",
    baseline: "that of the random sets",
    axes: &[Dim::Edits],
    ..Spec::BARE
};

/// Accuracy by class with edits.
pub static EDITED_CLASS_ACCURACY: Spec = Spec {
    name: "edited_accuracy_by_class",
    definition: "share of the targets of a class in the validation set that are predicted, clean and edited",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Class],
    ..Spec::BARE
};

/// The effect of edits over a set of sequences, with matched random controls.
#[derive(Clone, Debug)]
pub struct AblationReport {
    /// Without edits.
    pub before: Evaluation,
    /// With the edits; `None` until computed.
    pub after: Option<Evaluation>,
    /// Random neuron sets of the same size; `None` when no neuron is switched off, or too few other neurons exist.
    pub controls: Option<Controls>,
}

impl AblationReport {
    /// Clean (0) or edited (1), if known.
    fn one(&self, edits: usize) -> Option<&Evaluation> {
        if edits == 0 { Some(&self.before) } else { self.after.as_ref() }
    }
}

/// [`EDITED_LOSS`], [`EDITED_ACCURACY`] and [`EDITED_CLASS_ACCURACY`], as far as computed.
pub fn figures(answer: &Answer, report: &Arc<AblationReport>, task: &Arc<dyn Task>) -> [Arc<Figure>; 3] {
    let controls = report.controls.clone().unwrap_or_default();
    let (done, has_after) = (controls.losses.len(), report.after.is_some());
    let edits = |random: usize| {
        let sets = (0..random).map(|set| format!("random {set}"));
        Axis::named(Dim::Edits, ["clean".to_owned(), "edited".to_owned()].into_iter().chain(sets))
    };
    let over_set = |spec, of: fn(&Evaluation) -> Option<f64>, of_random: fn(&Controls) -> &[f64]| {
        let report = Arc::clone(report);
        let figure = answer.figure(spec, vec![edits(done)], move |at| match at[0] {
            0 | 1 => report.one(at[0]).and_then(of),
            random => report.controls.as_ref().and_then(|all| of_random(all).get(random - 2).copied()),
        });
        figure.partial(1 + usize::from(has_after) + done, 2 + controls.planned.max(done))
    };
    let classes = Arc::clone(report);
    [
        over_set(&EDITED_LOSS, Evaluation::known_loss, |all| &all.losses),
        over_set(&EDITED_ACCURACY, Evaluation::known_accuracy, |all| &all.accuracies),
        answer.figure(&EDITED_CLASS_ACCURACY, vec![edits(0), Axis::classes(task)], move |at| -> Datum {
            classes.one(at[0]).and_then(|one| one.accuracy_by_class.get(at[1]).copied().flatten()).into()
        }),
    ]
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
    /// The current evaluation.
    sweep: Option<Sweep<Tally>>,
}

impl Ablation {
    /// Evaluates a set of edits; `None` until all sequences are evaluated.
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

    /// Evaluates the next random set; `None` until done.
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

    /// The next part of the report; `None` until done.
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
        let findings = Findings::Ablation(Arc::new(report));
        if is_done { Progress::Done(findings) } else { Progress::Partial(findings) }
    }
}
