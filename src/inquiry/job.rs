//! A running computation of an answer, in small steps, so that more urgent work can come in between.

use std::borrow::Cow;
use std::sync::Arc;

use super::Findings;
use super::bench::{Averages, Bench};
use crate::analysis::edit_sums::EditSums;
use crate::analysis::edits::ReadyEdits;
use crate::analysis::evaluation::{Totals, values_of};
use crate::analysis::hypotheses::{Tracker, TrackerSums};
use crate::analysis::total::{Total, add_each, slice_len};
use crate::analysis::{Evaluation, Tally};
use crate::figure::Subject;
use crate::model::{EditRule, Interventions, Patch, Snapshot};
use crate::task::{Dataset, Example, Split, Token};

/// The result of a step.
pub enum Progress {
    /// Nothing to report yet.
    More,
    /// A part of the answer.
    Partial(Findings),
    /// The answer, or the last part of it.
    Done(Findings),
}

/// The computation of an answer.
pub trait Job: Send {
    /// Takes a small step: a pass or two on each thread, or one head's circuits.
    fn step(&mut self, bench: &Bench) -> Progress;
}

/// An answer computed in one step.
pub(super) struct Once<F>(pub(super) F);

impl<F: Fn(&Bench) -> Findings + Send> Job for Once<F> {
    fn step(&mut self, bench: &Bench) -> Progress {
        Progress::Done((self.0)(bench))
    }
}

/// What a subject's edits need beside a sequence.
pub(super) struct Patches {
    edits: Interventions,
    /// Of the heads, neurons and patterns, unless they are resampled.
    switched: Option<Patch>,
    list: Arc<ReadyEdits>,
    /// For each validation sequence another one, if an edit resamples.
    donors: Option<Arc<[usize]>>,
}

impl From<Patch> for Patches {
    fn from(patch: Patch) -> Self {
        let list = Arc::new(ReadyEdits::none());
        Self { edits: Interventions::default(), switched: Some(patch), list, donors: None }
    }
}

impl Patches {
    /// The patch of a validation sequence.
    fn of(&self, index: usize, weights: &Snapshot, data: &Dataset) -> Cow<'_, Patch> {
        let example = |index: usize| data.example(Split::Validation, index).tokens();
        let donor = self.donors.as_ref().map(|donors| example(donors[index]));
        self.of_tokens(weights, example(index), donor)
    }

    /// The patch of a sequence, for which `donor` stands in where values are resampled.
    pub(super) fn of_tokens(
        &self,
        weights: &Snapshot,
        tokens: &[Token],
        donor: Option<&[Token]>,
    ) -> Cow<'_, Patch> {
        let switched = match (&self.switched, donor) {
            (Some(patch), _) => Cow::Borrowed(patch),
            (None, Some(donor)) => {
                let values = values_of(&weights.weights, donor);
                Cow::Owned(self.edits.patch(weights.config(), Some(&values)))
            }
            (None, None) => Cow::Owned(Patch::default()),
        };
        self.list.patch(&weights.weights, (tokens, donor), switched)
    }
}

/// A total over the validation set, or over other data, computed in slices.
pub(super) struct Sweep<T> {
    weights: Arc<Snapshot>,
    patches: Patches,
    /// Instead of the run's validation set.
    data: Option<Dataset>,
    /// Only so many of the first sequences.
    most: usize,
    next: usize,
    total: Option<T>,
}

impl<T: Total> Sweep<T> {
    pub(super) fn new(weights: Arc<Snapshot>, patches: impl Into<Patches>, total: T) -> Self {
        let patches = patches.into();
        Self { weights, patches, data: None, most: usize::MAX, next: 0, total: Some(total) }
    }

    /// The same total over the validation set of other data.
    pub(super) fn over(self, data: Dataset) -> Self {
        Self { data: Some(data), ..self }
    }

    /// The same total over the first sequences alone.
    pub(super) fn first(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Adds the next slice; returns the total after the last.
    pub(super) fn step(&mut self, bench: &Bench) -> Option<T> {
        let data = self.data.as_ref().unwrap_or(bench.data());
        let (sequences, first) = (data.len(Split::Validation).min(self.most), self.next);
        let (weights, patches) = (&self.weights, &self.patches);
        let total = self.total.as_mut()?;
        let yield_to_urgent = bench.yield_to_urgent();
        self.next = bench.long(|| {
            let end = first.saturating_add(slice_len(&weights.weights, sequences)).min(sequences);
            let examples: Vec<_> = (first..end).map(|index| data.example(Split::Validation, index)).collect();
            let patch_of = |index: usize| patches.of(first + index, weights, data);
            add_each(total, &weights.weights, &patch_of, &examples, sequences, &yield_to_urgent);
            end
        });
        bench.count(self.next - first);
        if self.next < sequences { None } else { self.total.take() }
    }
}

/// Computes the mean activations of a subject's weights, and what its list of edits needs, unless they are known.
#[derive(Default)]
pub(super) struct MeansOf {
    known: Option<Arc<Averages>>,
    sweep: Option<Sweep<Totals>>,
    of_list: Option<Sweep<EditSums>>,
}

impl MeansOf {
    /// Returns the means once known; until then adds the next slice.
    pub(super) fn step(&mut self, of: &Subject, bench: &Bench) -> Option<Arc<Averages>> {
        self.known = self.known.take().or_else(|| bench.known_means(of));
        if self.known.is_none() {
            let sweep = self.sweep.get_or_insert_with(|| {
                let weights = bench.weights(of);
                let rows = if of.means_by_position() { bench.data().longest(Split::Validation) } else { 1 };
                let totals = Totals::of_rows(weights.config(), rows);
                Sweep::new(weights, Patch::default(), totals)
            });
            let (means, activity) = sweep.step(bench)?.averages();
            self.known = Some(bench.keep_means(of, Averages { means, activity }));
        }
        self.known.clone()
    }

    /// What the list of edits needs; `None` until known.
    fn list(&mut self, of: &Subject, bench: &Bench) -> Option<Arc<ReadyEdits>> {
        let edits = &of.edits.list;
        if edits.is_empty() {
            return Some(Arc::new(ReadyEdits::none()));
        }
        if let Some(known) = bench.known_edits(of) {
            return Some(known);
        }
        let weights = bench.weights(of);
        let sums = EditSums::new(&weights, &edits.as_slice().into());
        if !edits.iter().any(EditRule::needs_data) {
            return Some(bench.keep_edits(of, sums.ready()));
        }
        let sweep = self.of_list.get_or_insert_with(|| Sweep::new(weights, Patch::default(), sums));
        let ready = sweep.step(bench)?.ready();
        self.of_list = None;
        Some(bench.keep_edits(of, ready))
    }

    /// What the subject's edits need; `None` until known.
    pub(super) fn patches(&mut self, of: &Subject, bench: &Bench) -> Option<Patches> {
        let list = self.list(of, bench)?;
        let donors = bench.donors().filter(|_| of.needs_donors());
        let is_resampled = of.is_resampled() && donors.is_some();
        let averages = if of.needs_means() { Some(self.step(of, bench)?) } else { None };
        let means = averages.as_ref().map(|averages| &averages.means);
        let switched = (!is_resampled).then(|| of.edits.patch(of.snapshot.config(), means));
        Some(Patches { edits: of.edits.clone(), switched, list, donors })
    }

    /// The patch of the subject's sequence; `None` until known.
    pub(super) fn patch(&mut self, of: &Subject, bench: &Bench) -> Option<Patch> {
        let patches = self.patches(of, bench)?;
        let donor = bench.donor(of.tokens()).filter(|_| of.needs_donors());
        let donor = donor.map(|donor| bench.data().example(Split::Validation, donor));
        let donor = donor.as_ref().map(Example::tokens);
        Some(patches.of_tokens(&bench.weights(of), of.tokens(), donor).into_owned())
    }
}

/// Evaluates one set of edits after another over the validation set.
#[derive(Default)]
pub(super) struct Evaluator {
    pub(super) means: MeansOf,
    sweep: Option<Sweep<Tally>>,
}

impl Evaluator {
    /// The evaluation of a subject without edits, from the bench if known; `None` until done.
    pub(super) fn clean(&mut self, of: &Subject, bench: &Bench) -> Option<Arc<Evaluation>> {
        if bench.known_baseline(of).is_none() {
            let evaluation = self.step(of, bench)?;
            bench.keep_baseline(of, evaluation);
        }
        bench.known_baseline(of)
    }

    /// Adds the next slice; returns the evaluation after the last. The subject must stay the same until then.
    pub(super) fn step(&mut self, of: &Subject, bench: &Bench) -> Option<Evaluation> {
        let Some(sweep) = &mut self.sweep else {
            let patches = self.means.patches(of, bench)?;
            let weights = bench.weights(of);
            let tally = Tally::new(weights.config()).with_groups_of(&**bench.data().task());
            self.sweep = Some(Sweep::new(weights, patches, tally));
            return None;
        };
        let evaluation = sweep.step(bench)?.evaluation();
        self.sweep = None;
        Some(evaluation)
    }
}

/// Larger tables of class by neuron are not computed on the side, in bytes.
const MOST_TABLE_BYTES: u128 = 256 << 20;

/// Ranks the neurons that track each class.
#[derive(Default)]
pub(super) struct TrackersOf(Option<Sweep<TrackerSums>>);

impl TrackersOf {
    /// Whether the tables take too much memory.
    pub(super) fn are_too_large(of: &Subject, bench: &Bench) -> bool {
        let (config, features) = (of.snapshot.config(), bench.data().task().features().len());
        TrackerSums::approximate_bytes(config, features, rayon::current_num_threads()) > MOST_TABLE_BYTES
    }

    /// Adds the next slice; returns the trackers of each class after the last.
    pub(super) fn step(&mut self, of: &Subject, bench: &Bench) -> Option<Vec<Vec<Tracker>>> {
        let sweep = self.0.get_or_insert_with(|| {
            let weights = bench.weights(of);
            let sums = TrackerSums::new(weights.config(), bench.readout(of), bench.data().task());
            Sweep::new(weights, Patch::default(), sums)
        });
        let trackers = sweep.step(bench)?.trackers();
        self.0 = None;
        Some(trackers)
    }
}

/// A total over the validation set with the subject's edits, and the findings made from it.
pub(super) struct OverValidation<T, M, F> {
    subject: Subject,
    means: MeansOf,
    sweep: Option<Sweep<T>>,
    total: M,
    findings: F,
}

impl<T, M, F> OverValidation<T, M, F>
where
    T: Total + 'static,
    M: Fn(&Subject, &Bench) -> T + Send + 'static,
    F: Fn(T) -> Findings + Send + 'static,
{
    pub(super) fn ask(subject: &Subject, total: M, findings: F) -> Box<dyn Job> {
        let (subject, means) = (subject.clone(), MeansOf::default());
        Box::new(Self { subject, means, sweep: None, total, findings })
    }
}

impl<T, M, F> Job for OverValidation<T, M, F>
where
    T: Total,
    M: Fn(&Subject, &Bench) -> T + Send,
    F: Fn(T) -> Findings + Send,
{
    fn step(&mut self, bench: &Bench) -> Progress {
        let Some(sweep) = &mut self.sweep else {
            let Some(patches) = self.means.patches(&self.subject, bench) else { return Progress::More };
            let total = (self.total)(&self.subject, bench);
            self.sweep = Some(Sweep::new(bench.weights(&self.subject), patches, total));
            return Progress::More;
        };
        sweep.step(bench).map_or(Progress::More, |total| Progress::Done((self.findings)(total)))
    }
}
