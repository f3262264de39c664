//! Which set of heads or neurons does which class need?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Evaluator, Job, MeansOf, Progress, TrackersOf};
use super::{Answer, Findings};
use crate::analysis::Evaluation;
use crate::analysis::controls::{control, strongest};
use crate::analysis::hypotheses::Tracker;
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::{AblationKind, HeadId, Interventions, NeuronId};
use crate::task::{Class, Task, Vocabulary};

/// Loss that sets cost.
pub static DAMAGE: Spec = Spec {
    name: "damage",
    unit: "nats",
    definition: "mean cross-entropy over the targets of a class in the validation set with a set ablated, minus that without: \
                 each head, to zero and to its mean over sequences and positions, and the four neurons that track each class \
                 best, to zero; beside these a random set of as many neurons, drawn as for edited_loss",
    baseline: "that of the random sets",
    axes: &[Dim::Set, Dim::Class],
    ..Spec::BARE
};

/// Accuracy that sets cost.
pub static ACCURACY_DAMAGE: Spec = Spec {
    name: "accuracy_damage",
    definition: "accuracy over the targets of a class in the validation set with a set of damage ablated, minus that without",
    baseline: "that of the random sets",
    axes: &[Dim::Set, Dim::Class],
    ..Spec::BARE
};

/// Neurons of a class that are ablated together.
const BEST: usize = 4;

/// A set, and the evaluation with it ablated.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// In words.
    pub name: String,
    /// With the set ablated.
    pub with: Evaluation,
}

/// The clean evaluation, and that of each set evaluated so far.
#[derive(Clone, Debug)]
pub struct DamageReport {
    /// Without edits.
    pub clean: Evaluation,
    /// In the order of the sets.
    pub sets: Vec<Damaged>,
    /// Number of sets.
    pub planned: usize,
}

struct Damage {
    subject: Subject,
    evaluator: Evaluator,
    tracking: TrackersOf,
    trackers: Option<Vec<Vec<Tracker>>>,
    means: MeansOf,
    /// The sets, once known.
    sets: Option<Vec<(String, Interventions)>>,
    clean: Option<Evaluation>,
    done: Vec<Damaged>,
}

pub(super) fn ask(subject: &Subject) -> Box<dyn Job> {
    let (evaluator, tracking) = (Evaluator::default(), TrackersOf::default());
    Box::new(Damage {
        subject: subject.clone(),
        evaluator,
        tracking,
        trackers: None,
        means: MeansOf::default(),
        sets: None,
        clean: None,
        done: Vec::new(),
    })
}

impl Damage {
    /// The trackers of each class; `None` until known.
    fn trackers(&mut self, bench: &Bench) -> Option<&[Vec<Tracker>]> {
        if self.trackers.is_none() {
            let has_neurons = self.subject.snapshot.config().has_mlp();
            let are_known = has_neurons && !TrackersOf::are_too_large(&self.subject, bench);
            self.trackers =
                Some(if are_known { self.tracking.step(&self.subject, bench)? } else { Vec::new() });
        }
        self.trackers.as_deref()
    }

    /// The sets; `None` until trackers and activities are known.
    fn sets(&mut self, bench: &Bench) -> Option<&[(String, Interventions)]> {
        if self.sets.is_none() {
            let of_classes = of_classes(bench.data().task().outputs(), self.trackers(bench)?);
            let averages = self.means.step(&self.subject, bench)?;
            let excluded = strongest(self.trackers(bench)?);
            let source = (&averages.activity[..], &excluded);
            let random = |index: usize, set: &Interventions| control(set, source, bench.seed(), index as u64);
            let with_random = |(index, (class, set)): (usize, (String, Interventions))| {
                let random = random(index, &set).map(|(random, _)| (format!("random for {class}"), random));
                [Some((format!("trackers of {class}"), set)), random]
            };
            let neurons = of_classes.into_iter().enumerate().flat_map(with_random).flatten();
            let config = self.subject.snapshot.config();
            self.sets = Some(config.heads().flat_map(of_head).chain(neurons).collect());
        }
        self.sets.as_deref()
    }
}

/// A head at zero and at its mean.
fn of_head(id: HeadId) -> [(String, Interventions); 2] {
    [(AblationKind::Zero, "zero"), (AblationKind::Mean, "mean")].map(|(kind, word)| {
        let set = Interventions { heads: [id].into(), kind, ..Interventions::default() };
        (format!("head {}.{} {word}", id.layer, id.head), set)
    })
}

/// The best trackers of each class that has any, by the class's name.
fn of_classes(outputs: &Vocabulary, trackers: &[Vec<Tracker>]) -> Vec<(String, Interventions)> {
    let set = |(class, ranked): (usize, &Vec<Tracker>)| {
        let best = ranked.iter().take(BEST);
        let neurons = best.map(|one| NeuronId { layer: one.layer, neuron: one.neuron }).collect();
        (outputs.name(class as Class), Interventions { neurons, ..Interventions::default() })
    };
    trackers.iter().enumerate().filter(|(_, ranked)| !ranked.is_empty()).map(set).collect()
}

impl Job for Damage {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(clean) = &self.clean else {
            self.clean = self.evaluator.step(&self.subject, bench);
            return Progress::More;
        };
        let (clean, at, subject) = (clean.clone(), self.done.len(), self.subject.clone());
        let Some(sets) = self.sets(bench) else { return Progress::More };
        let planned = sets.len();
        // Every model has a head: there is a first set, and the last one ends the job.
        let (name, set) = sets[at].clone();
        let Some(with) = self.evaluator.step(&subject.edited(&set), bench) else { return Progress::More };
        self.done.push(Damaged { name, with });
        let report = Arc::new(DamageReport { clean, sets: self.done.clone(), planned });
        if self.done.len() < planned {
            Progress::Partial(Findings::Damage(report))
        } else {
            Progress::Done(Findings::Damage(report))
        }
    }
}

/// [`DAMAGE`] and [`ACCURACY_DAMAGE`], as far as computed; none where a class never is the target.
pub fn figures(answer: &Answer, report: &Arc<DamageReport>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let figure = |spec, of: fn(&Evaluation) -> &[Option<f64>]| {
        let found = Arc::clone(report);
        let sets = Axis::named(Dim::Set, report.sets.iter().map(|set| set.name.clone()));
        let figure = answer.figure(spec, vec![sets, Axis::classes(task)], move |at| -> Datum {
            let of = |one: &Evaluation| of(one).get(at[1]).copied().flatten();
            let with = of(&found.sets[at[0]].with);
            with.zip(of(&found.clean)).map(|(with, clean)| with - clean).into()
        });
        figure.partial(report.sets.len(), report.planned)
    };
    [figure(&DAMAGE, |one| &one.loss_by_class), figure(&ACCURACY_DAMAGE, |one| &one.accuracy_by_class)]
}
