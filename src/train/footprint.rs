//! Estimates the host memory of a run, and finds the setting that causes it.

use super::config::RunConfig;
use crate::memory::{self, Size, TooMuch};
use crate::model::Workspace;
use crate::task::{Dataset, Rows};

/// Copies of all parameters, beside the gradients, when a checkpoint is saved: weights and moments at the start and
/// now, a snapshot, and the checkpoint's as values and as bytes. The most that a large run needed.
const COPIES: u128 = 13;

/// The settings that determine sizes.
const SIZES: [Size<RunConfig>; 9] = [
    Size { name: "model.n_layers", value: |of| of.model.n_layers, set: |of, to| of.model.n_layers = to },
    Size { name: "model.n_heads", value: |of| of.model.n_heads, set: |of, to| of.model.n_heads = to },
    Size { name: "model.d_model", value: |of| of.model.d_model, set: |of, to| of.model.d_model = to },
    Size { name: "model.d_head", value: |of| of.model.d_head, set: |of, to| of.model.d_head = to },
    Size { name: "model.d_mlp", value: |of| of.model.d_mlp, set: |of, to| of.model.d_mlp = to },
    Size { name: "model.n_ctx", value: |of| of.model.n_ctx, set: |of, to| of.model.n_ctx = to },
    Size { name: "model.d_vocab", value: |of| of.model.d_vocab, set: |of, to| of.model.d_vocab = to },
    Size {
        name: "model.d_vocab_out",
        value: |of| of.model.outputs(),
        set: |of, to| of.model.d_vocab_out = Some(to),
    },
    Size { name: "task.sequences", value: |of| of.task.sequences, set: |of, to| of.task.sequences = to },
];

impl RunConfig {
    /// Bytes of the data set.
    pub fn data_bytes(&self) -> u128 {
        if self.task.data.is_some() {
            // The rows, and the two orders that they are read in.
            let orders = (2 * size_of::<usize>() * self.task.sequences) as u128;
            return Rows::approximate_bytes(self.task.sequences, self.model.n_ctx) + orders;
        }
        let len = self.task.task(self.model.shape()).map_or(self.model.n_ctx, |task| task.n_ctx());
        Dataset::approximate_bytes(self.task.sequences, len, self.task.source)
    }

    /// Bytes of training beside the data; activations and gradients count for `threads` threads, or not at all when
    /// another device trains.
    pub fn training_bytes(&self, threads: usize) -> u128 {
        let (model, len) = (&self.model, self.model.n_ctx);
        let on_host = if threads == 0 {
            0
        } else {
            // Validation has its own buffers.
            let validation = threads as u128 * model.approximate_activations(len);
            Workspace::approximate_values(model, len, threads) + validation
        };
        (COPIES * model.approximate_parameters() + on_host) * size_of::<f32>() as u128
    }

    /// Rejects more bytes than are available, and names the setting that causes them.
    ///
    /// # Errors
    /// Gives the estimate and the setting.
    pub fn afford(&self, what: &'static str, bytes: impl Fn(&Self) -> u128) -> Result<(), TooMuch> {
        memory::check(what, bytes(self), || memory::largest(self, &Self::default(), &SIZES, &bytes))
    }
}
