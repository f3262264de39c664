//! What is the effect of the edits over the validation set, compared with matched random sets?

use std::sync::Arc;
use std::task::Poll;

use super::bench::Bench;
use super::job::{Evaluator, Job, Progress};
use super::random_sets::{RandomSet, RandomSets};
use super::{Answer, Findings};
use crate::analysis::evaluation::Count;
use crate::analysis::{ControlPool, Controls, Evaluation};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::Interventions;
use crate::task::Task;

/// Loss with edits, beside random ones.
pub static EDITED_LOSS: Spec = Spec {
    name: "edited_loss",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set: clean, edited, and, if neurons are \
                 edited, with random sets in their place, drawn from the neurons of the same layer nearest in mean \
                 |activation| that are not among the eight strongest trackers of any class (or from any neurons), with \
                 the same edits of heads and patterns",
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

/// Accuracy by situation with edits.
pub static EDITED_SITUATION_ACCURACY: Spec = Spec {
    name: "edited_accuracy_by_situation",
    definition: "share of the targets in a group of the task's situations that are predicted, clean and edited",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Errors by situation with edits.
pub static EDITED_SITUATION_ERRORS: Spec = Spec {
    name: "edited_errors_by_situation",
    definition: "wrong predictions in a group of the task's situations, clean and edited",
    axes: &[Dim::Edits, Dim::Situation],
    ..Spec::BARE
};

/// Predictions by kind with edits.
pub static EDITED_ANSWER_KINDS: Spec = Spec {
    name: "edited_predictions_by_kind",
    definition: "predictions of each kind at some positions of the validation set, as predictions_by_kind, clean and edited",
    axes: &[Dim::Edits, Dim::Answer],
    ..Spec::BARE
};

/// Confusion matrix with edits.
pub static EDITED_CONFUSION: Spec = Spec {
    name: "edited_confusion",
    definition: "targets of a class that are predicted as another, or as itself, clean and edited; not for more than 128 classes",
    axes: &[Dim::Edits, Dim::Class, Dim::Predicted],
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

/// [`EDITED_SITUATION_ACCURACY`] and [`EDITED_SITUATION_ERRORS`], as far as computed; `None` for a task without situations.
pub fn by_situation(
    answer: &Answer,
    report: &Arc<AblationReport>,
    task: &Arc<dyn Task>,
) -> Option<[Arc<Figure>; 2]> {
    (!report.before.by_situation.is_empty()).then(|| {
        let figure = |spec, of: fn(Count) -> Datum| {
            let report = Arc::clone(report);
            let axes = vec![Axis::named(Dim::Edits, ["clean", "edited"]), Axis::situations(&**task)];
            answer.figure(spec, axes, move |at| -> Datum {
                let count = report.one(at[0]).and_then(|one| one.group(at[1]));
                count.map_or(Datum::Nothing, of)
            })
        };
        [
            figure(&EDITED_SITUATION_ACCURACY, |count| count.share().into()),
            figure(&EDITED_SITUATION_ERRORS, |count| count.wrong().into()),
        ]
    })
}

/// [`EDITED_ANSWER_KINDS`], as far as computed; `None` for a task that sorts no answers.
pub fn answers(answer: &Answer, report: &Arc<AblationReport>, task: &dyn Task) -> Option<Arc<Figure>> {
    let kinds = task.facts().answers.filter(|_| !report.before.answers.is_empty())?;
    let report = Arc::clone(report);
    let axes = vec![Axis::named(Dim::Edits, ["clean", "edited"]), Axis::answers(kinds)];
    Some(answer.figure(&EDITED_ANSWER_KINDS, axes, move |at| -> Datum {
        report.one(at[0]).and_then(|one| one.answers.get(at[1]).copied()).into()
    }))
}

/// [`EDITED_CONFUSION`], as far as computed; `None` for many classes.
pub fn confusion(answer: &Answer, report: &Arc<AblationReport>, task: &Arc<dyn Task>) -> Option<Arc<Figure>> {
    let outputs = task.outputs().len();
    let axes = vec![Axis::named(Dim::Edits, ["clean", "edited"]), Axis::classes(task), Axis::predicted(task)];
    (!report.before.confusion.is_empty()).then(|| {
        let report = Arc::clone(report);
        answer.figure(&EDITED_CONFUSION, axes, move |at| {
            report.one(at[0]).and_then(|one| one.confusion.get(at[1] * outputs + at[2]).copied())
        })
    })
}

pub(super) fn ask(subject: &Subject, (planned, pool): (usize, ControlPool)) -> Box<dyn Job> {
    let clean = subject.clone().edited(&Interventions::default());
    let has_neurons = !subject.edits.neurons.is_empty();
    let controls = has_neurons.then(|| Controls { pool, planned, ..Controls::default() });
    let (evaluator, random) = (Evaluator::default(), RandomSets::of(pool));
    let subject = subject.clone();
    Box::new(Ablation { subject, clean, controls, report: None, evaluator, random, set: None })
}

struct Ablation {
    subject: Subject,
    clean: Subject,
    controls: Option<Controls>,
    report: Option<AblationReport>,
    /// Evaluates one set of edits after another.
    evaluator: Evaluator,
    random: RandomSets,
    /// The random set that is being evaluated.
    set: Option<RandomSet>,
}

impl Ablation {
    fn before(&mut self, bench: &Bench) -> Option<AblationReport> {
        let before = self.evaluator.clean(&self.clean, bench)?.as_ref().clone();
        Some(AblationReport { before, after: None, controls: self.controls.clone() })
    }

    /// Evaluates the next random set; `None` until done.
    fn control(&mut self, mut report: AblationReport, bench: &Bench) -> Option<AblationReport> {
        let done = report.controls.as_ref().map_or(0, |controls| controls.losses.len());
        if self.set.is_none() {
            let (subjects, means) = ((&self.subject, &self.clean), &mut self.evaluator.means);
            let Poll::Ready(set) = self.random.step(subjects, means, done, bench) else { return None };
            self.set = set;
        }
        let Some((set, ratio)) = &self.set else {
            report.controls = None;
            return Some(report);
        };
        let evaluation = self.evaluator.step(&self.subject.clone().edited(set), bench)?;
        if let Some(controls) = &mut report.controls {
            controls.pool = self.random.pool;
            controls.losses.push(evaluation.loss);
            controls.accuracies.push(evaluation.accuracy);
            controls.activity_ratios.push(*ratio);
        }
        self.set = None;
        Some(report)
    }

    /// The next part of the report; `None` until done.
    fn piece(&mut self, bench: &Bench) -> Option<AblationReport> {
        match self.report.clone() {
            None => self.before(bench),
            Some(report) if report.after.is_none() => {
                let after = self.evaluator.step(&self.subject, bench)?;
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
