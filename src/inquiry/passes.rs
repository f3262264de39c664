//! Everything about one sequence, from which several questions are answered.

use std::sync::Arc;

use super::bench::Bench;
use crate::analysis::{NeuronDirections, Pass};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::{ModelConfig, Patch, Snapshot};
use crate::task::{Class, Targets, Task, Token};

/// Everything about one sequence.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What it is of.
    pub subject: Arc<Subject>,
    /// The task that its targets are of.
    pub task: Arc<dyn Task>,
    /// The weights in the form that is looked at.
    pub weights: Arc<Snapshot>,
    /// What is right at each position, if anything is.
    pub targets: Targets,
    /// What each neuron adds to each logit.
    pub directions: Arc<NeuronDirections>,
    /// With nothing switched off.
    pub clean: Arc<Pass>,
    /// With the edits, if there are any.
    pub ablated: Option<Arc<Pass>>,
    /// Values that the edits replaced.
    pub cells: usize,
}

impl Probe {
    /// The probe of a subject whose replacement values are known.
    pub(super) fn of(subject: &Subject, patch: &Patch, bench: &Bench) -> Self {
        let cells = subject.edits.cells(subject.snapshot.config(), subject.tokens().len());
        Self {
            weights: bench.weights(subject),
            targets: bench.targets(subject.tokens()),
            directions: bench.directions(subject),
            clean: bench.clean(subject),
            ablated: (!subject.edits.is_empty()).then(|| bench.edited(subject, patch)),
            cells,
            task: Arc::clone(bench.data().task()),
            subject: Arc::new(subject.clone()),
        }
    }

    /// A figure of the passes, clean and with the edits in force if there are any. `cell` reads a pass by the entries of the
    /// axes after that of the edits.
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

    /// The entry of the edits axis with what is in force.
    pub fn current_edits(&self) -> usize {
        usize::from(self.ablated.is_some())
    }

    /// The pass with the edits in force.
    pub fn current(&self) -> &Pass {
        self.ablated.as_ref().unwrap_or(&self.clean)
    }

    /// The sequence.
    pub fn tokens(&self) -> &[Token] {
        self.subject.tokens()
    }

    /// What is right at a position, if anything is.
    pub fn label(&self, position: usize) -> Option<Class> {
        self.targets.get(position).copied().flatten()
    }

    /// Positions.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no position; never so for a subject that is valid.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.weights.config()
    }
}
