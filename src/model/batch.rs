//! Loss and gradients of a batch: tiles in parallel, sums in a fixed order.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::activations::Activations;
use super::adjoints::Adjoints;
use super::config::ModelConfig;
use super::loss_dtype::LossDtype;
use super::pass::{backward, cross_entropy, forward_tile};
use super::patch::{Patch, PatchOf};
use super::tile::{self, Tile, tiles};
use super::weights::Weights;
use crate::task::Example;

/// Number of parts of a batch, whatever the number of threads: each sums its own gradients, and the parts are added in
/// order, so that the bits do not depend on the threads.
const CHUNKS: usize = 16;

/// Fewest tiles of a part: clearing and adding its gradients takes a fifth of the time of one tile.
const CHUNK_TILES: usize = 2;

/// Limit of values in all parts' gradients together: above it a batch has fewer parts, to save memory.
const MAX_GRADIENT_VALUES: usize = 1 << 26;

/// Buffers that training reuses from step to step.
#[derive(Default)]
pub struct Workspace {
    scratch: Mutex<Vec<Scratch>>,
    gradients: Mutex<Vec<Vec<f32>>>,
    /// As long as the parameters: pages of a fresh buffer cost more than its use.
    spare: Mutex<Vec<Vec<f32>>>,
}

fn lock<T>(buffers: &Mutex<T>) -> MutexGuard<'_, T> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Scratch {
    activations: Activations,
    adjoints: Adjoints,
}

/// Loss and gradient of a batch.
pub struct BatchResult {
    /// Mean cross-entropy over all targets, in nats.
    pub loss: f32,
    /// Gradient of the loss, in the layout of the weights; empty if not requested.
    pub gradient: Vec<f32>,
}

impl Workspace {
    /// Number of values, with a gradient, for this many threads on sequences of `len` tokens; as a type that cannot
    /// overflow.
    pub fn approximate_values(c: &ModelConfig, len: usize, threads: usize) -> u128 {
        let parameters = c.approximate_parameters();
        let chunks = (MAX_GRADIENT_VALUES as u128 / parameters.max(1)).clamp(1, CHUNKS as u128);
        let rows = len.max(tile::ROWS);
        let scratch = c.approximate_activations(rows) + Adjoints::approximate_values(c, rows);
        (chunks + 2) * parameters + threads as u128 * scratch
    }

    /// Mean loss over all targets of `batch`, and its gradient if `with_gradient`.
    pub fn loss(
        &self,
        weights: &Weights,
        batch: &[Example<'_>],
        (loss_dtype, patch_of): (LossDtype, Option<&PatchOf>),
        with_gradient: bool,
    ) -> BatchResult {
        // A batch of sequences without targets has loss and gradient 0.
        let targets = batch.iter().map(Example::scored).sum::<usize>().max(1);
        let scale = 1.0 / targets as f32;
        let width = if with_gradient { weights.values.len() } else { 0 };
        let tiles = tiles(batch.iter().map(|example| example.tokens().len()));
        let parts = tiles.len().div_ceil(CHUNK_TILES).max(1);
        let chunks = CHUNKS.min(MAX_GRADIENT_VALUES / width.max(1)).clamp(1, parts);
        let mut transposed = self.buffer();
        if with_gradient {
            weights.transposed(&mut transposed);
        }
        let mut gradients = std::mem::take(&mut *lock(&self.gradients));
        gradients.resize_with(chunks, Vec::new);
        let losses: Vec<f64> = gradients
            .par_iter_mut()
            .enumerate()
            .map(|(chunk, gradient)| {
                gradient.clear();
                gradient.resize(width, 0.0);
                let range = chunk * tiles.len() / chunks..(chunk + 1) * tiles.len() / chunks;
                let gradient = with_gradient.then_some(gradient);
                let how = (scale, loss_dtype, patch_of);
                self.chunk((weights, &transposed), batch, &tiles[range], how, gradient)
            })
            .collect();
        let mut gradient = self.buffer();
        gradient.resize(width, 0.0);
        sum_in_order(&gradients, &mut gradient);
        *lock(&self.gradients) = gradients;
        self.give_back(transposed);
        BatchResult { loss: (losses.iter().sum::<f64>() / targets as f64) as f32, gradient }
    }

    /// A buffer given back before, with any values, or an empty one.
    pub(super) fn buffer(&self) -> Vec<f32> {
        lock(&self.spare).pop().unwrap_or_default()
    }

    /// Keeps a buffer for the next step.
    pub(super) fn give_back(&self, buffer: Vec<f32>) {
        lock(&self.spare).push(buffer);
    }

    /// The summed loss of some tiles; adds `scale` times its gradient, if requested.
    fn chunk(
        &self,
        weights: (&Weights, &[f32]),
        batch: &[Example<'_>],
        tiles: &[Range<usize>],
        (scale, loss_dtype, patch_of): (f32, LossDtype, Option<&PatchOf>),
        mut gradient: Option<&mut Vec<f32>>,
    ) -> f64 {
        let mut scratch = lock(&self.scratch).pop().unwrap_or_default();
        scratch.adjoints.loss_dtype = loss_dtype;
        let losses = tiles.iter().map(|tile| {
            let examples = &batch[tile.clone()];
            let of = |patch_of: &PatchOf| examples.iter().map(|example| patch_of(example.tokens())).collect();
            let patches: Vec<Patch> = patch_of.map(of).unwrap_or_default();
            scratch.tile(weights, (examples, &patches), scale, gradient.as_deref_mut())
        });
        let total = losses.sum();
        lock(&self.scratch).push(scratch);
        total
    }
}

impl Scratch {
    /// The summed loss of the sequences of one tile, with their patches if there are any; adds `scale` times its gradient, if
    /// requested.
    fn tile(
        &mut self,
        (weights, transposed): (&Weights, &[f32]),
        (examples, patches): (&[Example<'_>], &[Patch]),
        scale: f32,
        gradient: Option<&mut Vec<f32>>,
    ) -> f64 {
        let (c, nothing) = (weights.config(), Patch::default());
        let patches = patches.iter().chain(std::iter::repeat(&nothing));
        let (tile, targets) = Tile::scored(c, examples, patches);
        if targets.is_empty() {
            return 0.0;
        }
        forward_tile(weights, &tile, &mut self.activations, &|| ());
        match gradient {
            Some(gradient) => {
                let tile = (&tile, &targets[..]);
                backward((weights, transposed), tile, scale, &self.activations, &mut self.adjoints, gradient)
            }
            None => cross_entropy(&self.activations.logits, &targets, c.outputs()),
        }
    }
}

/// Elementwise sum, in the order of the parts.
fn sum_in_order(parts: &[Vec<f32>], total: &mut [f32]) {
    const STRIP: usize = 1 << 13;
    total.par_chunks_mut(STRIP).enumerate().for_each(|(strip, total)| {
        let first = strip * STRIP;
        total.copy_from_slice(&parts[0][first..first + total.len()]);
        for part in &parts[1..] {
            super::kernels::add(total, &part[first..first + total.len()]);
        }
    });
}
