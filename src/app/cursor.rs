//! The one selection that every view reads and moves.

use crate::analysis::Target;
use crate::model::{AttentionDirection, HeadId, ModelConfig, NeuronId};

/// The shared selection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cursor {
    /// Position in the sequence; the query in the attention view.
    pub(crate) position: usize,
    /// Key in the attention view.
    pub(crate) key: usize,
    pub(crate) layer: usize,
    pub(crate) head: usize,
    pub(crate) neuron: usize,
    /// Whether the user chose the neuron: otherwise the cursor stays on the first of the list.
    pub(super) neuron_is_chosen: bool,
    /// Index in the logits view's list of components.
    pub(crate) component: usize,
    /// Token of a row in a circuit map.
    pub(crate) token: usize,
    /// Token of a column in a circuit map.
    pub(crate) other: usize,
    /// Rank of the first class in view, from the least accurate, where not all fit.
    pub(crate) class_rank: usize,
    /// Row of the list of interventions.
    pub(crate) off_line: usize,
    pub(crate) target: Target,
}

impl Cursor {
    pub(crate) fn head_id(&self) -> HeadId {
        HeadId { layer: self.layer, head: self.head }
    }

    pub(crate) fn neuron_id(&self) -> NeuronId {
        NeuronId { layer: self.layer, neuron: self.neuron }
    }

    /// Moves among the keys that the query may see, in a sequence of `len` tokens.
    pub(super) fn move_key(&mut self, by: isize, direction: AttentionDirection, len: usize) {
        self.key = moved(self.key, by, direction.end(self.position, len));
    }

    /// Keeps the key among those that the query may see.
    pub(super) fn keep_key(&mut self, direction: AttentionDirection, len: usize) {
        self.key = self.key.min(direction.end(self.position, len).saturating_sub(1));
    }

    /// Moves on to the next layer after a layer's last head, so that one key visits every head.
    pub(super) fn move_head(&mut self, model: &ModelConfig, by: isize) {
        let flat = self.layer * model.n_heads + self.head;
        let flat = moved(flat, by, model.n_layers * model.n_heads);
        (self.layer, self.head) = (flat / model.n_heads, flat % model.n_heads);
    }
}

/// Lines that a page key moves by.
pub(super) const PAGE: isize = 10;

/// `at + by`, clamped to `0..len`.
pub(super) fn moved(at: usize, by: isize, len: usize) -> usize {
    at.saturating_add_signed(by).min(len.saturating_sub(1))
}
