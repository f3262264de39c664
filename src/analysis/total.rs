//! Totals over sequences: parts run in parallel and are merged in order, so that no result depends on the number of
//! threads.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::model::{Activations, Patch, Weights, forward_each, tiles};
use crate::task::Example;

/// Sums over sequences.
pub trait Total: Send + Sync + Sized {
    /// Whether [`add`](Self::add) reads the logits or the final norm: those of a large vocabulary take most of a pass.
    const READS_LOGITS: bool = true;
    /// Empty sums of the same kind.
    #[must_use]
    fn empty(&self) -> Self;
    /// Adds the pass of one sequence. If that takes long, `between` is called between its parts, and may wait.
    fn add(&mut self, from: &Activations, example: Example<'_>, between: &dyn Fn());
    /// Adds the sums over the sequences that follow.
    fn merge(&mut self, next: Self);
}

/// Multiplications in a part large enough for a task: a few milliseconds.
const PART_WORK: usize = 1 << 28;

/// Sequences per part: a sixteenth of all, but at most a few milliseconds of work, and at least one pass.
fn part_len(weights: &Weights, sequences: usize) -> usize {
    let pass = weights.values.len().saturating_mul(weights.config().n_ctx).max(1);
    sequences.div_ceil(16).min(PART_WORK / pass).max(1)
}

/// Sequences per call of [`add`]: one part per thread.
pub fn slice_len(weights: &Weights, sequences: usize) -> usize {
    part_len(weights, sequences) * rayon::current_num_threads()
}

/// Adds some of the `sequences` of a set. The result does not depend on the slices if they are multiples of a part.
/// `between` is called within each pass and after it, and may wait.
pub fn add<T: Total>(
    total: &mut T,
    weights: &Weights,
    patch: &Patch,
    examples: &[Example<'_>],
    sequences: usize,
    between: &(dyn Fn() + Sync),
) {
    add_each(total, weights, &|_| Cow::Borrowed(patch), examples, sequences, between);
}

/// The patch of each sequence, by its index.
pub type PatchOf<'a, 'b> = &'b (dyn Fn(usize) -> Cow<'a, Patch> + Sync);

/// Like [`add`], with a patch for each sequence, by its index in `examples`.
pub fn add_each<T: Total>(
    total: &mut T,
    weights: &Weights,
    patch_of: PatchOf<'_, '_>,
    examples: &[Example<'_>],
    sequences: usize,
    between: &(dyn Fn() + Sync),
) {
    let len = part_len(weights, sequences);
    let part = |(number, examples): (usize, &[Example<'_>])| {
        let (mut part, mut buffers) = (total.empty(), Default::default());
        for tile in tiles(examples.iter().map(|example| example.tokens().len())) {
            let examples = &examples[tile.clone()];
            let patches: Vec<_> = tile.map(|index| patch_of(number * len + index)).collect();
            let sequences =
                examples.iter().zip(&patches).map(|(example, patch)| (example.tokens(), &**patch));
            let sequences: Vec<_> = sequences.collect();
            forward_each(weights, (&sequences, T::READS_LOGITS), &mut buffers, between, |index, run| {
                between();
                part.add(run, examples[index], between);
            });
        }
        part
    };
    let parts: Vec<T> = examples.par_chunks(len).enumerate().map(part).collect();
    for part in parts {
        between();
        total.merge(part);
    }
}

/// Adds all of `examples`.
pub fn over<T: Total>(total: T, weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> T {
    over_each(total, weights, &|_| Cow::Borrowed(patch), examples)
}

/// Adds all of `examples`, with a patch for each, by its index.
pub fn over_each<T: Total>(
    mut total: T,
    weights: &Weights,
    patch_of: PatchOf<'_, '_>,
    examples: &[Example<'_>],
) -> T {
    let len = slice_len(weights, examples.len());
    for (slice, first) in examples.chunks(len).zip((0..).step_by(len)) {
        add_each(&mut total, weights, &|index| patch_of(first + index), slice, examples.len(), &|| ());
    }
    total
}
