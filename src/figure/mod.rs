//! Subject + question -> figure -> screen, file, difference, curve.
//!
//! Every measured number on screen is a cell of a figure: a labelled array with its subject. A panel puts slices of
//! figures side by side on shared leading axes; the writers turn panels into files.

mod axis;
mod curve;
mod datum;
mod difference;
mod panel;
mod spec;
mod subject;
mod table;

use std::fmt;
use std::sync::Arc;

pub use axis::{Axis, Dim};
pub use curve::over_steps;
pub use datum::Datum;
pub use difference::NoDifference;
pub use panel::{At, Column, Factor, Panel};
pub use spec::Spec;
pub use subject::{Origin, Over, Subject, Taken, WeightForm};
pub use table::{csv, json, safetensors, text};

/// How complete an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Complete.
    Done,
    /// The number of parts known, and of all parts; the cells of the others are [`Datum::Nothing`].
    Partial(usize, usize),
}

/// Reads a cell by its indices, one per axis.
type Cells = dyn Fn(&[usize]) -> Datum + Send + Sync;

/// The answer to a question about a subject.
#[derive(Clone)]
pub struct Figure {
    /// The question.
    pub spec: &'static Spec,
    /// One per dimension, in the spec's order.
    pub axes: Vec<Axis>,
    /// The subject of the numbers.
    pub of: Arc<Subject>,
    /// Other choices of the question, by name: `target`.
    pub about: Vec<(&'static str, String)>,
    /// Whether parts are missing.
    pub state: State,
    cells: Arc<Cells>,
}

impl Figure {
    /// A figure whose cells are read by `cells`, usually from an `Arc` of a pass: nothing is copied.
    ///
    /// Panics if the axes differ from those of the spec: that is a bug in the question.
    pub fn new(
        spec: &'static Spec,
        axes: Vec<Axis>,
        of: &Arc<Subject>,
        cells: impl Fn(&[usize]) -> Datum + Send + Sync + 'static,
    ) -> Arc<Self> {
        let dims: Vec<Dim> = axes.iter().map(|axis| axis.dim).collect();
        assert!(dims == spec.axes && dims.len() <= panel::MOST_AXES, "axes of {}: {dims:?}", spec.name);
        let (about, cells) = (Vec::new(), Arc::new(cells));
        Arc::new(Self { spec, axes, of: Arc::clone(of), about, state: State::Done, cells })
    }

    /// The same figure with only `done` of `parts` parts known.
    #[must_use]
    pub fn partial(&self, done: usize, parts: usize) -> Arc<Self> {
        let state = if done < parts { State::Partial(done, parts) } else { State::Done };
        Arc::new(Self { state, ..self.clone() })
    }

    /// The same figure with a named choice of the question.
    #[must_use]
    pub fn asked_with(&self, name: &'static str, choice: &str) -> Arc<Self> {
        let mut asked = self.clone();
        asked.about.push((name, choice.into()));
        Arc::new(asked)
    }

    /// The axis of a dimension and its index.
    pub fn axis(&self, dim: Dim) -> Option<(usize, &Axis)> {
        self.axes.iter().enumerate().find(|(_, axis)| axis.dim == dim)
    }

    /// A cell, by one index per axis; [`Datum::Nothing`] outside the axes and where nothing is measured.
    pub fn at(&self, index: &[usize]) -> Datum {
        debug_assert_eq!(index.len(), self.axes.len(), "{}", self.spec.name);
        let is_inside = index.iter().zip(&self.axes).all(|(&at, axis)| at < axis.len());
        if is_inside { (self.cells)(index) } else { Datum::Nothing }
    }

    /// Length of each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(Axis::len).collect()
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.spec.name, self.shape())
    }
}

/// Splits a row-major index into one index per axis.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, &len) in index.iter_mut().zip(shape).rev() {
        (*at, flat) = (flat % len.max(1), flat / len.max(1));
    }
    index
}
