//! Totals over sequences: parts run in parallel and are merged in order, so that no result depends on the number of
//! threads.

use rayon::prelude::*;

use crate::model::{Activations, Patch, Weights, forward_in_steps};
use crate::task::Example;

/// Sums over sequences.
pub trait Total: Send + Sync + Sized {
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
    let part = |examples: &[Example<'_>]| {
        let mut part = total.empty();
        let mut activations: Option<Activations> = None;
        for &example in examples {
            let len = example.tokens().len();
            let kept = activations.take().filter(|kept| kept.len == len);
            let mut run = kept.unwrap_or_else(|| Activations::new(weights.config(), len));
            forward_in_steps(weights, example.tokens(), patch, &mut run, between);
            between();
            part.add(&run, example, between);
            activations = Some(run);
        }
        part
    };
    let parts: Vec<T> = examples.par_chunks(part_len(weights, sequences)).map(part).collect();
    for part in parts {
        between();
        total.merge(part);
    }
}

/// Adds all of `examples`.
pub fn over<T: Total>(mut total: T, weights: &Weights, patch: &Patch, examples: &[Example<'_>]) -> T {
    for slice in examples.chunks(slice_len(weights, examples.len())) {
        add(&mut total, weights, patch, slice, examples.len(), &|| ());
    }
    total
}
