//! The passes of one sequence, shared by several questions.

use std::sync::Arc;

use super::bench::Bench;
use crate::analysis::{Pass, Readout};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::{ModelConfig, Patch, Snapshot};
use crate::task::{Class, Targets, Task, Token};

/// The passes of one sequence and what is needed to read them.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The subject.
    pub subject: Arc<Subject>,
    /// The task that defines its targets.
    pub task: Arc<dyn Task>,
    /// The weights in the subject's form.
    pub weights: Arc<Snapshot>,
    /// The correct class at each position, if any.
    pub targets: Targets,
    /// What vectors and neurons add to each logit.
    pub readout: Arc<Readout>,
    /// Without edits.
    pub clean: Arc<Pass>,
    /// With the edits, if there are any.
    pub ablated: Option<Arc<Pass>>,
    /// Number of values that the edits replaced.
    pub cells: usize,
}

impl Probe {
    /// The probe of a subject whose replacement values are known.
    pub(super) fn of(subject: &Subject, patch: &Patch, bench: &Bench) -> Self {
        let clean = bench.clean(subject);
        let cells =
            subject.edits.cells(subject.snapshot.config(), (subject.tokens(), &clean.activations.keys));
        Self {
            weights: bench.weights(subject),
            targets: bench.targets(subject.tokens()),
            readout: bench.readout(subject),
            clean,
            ablated: (!subject.edits.is_empty()).then(|| bench.edited(subject, patch)),
            cells,
            task: Arc::clone(bench.data().task()),
            subject: Arc::new(subject.clone()),
        }
    }

    /// A figure of the passes: clean and, if there are any, with edits. `cell` reads a pass at the indices after the
    /// edits axis.
    pub(super) fn figure<D: Into<Datum>>(
        self: &Arc<Self>,
        spec: &'static Spec,
        axes: Vec<Axis>,
        cell: impl Fn(&Self, &Pass, &[usize]) -> D + Send + Sync + 'static,
    ) -> Arc<Figure> {
        let probe = Arc::clone(self);
        let passes = if self.ablated.is_some() { &["clean", "edited"][..] } else { &["clean"] };
        let edits = Axis::named(Dim::Edits, passes.iter().copied());
        let axes = std::iter::once(edits).chain(axes).collect();
        Figure::new(spec, axes, &self.subject, move |at| {
            let pass = if at[0] == 0 { &*probe.clean } else { probe.current() };
            cell(&probe, pass, &at[1..]).into()
        })
    }

    /// A figure that edits do not change.
    pub(super) fn plain_figure<D: Into<Datum>>(
        self: &Arc<Self>,
        spec: &'static Spec,
        axes: Vec<Axis>,
        cell: impl Fn(&Self, &[usize]) -> D + Send + Sync + 'static,
    ) -> Arc<Figure> {
        let probe = Arc::clone(self);
        Figure::new(spec, axes, &self.subject, move |at| cell(&probe, at).into())
    }

    /// Index of the active edits on the edits axis.
    pub fn current_edits(&self) -> usize {
        usize::from(self.ablated.is_some())
    }

    /// The pass with the active edits.
    pub fn current(&self) -> &Pass {
        self.ablated.as_ref().unwrap_or(&self.clean)
    }

    /// The sequence.
    pub fn tokens(&self) -> &[Token] {
        self.subject.tokens()
    }

    /// The correct class at a position, if any.
    pub fn label(&self, position: usize) -> Option<Class> {
        self.targets.get(position).copied().flatten()
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Number of keys that a query sees.
    pub fn keys_seen(&self, query: usize) -> usize {
        self.clean.activations.keys.count(query)
    }

    /// Whether there is no position; false for every valid subject.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.weights.config()
    }
}
