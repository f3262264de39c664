//! Since when do the neurons that track each class do so, and what do they cost?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Evaluator, Job, MeansOf, Progress, Sweep, TrackersOf};
use super::{Answer, Findings};
use crate::analysis::Evaluation;
use crate::analysis::tracker_sets::{SetScore, SetSums, TrackerSet, tracker_sets};
use crate::figure::{Axis, Dim, Figure, Spec, Subject};
use crate::model::{Interventions, Patch};
use crate::task::Task;

/// How well a set tells its class.
pub static TRACKER_SCORE: Spec = Spec {
    name: "tracker_score",
    definition: "of each class the up to four neurons that track it best in the newest snapshot: Pearson's correlation, over the \
                 scored positions of the validation set, of their summed activation with 1 where the class is the target and 0 \
                 elsewhere",
    baseline: "tracker_chance",
    axes: &[Dim::Class],
    ..Spec::BARE
};

/// The same of random sets.
pub static TRACKER_CHANCE: Spec = Spec {
    name: "tracker_chance",
    definition: "the largest tracker_score of eight random sets of as many other neurons of the layer, of similar mean activity \
                 in the newest snapshot",
    axes: &[Dim::Class],
    ..Spec::BARE
};

/// What a set costs its class.
pub static TRACKER_DAMAGE: Spec = Spec {
    name: "tracker_damage",
    unit: "nats",
    definition: "mean cross-entropy over the targets of a class in the validation set with the neurons of tracker_score at zero, \
                 minus that without; not for more than 16 classes",
    baseline: "0",
    axes: &[Dim::Class],
    ..Spec::BARE
};

/// The choice of the question that names the sets.
pub const SETS: &str = "sets";

/// The sets, and each class's number.
#[derive(Clone, Debug)]
pub struct Tracked<T> {
    /// Of the newest snapshot.
    pub sets: Arc<Vec<TrackerSet>>,
    /// By class.
    pub found: Vec<T>,
}

/// The sets of a subject; `None` until known.
#[derive(Default)]
struct SetsOf {
    tracking: TrackersOf,
    means: MeansOf,
}

impl SetsOf {
    fn step(&mut self, of: &Subject, bench: &Bench) -> Option<Arc<Vec<TrackerSet>>> {
        if let Some(known) = bench.known_sets(of) {
            return Some(known);
        }
        let averages = self.means.step(of, bench)?;
        let trackers = self.tracking.step(of, bench)?;
        Some(bench.keep_sets(of, tracker_sets(&trackers, &averages.activity, bench.seed())))
    }
}

struct Scores {
    subject: Subject,
    sets_of: Subject,
    sets: SetsOf,
    sweep: Option<Sweep<SetSums>>,
}

/// The scores of the sets of `sets_of`.
pub(super) fn ask(subject: &Subject, sets_of: &Subject) -> Box<dyn Job> {
    let (subject, sets_of) = (subject.clone(), sets_of.clone());
    Box::new(Scores { subject, sets_of, sets: SetsOf::default(), sweep: None })
}

impl Job for Scores {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(sets) = self.sets.step(&self.sets_of, bench) else { return Progress::More };
        let sweep = self.sweep.get_or_insert_with(|| {
            Sweep::new(bench.weights(&self.subject), Patch::default(), SetSums::new(&sets))
        });
        let Some(sums) = sweep.step(bench) else { return Progress::More };
        let found = sums.scores();
        Progress::Done(Findings::TrackerScores(Arc::new(Tracked { sets, found })))
    }
}

struct Damage {
    subject: Subject,
    sets_of: Subject,
    sets: SetsOf,
    evaluator: Evaluator,
    clean: Option<Evaluation>,
    found: Vec<Option<f64>>,
}

/// The damage of the sets of `sets_of`.
pub(super) fn ask_damage(subject: &Subject, sets_of: &Subject) -> Box<dyn Job> {
    let (subject, sets_of) = (subject.clone(), sets_of.clone());
    let (sets, evaluator) = (SetsOf::default(), Evaluator::default());
    Box::new(Damage { subject, sets_of, sets, evaluator, clean: None, found: Vec::new() })
}

impl Job for Damage {
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(sets) = self.sets.step(&self.sets_of, bench) else { return Progress::More };
        let Some(clean) = &self.clean else {
            self.clean = self.evaluator.step(&self.subject, bench);
            return Progress::More;
        };
        let class = self.found.len();
        let Some(set) = sets.get(class) else {
            let found = std::mem::take(&mut self.found);
            return Progress::Done(Findings::TrackerDamage(Arc::new(Tracked { sets, found })));
        };
        let loss = |of: &Evaluation| of.loss_by_class.get(class).copied().flatten();
        if set.own.is_empty() {
            self.found.push(None);
            return Progress::More;
        }
        let off = Interventions { neurons: set.own.clone(), ..Interventions::default() };
        let with = self.evaluator.step(&self.subject.clone().edited(&off), bench);
        self.found.extend(with.map(|with| loss(&with).zip(loss(clean)).map(|(with, clean)| with - clean)));
        Progress::More
    }
}

/// A number by class, with the sets that it is of.
fn figure<T: Clone + Send + Sync + 'static>(
    answer: &Answer,
    (spec, task): (&'static Spec, &Arc<dyn Task>),
    tracked: &Arc<Tracked<T>>,
    of: fn(&T) -> Option<f64>,
) -> Arc<Figure> {
    let neurons = |set: &TrackerSet| {
        set.own.iter().map(|id| format!("{}.{}", id.layer, id.neuron)).collect::<Vec<_>>().join(" ")
    };
    let sets: Vec<String> = tracked.sets.iter().map(neurons).collect();
    let found = Arc::clone(tracked);
    let figure =
        answer.figure(spec, vec![Axis::classes(task)], move |at| found.found.get(at[0]).and_then(of));
    figure.asked_with(SETS, &sets.join("; "))
}

/// [`TRACKER_SCORE`] and [`TRACKER_CHANCE`].
pub fn scores(answer: &Answer, found: &Arc<Tracked<SetScore>>, task: &Arc<dyn Task>) -> [Arc<Figure>; 2] {
    let own = figure(answer, (&TRACKER_SCORE, task), found, |score| score.own);
    [own, figure(answer, (&TRACKER_CHANCE, task), found, |score| score.random)]
}

/// [`TRACKER_DAMAGE`].
pub fn damage(answer: &Answer, found: &Arc<Tracked<Option<f64>>>, task: &Arc<dyn Task>) -> Arc<Figure> {
    figure(answer, (&TRACKER_DAMAGE, task), found, |loss| *loss)
}
