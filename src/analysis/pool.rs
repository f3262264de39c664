//! Reuses the buffers of finished passes: the pages of a fresh buffer cost up to a third of a forward pass.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::model::{Activations, ModelConfig};

/// Number of buffers kept: one for the user's next question, and one for a study's next pass.
const KEPT: usize = 2;

/// Keeps spare buffers of one shape.
#[derive(Debug, Default)]
pub struct ActivationPool {
    buffers: Mutex<Vec<Activations>>,
    lacks_spare: AtomicBool,
}

impl ActivationPool {
    /// A pool that allocates its first spare buffer together with the first pass, so that no later pass waits for fresh
    /// pages.
    pub fn with_spare() -> Self {
        Self { lacks_spare: AtomicBool::new(true), ..Self::default() }
    }

    /// Allocates the spare buffer; call it with the activations of a pass.
    pub(super) fn prepare(&self, activations: &Activations) {
        if self.lacks_spare.swap(false, Ordering::Relaxed) {
            self.give_back(activations.clone());
        }
    }

    /// A kept buffer of this shape, with the values of another pass, or a fresh one. Drops buffers of other shapes.
    pub(super) fn take(self: &Arc<Self>, config: &ModelConfig, len: usize) -> PooledActivations {
        let mut buffers = self.buffers();
        buffers.retain(|kept| kept.fits(config, len));
        let kept = buffers.pop();
        drop(buffers);
        PooledActivations {
            activations: kept.unwrap_or_else(|| Activations::new(config, len)),
            pool: Arc::downgrade(self),
        }
    }

    fn give_back(&self, buffer: Activations) {
        let mut buffers = self.buffers();
        if buffers.len() < KEPT {
            buffers.push(buffer);
        }
    }

    fn buffers(&self) -> MutexGuard<'_, Vec<Activations>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Activations whose buffer returns to the pool when dropped.
#[derive(Debug)]
pub struct PooledActivations {
    activations: Activations,
    pool: Weak<ActivationPool>,
}

impl PooledActivations {
    /// Another buffer of this shape, from the same pool if it still exists.
    pub(super) fn sibling(&self, config: &ModelConfig) -> Self {
        self.pool.upgrade().unwrap_or_default().take(config, self.len)
    }

    /// For writing a pass.
    pub(super) fn get_mut(&mut self) -> &mut Activations {
        &mut self.activations
    }
}

impl Deref for PooledActivations {
    type Target = Activations;

    fn deref(&self) -> &Activations {
        &self.activations
    }
}

impl Drop for PooledActivations {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.give_back(std::mem::take(&mut self.activations));
        }
    }
}
