//! Results that are kept for a snapshot, within a budget of bytes.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::figure::WeightForm;
use crate::model::{EditRule, HeadId, Interventions, Snapshot};
use crate::task::Token;

/// Largest size of the memo in bytes: about ten passes of the default model.
pub(super) const BUDGET: usize = 12 << 20;
/// Large entries that are never dropped: the next key needs the passes of one sequence with and without edits, folded
/// weights and readout.
pub(super) const LEAST: usize = 4;
/// Entries up to this size in bytes are never dropped, but for passes, of which there may be any number: means, for example,
/// take long to compute.
pub(super) const SMALL: usize = 64 << 10;

/// Kinds of results that are kept for a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Key {
    Folded,
    Readout(WeightForm),
    Clean(WeightForm, Arc<[Token]>),
    Edited(WeightForm, Arc<[Token]>, Interventions),
    /// Over all positions, or at each.
    Means(WeightForm, bool),
    Baseline(WeightForm),
    Maps(HeadId),
    Drive(HeadId),
    Edits(WeightForm, Vec<EditRule>),
    Frequencies(WeightForm),
    TrackerSets(WeightForm),
}

impl Key {
    /// The sequence of a pass.
    fn tokens(&self) -> Option<&Arc<[Token]>> {
        match self {
            Self::Clean(_, tokens) | Self::Edited(_, tokens, _) => Some(tokens),
            Self::Folded
            | Self::Readout(_)
            | Self::Means(..)
            | Self::Baseline(_)
            | Self::Maps(_)
            | Self::Drive(_)
            | Self::Edits(..)
            | Self::Frequencies(_)
            | Self::TrackerSets(_) => None,
        }
    }
}

struct Entry {
    /// Not an owner: two memos that were would keep each other's snapshots.
    of: Weak<Snapshot>,
    key: Key,
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

/// Kept results.
pub(super) struct Memo {
    /// Least recently used first.
    entries: Mutex<Vec<Entry>>,
    budget: usize,
}

impl Memo {
    /// Nothing yet, of at most so many bytes but for the few entries that are always kept.
    pub(super) fn new(budget: usize) -> Self {
        Self { entries: Mutex::default(), budget }
    }

    /// A kept result, which becomes the last to be dropped.
    pub(super) fn known<T: Any + Send + Sync>(&self, of: &Arc<Snapshot>, key: &Key) -> Option<Arc<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at =
            entries.iter().position(|entry| entry.of.as_ptr() == Arc::as_ptr(of) && entry.key == *key)?;
        let entry = entries.remove(at);
        let value = Arc::clone(&entry.value).downcast().ok();
        entries.push(entry);
        value
    }

    /// Returns the kept result, or computes it now: without the lock, so that no thread waits.
    pub(super) fn get<T: Any + Send + Sync>(
        &self,
        of: &Arc<Snapshot>,
        key: Key,
        make: impl FnOnce() -> T,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Arc<T> {
        if let Some(known) = self.known(of, &key) {
            return known;
        }
        let made = Arc::new(make());
        let bytes = bytes(&made);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(Entry { of: Arc::downgrade(of), key, value: made.clone(), bytes });
        // No question can need the results of a snapshot that is gone.
        entries.retain(|entry| entry.of.strong_count() > 0);
        drop_oldest(&mut entries, self.budget);
        made
    }

    /// Bytes of each entry.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.entries.lock().unwrap().iter().map(|entry| entry.bytes).collect()
    }
}

/// Drops large entries until the rest fits the budget, least recently used first: passes of sequences other than the
/// newest one's, then entries beyond those that the next key needs.
fn drop_oldest(memo: &mut Vec<Entry>, budget: usize) {
    let is_large = |entry: &Entry| entry.bytes > SMALL || entry.key.tokens().is_some();
    let newest = memo.iter().rev().find_map(|entry| entry.key.tokens().cloned());
    let is_other = |entry: &Entry| entry.key.tokens().is_some_and(|tokens| Some(tokens) != newest.as_ref());
    while memo.iter().map(|entry| entry.bytes).sum::<usize>() > budget {
        let other = memo.iter().position(|entry| is_large(entry) && is_other(entry));
        let is_more = memo.iter().filter(|entry| is_large(entry)).count() > LEAST;
        let oldest = || memo.iter().position(is_large).filter(|_| is_more);
        let Some(at) = other.or_else(oldest) else { break };
        memo.remove(at);
    }
}
