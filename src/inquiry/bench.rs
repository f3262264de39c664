//! Intermediate results that several answers share, computed once: clean passes, folded weights, means.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rayon::ThreadPool;

use super::memo::{BUDGET, Key, Memo};
use crate::analysis::circuits::{HeadDrive, HeadMaps};
use crate::analysis::edits::ReadyEdits;
use crate::analysis::tracker_sets::TrackerSet;
use crate::analysis::{ActivationPool, Evaluation, Pass, Readout, donor_for, donors_among};
use crate::figure::{Over, Subject, WeightForm};
use crate::model::{HeadId, Means, Patch, Snapshot};
use crate::task::{Dataset, Example, Split, Targets, Token};

/// Mean activations over the validation set, and how active each neuron is, by layer.
pub(super) struct Averages {
    pub(super) means: Means,
    pub(super) activity: Vec<Vec<f32>>,
}

/// Lets long work pause for urgent work.
pub trait YieldPoint: Send + Sync {
    /// Whether the calling thread does the urgent work.
    fn is_urgent(&self) -> bool;
    /// Blocks while urgent work is running.
    fn wait(&self);
}

/// The memo, and what every answer needs: data, seed, and the threads for long work.
pub struct Bench {
    memo: Memo,
    data: Arc<Dataset>,
    seed: u64,
    pool: Option<ThreadPool>,
    passes: AtomicUsize,
    activations: Arc<ActivationPool>,
    yield_point: Option<Arc<dyn YieldPoint>>,
    donors: OnceLock<Option<Arc<[usize]>>>,
}

impl Bench {
    /// An empty bench. Without `pool`, long work runs on rayon's default threads.
    pub fn new(data: Arc<Dataset>, seed: u64, pool: Option<ThreadPool>) -> Self {
        Self {
            memo: Memo::new(BUDGET),
            data,
            seed,
            pool,
            passes: AtomicUsize::new(0),
            activations: Arc::default(),
            yield_point: None,
            donors: OnceLock::new(),
        }
    }

    /// The same bench that keeps fewer results: for work that moves from snapshot to snapshot.
    #[must_use]
    pub fn for_curves(self) -> Self {
        Self { memo: Memo::new(BUDGET / 8), ..self }
    }

    #[cfg(test)]
    pub(super) fn without_pool(&mut self) {
        self.pool = None;
    }

    /// The run's data.
    pub(super) fn data(&self) -> &Dataset {
        &self.data
    }

    /// Number of validation sequences.
    pub(super) fn sequences(&self) -> usize {
        self.data.len(Split::Validation)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Forward passes run so far.
    pub fn passes(&self) -> usize {
        self.passes.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, passes: usize) {
        self.passes.fetch_add(passes, Ordering::Relaxed);
    }

    /// The same bench for quick answers to keys: long work pauses for urgent work, and a spare buffer is ready.
    #[must_use]
    pub fn with_yield_point(self, yield_point: Arc<dyn YieldPoint>) -> Self {
        Self { yield_point: Some(yield_point), activations: Arc::new(ActivationPool::with_spare()), ..self }
    }

    /// Called within the passes of the calling thread's long work, on any thread: pauses for urgent work.
    pub(super) fn yield_to_urgent(&self) -> impl Fn() + Sync + '_ {
        let yield_point = self.yield_point.as_deref().filter(|yield_point| !yield_point.is_urgent());
        move || yield_point.into_iter().for_each(YieldPoint::wait)
    }

    /// Runs long work on the threads reserved for it.
    pub(super) fn long<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// The weights in the subject's form.
    pub(super) fn weights(&self, of: &Subject) -> Arc<Snapshot> {
        match of.form {
            WeightForm::Trained => Arc::clone(&of.snapshot),
            WeightForm::Folded => self.memo.get(&of.snapshot, Key::Folded, || of.snapshot.folded(), bytes_of),
        }
    }

    /// What vectors and neurons add to each logit.
    pub(super) fn readout(&self, of: &Subject) -> Arc<Readout> {
        let make = || Readout::new(&self.weights(of).weights);
        self.memo.get(&of.snapshot, Key::Readout(of.form), make, Readout::bytes)
    }

    /// The pass of the subject's sequence without edits.
    pub(super) fn clean(&self, of: &Subject) -> Arc<Pass> {
        let Over::Sequence(tokens) = &of.over else { panic!("a pass is of a sequence") };
        let make = || {
            let weights = &self.weights(of).weights;
            self.count(1);
            let targets = self.targets(tokens);
            let example = Example::new(tokens, &targets);
            Pass::run_in(&self.activations, self.readout(of), weights, example, &Patch::default())
        };
        self.memo.get(&of.snapshot, Key::Clean(of.form, Arc::clone(tokens)), make, Pass::bytes)
    }

    /// The pass with edits, from the clean pass: only the layers after the first edit run again.
    pub(super) fn edited(&self, of: &Subject, patch: &Patch) -> Arc<Pass> {
        let clean = self.clean(of);
        if of.edits.is_empty() {
            return clean;
        }
        let Over::Sequence(tokens) = &of.over else { return clean };
        let make = || {
            self.count(1);
            let targets = self.targets(tokens);
            clean.patched(&self.weights(of).weights, Example::new(tokens, &targets), patch)
        };
        self.memo.get(
            &of.snapshot,
            Key::Edited(of.form, Arc::clone(tokens), of.edits.clone()),
            make,
            Pass::bytes,
        )
    }

    /// The correct classes of a sequence, by position.
    pub(super) fn targets(&self, tokens: &[Token]) -> Targets {
        self.data.task().targets(tokens)
    }

    /// A head's maps over the vocabulary, from the folded weights.
    pub(super) fn maps(&self, of: &Subject, id: HeadId) -> Arc<HeadMaps> {
        self.memo.get(
            &of.snapshot,
            Key::Maps(id),
            || HeadMaps::new(&self.weights(of).weights, id),
            HeadMaps::bytes,
        )
    }

    /// For each validation sequence another one that is as long or longer; `None` if one has none.
    pub(super) fn donors(&self) -> Option<Arc<[usize]>> {
        let drawn = || donors_among(&self.data, self.seed).map(Into::into);
        self.donors.get_or_init(drawn).clone()
    }

    /// The validation sequence whose activations replace those of this sequence; `None` for no sequence, and without
    /// [`donors`](Self::donors).
    pub(super) fn donor(&self, tokens: &[Token]) -> Option<usize> {
        let donors = self.donors().filter(|_| !tokens.is_empty())?;
        let is_it = |index: &usize| self.data.example(Split::Validation, *index).tokens() == tokens;
        let own = (0..donors.len()).find(is_it).map(|index| donors[index]);
        own.or_else(|| donor_for(tokens.len(), &self.data, self.seed))
    }

    /// How strongly a head drives its layer's neurons, from the folded weights.
    pub(super) fn drive(&self, of: &Subject, id: HeadId) -> Arc<HeadDrive> {
        let make = || HeadDrive::new(&self.weights(of).weights, id);
        self.memo.get(&of.snapshot, Key::Drive(id), make, |made: &HeadDrive| made.values.bytes())
    }

    pub(super) fn known_means(&self, of: &Subject) -> Option<Arc<Averages>> {
        self.memo.known(&of.snapshot, &Key::Means(of.form, of.means_by_position()))
    }

    pub(super) fn keep_means(&self, of: &Subject, averages: Averages) -> Arc<Averages> {
        let bytes = |kept: &Averages| 8 * kept.means.post.iter().map(Vec::len).sum::<usize>();
        self.memo.get(&of.snapshot, Key::Means(of.form, of.means_by_position()), || averages, bytes)
    }

    /// What the subject's list of edits needs, if known.
    pub(super) fn known_edits(&self, of: &Subject) -> Option<Arc<ReadyEdits>> {
        self.memo.known(&of.snapshot, &Key::Edits(of.form, of.edits.list.clone()))
    }

    pub(super) fn keep_edits(&self, of: &Subject, ready: ReadyEdits) -> Arc<ReadyEdits> {
        let key = Key::Edits(of.form, of.edits.list.clone());
        self.memo.get(&of.snapshot, key, || ready, ReadyEdits::bytes)
    }

    /// The key frequencies of the weights' logits, if known.
    pub(super) fn known_keys(&self, of: &Subject) -> Option<Arc<Vec<usize>>> {
        self.memo.known(&of.snapshot, &Key::Frequencies(of.form))
    }

    pub(super) fn keep_keys(&self, of: &Subject, keys: Vec<usize>) -> Arc<Vec<usize>> {
        let bytes = |keys: &Vec<usize>| size_of_val(&keys[..]);
        self.memo.get(&of.snapshot, Key::Frequencies(of.form), || keys, bytes)
    }

    /// The sets of neurons that track each class, if known.
    pub(super) fn known_sets(&self, of: &Subject) -> Option<Arc<Vec<TrackerSet>>> {
        self.memo.known(&of.snapshot, &Key::TrackerSets(of.form))
    }

    pub(super) fn keep_sets(&self, of: &Subject, sets: Vec<TrackerSet>) -> Arc<Vec<TrackerSet>> {
        let bytes = |sets: &Vec<TrackerSet>| size_of_val(&sets[..]);
        self.memo.get(&of.snapshot, Key::TrackerSets(of.form), || sets, bytes)
    }

    /// The evaluation without edits, if known.
    pub(super) fn known_baseline(&self, of: &Subject) -> Option<Arc<Evaluation>> {
        self.memo.known(&of.snapshot, &Key::Baseline(of.form))
    }

    pub(super) fn keep_baseline(&self, of: &Subject, evaluation: Evaluation) {
        let bytes = |kept: &Evaluation| {
            let lists = [&kept.accuracy_by_position, &kept.accuracy_by_class, &kept.loss_by_class];
            lists.iter().map(|list| size_of_val(&list[..])).sum()
        };
        self.memo.get(&of.snapshot, Key::Baseline(of.form), || evaluation, bytes);
    }
}

fn bytes_of(snapshot: &Snapshot) -> usize {
    4 * snapshot.weights.values.len()
}

#[cfg(test)]
mod tests {
    use super::super::memo::{LEAST, SMALL};
    use super::*;
    use crate::model::{Interventions, ModelConfig, NeuronId, Weights};
    use crate::task::TaskConfig;

    /// A snapshot with large passes, and its data.
    fn made() -> (Arc<Snapshot>, Arc<Dataset>) {
        let config = ModelConfig { d_model: 64, d_head: 32, d_mlp: 128, n_ctx: 40, ..ModelConfig::default() };
        let data = TaskConfig { sequences: 4, train_fraction: 0.5, ..TaskConfig::default() };
        let data = Arc::new(data.dataset(config.shape(), 1).unwrap());
        (Arc::new(Snapshot::new(0, Weights::initial(&config, 1))), data)
    }

    fn subject(snapshot: &Arc<Snapshot>, token: Token) -> Subject {
        Subject::weights(snapshot, WeightForm::Trained).over(Over::Sequence(vec![token; 40].into()))
    }

    fn held(bench: &Bench) -> Vec<usize> {
        bench.memo.sizes()
    }

    #[test]
    fn the_budget_keeps_recently_used_and_the_newest_entries() {
        let (snapshot, data) = made();
        let bench = |budget| Bench { memo: Memo::new(budget), ..Bench::new(Arc::clone(&data), 1, None) };
        let one = bench(usize::MAX);
        one.clean(&subject(&snapshot, 0));
        let [readout, pass] = held(&one)[..] else { panic!("a pass and what it is read with") };
        assert!(readout < SMALL && pass > SMALL, "{readout} {pass}");
        let budget = readout + 6 * pass;
        let six = bench(budget);
        for token in 0..10 {
            six.clean(&subject(&snapshot, token));
            assert!(held(&six).iter().sum::<usize>() <= budget);
            six.clean(&subject(&snapshot, 0));
        }
        assert_eq!((held(&six).len(), six.passes()), (7, 10), "what is used is kept");
        let none = bench(0);
        (0..10).for_each(|token| drop(none.clean(&subject(&snapshot, token))));
        assert_eq!(held(&none), [readout, pass], "the newest sequence's");
        for neuron in 0..10 {
            let edits =
                Interventions { neurons: [NeuronId { layer: 0, neuron }].into(), ..Interventions::default() };
            let edited = subject(&snapshot, 9).edited(&edits);
            none.edited(&edited, &edits.patch(snapshot.config(), None));
        }
        assert_eq!((held(&none).len(), none.passes()), (1 + LEAST, 20), "the clean pass is used, and stays");
    }

    #[test]
    fn two_benches_keep_no_snapshot_alive() {
        let (snapshot, data) = made();
        let benches = [Bench::new(Arc::clone(&data), 1, None), Bench::new(data, 1, None).for_curves()];
        let first = Arc::downgrade(&snapshot);
        let second = Arc::new(Snapshot::new(1, snapshot.weights.clone()));
        benches.iter().for_each(|bench| drop(bench.clean(&subject(&snapshot, 0))));
        drop(snapshot);
        assert_eq!(first.strong_count(), 0);
        for bench in &benches {
            bench.clean(&subject(&second, 0));
            assert_eq!(held(bench).len(), 2, "the second snapshot's");
        }
    }

    #[test]
    fn a_snapshot_without_other_owners_is_dropped() {
        let (snapshot, data) = made();
        let bench = Bench::new(data, 1, None);
        for step in 1..5 {
            let next = Arc::new(Snapshot::new(step, snapshot.weights.clone()));
            bench.clean(&subject(&next, 0));
            assert_eq!(held(&bench).len(), 2, "its readout and its pass");
        }
    }
}
