//! Buffers of passes that nobody looks at any more, for the next passes: the pages of a fresh buffer cost up to a third of a
//! forward pass.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::model::{Activations, ModelConfig};

/// Keeps at most one buffer.
#[derive(Debug, Default)]
pub struct ActivationPool {
    buffer: Mutex<Option<Activations>>,
}

impl ActivationPool {
    /// The kept buffer where it is of that shape, or a fresh one. Its values are those of another pass.
    pub(super) fn take(self: &Arc<Self>, config: &ModelConfig, len: usize) -> PooledActivations {
        let kept = self.buffer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let activations = kept.filter(|kept| kept.fits(config, len));
        PooledActivations {
            activations: activations.unwrap_or_else(|| Activations::new(config, len)),
            pool: Arc::downgrade(self),
        }
    }
}

/// Activations whose buffer goes back for another pass when they are dropped.
#[derive(Debug)]
pub struct PooledActivations {
    activations: Activations,
    pool: Weak<ActivationPool>,
}

impl PooledActivations {
    /// The same values, in the spare buffer if there is one.
    pub(super) fn copy(&self, config: &ModelConfig) -> Self {
        let mut copy = self.pool.upgrade().unwrap_or_default().take(config, self.len);
        copy.activations.clone_from(&self.activations);
        copy.pool = self.pool.clone();
        copy
    }

    /// To write a pass to.
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
            let buffer = std::mem::take(&mut self.activations);
            *pool.buffer.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
        }
    }
}
