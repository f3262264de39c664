//! What is the loss with the edited heads and neurons at one strength after another, compared with matched random sets?

use std::sync::Arc;
use std::task::Poll;

use super::bench::Bench;
use super::job::{Evaluator, Job, Progress};
use super::random_sets::RandomSets;
use super::{Answer, Findings};
use crate::analysis::dose::{Doses, at_dose};
use crate::analysis::{ControlPool, Evaluation};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::Interventions;

/// Loss by dose.
pub static DOSE_LOSS: Spec = Spec {
    name: "dose_loss",
    unit: "nats",
    definition: "mean cross-entropy over all targets of the validation set with the values of the edited heads (hook_z) and \
                 neurons (hook_post) multiplied by, or set to, a number, and every other edit in force; and, if neurons are \
                 edited, with random sets in their place, drawn as those of edited_loss, at the same doses",
    baseline: "that of the random sets",
    axes: &[Dim::Dose, Dim::Edits],
    ..Spec::BARE
};

/// Accuracy by dose.
pub static DOSE_ACCURACY: Spec = Spec {
    name: "dose_accuracy",
    definition: "share of all targets of the validation set that are predicted, with the edits of dose_loss",
    baseline: "that of the random sets",
    axes: &[Dim::Dose, Dim::Edits],
    ..Spec::BARE
};

/// Loss and accuracy, if there are targets.
type Score = [Option<f64>; 2];

/// Loss and accuracy of each set of edits at each dose, as far as computed.
#[derive(Clone, Debug)]
pub struct DoseReport {
    /// The doses.
    pub doses: Doses,
    /// Without edits.
    pub clean: Score,
    /// By set, then dose: the edited neurons first, then random ones.
    sets: Vec<Vec<Score>>,
    /// Number of sets.
    planned: usize,
    /// Where the random sets are drawn from.
    pub pool: ControlPool,
}

fn score(of: &Evaluation) -> Score {
    [of.known_loss(), of.known_accuracy()]
}

/// [`DOSE_LOSS`] and [`DOSE_ACCURACY`], as far as computed.
pub fn figures(answer: &Answer, report: &Arc<DoseReport>) -> [Arc<Figure>; 2] {
    let names = ["clean".into(), "edited".into()];
    let random = (1..report.sets.len()).map(|set| format!("random {}", set - 1));
    let edits = Axis::named(Dim::Edits, names.into_iter().chain(random));
    let doses: Vec<String> = report.doses.all().map(|dose| dose.number().to_string()).collect();
    let (done, all) = (report.sets.iter().map(Vec::len).sum(), report.planned * doses.len());
    let doses_word = report.doses.word();
    [(&DOSE_LOSS, 0), (&DOSE_ACCURACY, 1)].map(|(spec, part)| {
        let axes = vec![Axis::named(Dim::Dose, doses.iter().cloned()), edits.clone()];
        let report = Arc::clone(report);
        let figure = answer.figure(spec, axes, move |at| match at[1] {
            0 => report.clean[part],
            set => report.sets.get(set - 1).and_then(|doses| doses.get(at[0])?[part]),
        });
        figure.asked_with("doses", doses_word).partial(done, all)
    })
}

pub(super) fn ask(subject: &Subject, (doses, random, pool): (Doses, usize, ControlPool)) -> Box<dyn Job> {
    let clean = subject.clone().edited(&Interventions::default());
    let random = if subject.edits.neurons.is_empty() { 0 } else { random };
    let report = DoseReport { doses, clean: [None; 2], sets: Vec::new(), planned: 1 + random, pool };
    let (evaluator, random) = (Evaluator::default(), RandomSets::of(pool));
    let own = subject.edits.clone();
    Box::new(Dosing { subject: subject.clone(), clean, report, evaluator, random, set: Some(own) })
}

struct Dosing {
    subject: Subject,
    clean: Subject,
    report: DoseReport,
    evaluator: Evaluator,
    random: RandomSets,
    /// The edits that are being evaluated at each dose.
    set: Option<Interventions>,
}

impl Dosing {
    /// The next number of the report; `None` until done.
    fn number(&mut self, bench: &Bench) -> Option<()> {
        if self.report.sets.is_empty() {
            self.report.clean = score(&*self.evaluator.clean(&self.clean, bench)?);
            self.report.sets.push(Vec::new());
        }
        let Some(set) = &self.set else { return self.draw(bench) };
        let done = self.report.sets.last().map_or(0, Vec::len);
        let Some(dose) = self.report.doses.all().nth(done) else {
            self.set = None;
            return None;
        };
        let model = (self.subject.snapshot.config(), &**bench.data().task());
        // Heads and neurons of the model have a dose.
        let dosed = at_dose(set, dose, None, model).unwrap_or_default();
        let evaluation = self.evaluator.step(&self.subject.clone().edited(&dosed), bench)?;
        if let Some(doses) = self.report.sets.last_mut() {
            doses.push(score(&evaluation));
        }
        Some(())
    }

    /// Draws the next random set, unless there are enough.
    fn draw(&mut self, bench: &Bench) -> Option<()> {
        let number = self.report.sets.len() - 1;
        if number + 1 < self.report.planned {
            let (subjects, means) = ((&self.subject, &self.clean), &mut self.evaluator.means);
            let Poll::Ready(set) = self.random.step(subjects, means, number, bench) else { return None };
            self.set = set.map(|(set, _)| set);
            self.report.pool = self.random.pool;
        }
        match self.set {
            Some(_) => self.report.sets.push(Vec::new()),
            None => self.report.planned = self.report.sets.len(),
        }
        None
    }

    fn is_done(&self) -> bool {
        let of_all = self.report.doses.all().count();
        self.report.sets.len() == self.report.planned
            && self.report.sets.last().is_some_and(|doses| doses.len() == of_all)
    }
}

impl Job for Dosing {
    fn step(&mut self, bench: &Bench) -> Progress {
        let is_new = self.number(bench).is_some();
        let findings = || Findings::Doses(Arc::new(self.report.clone()));
        match (self.is_done(), is_new) {
            (true, _) => Progress::Done(findings()),
            (false, true) => Progress::Partial(findings()),
            (false, false) => Progress::More,
        }
    }
}
