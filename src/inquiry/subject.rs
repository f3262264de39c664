//! What an answer is of.

use std::sync::Arc;

use crate::figure::WeightForm;
use crate::model::{AblationKind, Interventions, Snapshot};
use crate::task::Token;

/// The inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// None: the weights alone.
    Weights,
    /// One sequence: from 1 to `n_ctx` tokens of the vocabulary.
    Sequence(Arc<[Token]>),
    /// The validation set.
    Validation,
}

/// What an answer is of: everything that it depends on.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The weights, as training left them.
    pub snapshot: Arc<Snapshot>,
    /// The form in which they are looked at.
    pub form: WeightForm,
    /// The inputs.
    pub over: Over,
    /// What is switched off or replaced.
    pub edits: Interventions,
}

impl Subject {
    /// The weights alone, in a form.
    pub fn weights(snapshot: &Arc<Snapshot>, form: WeightForm) -> Self {
        let (snapshot, edits) = (Arc::clone(snapshot), Interventions::default());
        Self { snapshot, form, over: Over::Weights, edits }
    }

    /// The same weights over other inputs.
    #[must_use]
    pub fn over(self, over: Over) -> Self {
        Self { over, ..self }
    }

    /// The same with other edits.
    #[must_use]
    pub fn edited(self, edits: &Interventions) -> Self {
        Self { edits: edits.clone(), ..self }
    }

    /// Optimiser steps taken.
    pub fn step(&self) -> usize {
        self.snapshot.step
    }

    /// The tokens of the sequence; none of other inputs.
    pub fn tokens(&self) -> &[Token] {
        if let Over::Sequence(tokens) = &self.over { tokens } else { &[] }
    }

    /// Whether two subjects differ in the step at most.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.form, &self.over, &self.edits) == (other.form, &other.over, &other.edits)
    }

    /// Whether edits put mean activations in place of computed ones.
    pub(super) fn needs_means(&self) -> bool {
        let is_ablated = !(self.edits.heads.is_empty() && self.edits.neurons.is_empty());
        is_ablated && self.edits.kind == AblationKind::Mean
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.snapshot, &other.snapshot) && self.is_like(other)
    }
}
