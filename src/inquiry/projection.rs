//! How do vectors of the model lie along their principal components, and along the circles of frequencies?

use std::sync::Arc;

use super::bench::Bench;
use super::job::{Job, Progress, Sweep};
use super::{Answer, Findings};
use crate::analysis::projection::{Place, Projection, Stream};
use crate::figure::{Axis, Datum, Dim, Figure, Spec, Subject};
use crate::model::{Patch, Weights};
use crate::task::{Class, Split, Task, Token};

/// Coordinates.
pub static PROJECTION: Spec = Spec {
    name: "projection",
    definition: "coordinate of a vector, minus the mean vector, along a direction: a principal component, or of vectors on the \
                 task's circle their coefficients of the cosine or sine of a frequency, as a unit vector. Vectors: the rows of \
                 W_E or W_pos, the columns of W_U, of W_E and W_U only those on the task's circle if it has one, or \
                 resid_post at scored positions of the first validation sequences; of more than 4,096 the first",
    source: "Pearson 1901; Nanda et al. 2023 for frequencies",
    axes: &[Dim::Point, Dim::Direction],
    ..Spec::BARE
};

/// Names of points.
pub static POINT_CLASS: Spec = Spec {
    name: "point_class",
    definition: "token, position or class of a vector in projection; of resid_post the target",
    axes: &[Dim::Point],
    ..Spec::BARE
};

/// Variance along directions.
pub static EXPLAINED_VARIANCE: Spec = Spec {
    name: "explained_variance",
    definition: "share of the variance of the vectors in projection along a direction",
    source: "Pearson 1901",
    baseline: "explained_if_equal; more for the first components even of noise",
    axes: &[Dim::Direction],
    ..Spec::BARE
};

/// Chance of [`EXPLAINED_VARIANCE`].
pub static EQUAL_VARIANCE: Spec = Spec {
    name: "explained_if_equal",
    definition: "explained_variance if the vectors varied equally in all dimensions: 1 / min(points - 1, d_model)",
    axes: &[Dim::Direction],
    ..Spec::BARE
};

/// The vectors that are projected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vectors {
    /// Rows of `W_E`.
    #[default]
    Embed,
    /// Rows of `W_pos`.
    Positions,
    /// Columns of `W_U`.
    Unembed,
    /// `blocks.L.hook_resid_post` at scored positions.
    ResidPost(usize),
}

impl Vectors {
    /// TransformerLens' name.
    pub fn name(self) -> String {
        match self {
            Self::Embed => "W_E".into(),
            Self::Positions => "W_pos".into(),
            Self::Unembed => "W_U".into(),
            Self::ResidPost(layer) => format!("blocks.{layer}.hook_resid_post"),
        }
    }
}

/// Most points.
const MOST: usize = 4096;

/// Most points of activations: more would only cover each other.
const MOST_ACTIVATIONS: usize = 2048;

/// Vectors projected, and where they are from.
#[derive(Clone, Debug)]
pub struct Projected {
    /// Which vectors.
    pub of: Vectors,
    /// Their coordinates.
    pub projection: Projection,
    /// Of activations, their places.
    pub places: Vec<Place>,
}

impl Projected {
    /// The token, position or class of a point; `None` without a target.
    pub fn class(&self, point: usize, task: &dyn Task) -> Option<String> {
        match self.of {
            Vectors::Embed => Some(task.vocabulary().name(point as Token)),
            Vectors::Positions => Some(point.to_string()),
            Vectors::Unembed => Some(task.outputs().name(point as Class)),
            Vectors::ResidPost(_) => self.places[point].target.map(|class| task.outputs().name(class)),
        }
    }

    fn name(&self, point: usize) -> String {
        match self.places.get(point) {
            Some(place) => format!("{}.{}", place.sequence, place.position),
            None => point.to_string(),
        }
    }
}

/// [`PROJECTION`], [`POINT_CLASS`], [`EXPLAINED_VARIANCE`] and [`EQUAL_VARIANCE`].
pub fn figures(answer: &Answer, found: &Arc<Projected>, task: &Arc<dyn Task>) -> [Arc<Figure>; 4] {
    let projection = &found.projection;
    let width = projection.directions.len();
    let points = Axis::named(Dim::Point, (0..projection.len()).map(|point| found.name(point)));
    let directions = || Axis::named(Dim::Direction, projection.directions.iter().map(|one| one.name.clone()));
    let known = || Arc::clone(found);
    let (coordinates, classes, task, explained, equal) =
        (known(), known(), Arc::clone(task), known(), projection.equal());
    let class = move |at: &[usize]| classes.class(at[0], &*task).map_or(Datum::Nothing, Datum::Text);
    [
        answer.figure(&PROJECTION, vec![points.clone(), directions()], move |at| {
            coordinates.projection.coordinates[at[0] * width + at[1]]
        }),
        answer.figure(&POINT_CLASS, vec![points], class),
        answer.figure(&EXPLAINED_VARIANCE, vec![directions()], move |at| {
            explained.projection.directions[at[0]].explained
        }),
        answer.figure(&EQUAL_VARIANCE, vec![directions()], move |_| equal),
    ]
    .map(|figure| figure.asked_with("vectors", &found.of.name()))
}

pub(super) fn ask(subject: &Subject, of: Vectors) -> Box<dyn Job> {
    Box::new(Asked { subject: subject.clone(), of, sweep: None })
}

struct Asked {
    subject: Subject,
    of: Vectors,
    sweep: Option<Sweep<Stream>>,
}

/// The vectors of weights, `[point][d_model]`, and whether these are round a circle.
fn of_weights(of: Vectors, weights: &Weights, task: &dyn Task) -> (Vec<f32>, bool) {
    let (c, layout) = (weights.config(), &weights.layout);
    let circle =
        task.facts().cycle.filter(|cycle| of == Vectors::Embed || cycle.has_classes).map(|cycle| cycle.len);
    match of {
        Vectors::Positions => {
            (layout.w_pos.as_ref().map_or_else(Vec::new, |w| weights.part(w).to_vec()), false)
        }
        Vectors::Embed => {
            let tokens = circle.unwrap_or(c.d_vocab).min(c.d_vocab);
            (weights.part(&layout.w_e)[..tokens * c.d_model].to_vec(), circle.is_some())
        }
        Vectors::Unembed | Vectors::ResidPost(_) => {
            let w_u = weights.part(&layout.w_u);
            let column = |class: usize| w_u.iter().skip(class).step_by(c.outputs()).copied();
            let classes = circle.unwrap_or(MOST).min(c.outputs());
            ((0..classes).flat_map(column).collect(), circle.is_some())
        }
    }
}

/// Number of validation sequences that have enough scored positions together.
fn enough(bench: &Bench) -> usize {
    let (mut points, data) = (0, bench.data());
    let is_more = |index: &usize| {
        let example = data.example(Split::Validation, *index);
        let more = points < MOST_ACTIVATIONS;
        points += if example.scored() == 0 { example.tokens().len() } else { example.scored() };
        more
    };
    (0..bench.sequences()).take_while(is_more).count()
}

impl Job for Asked {
    fn step(&mut self, bench: &Bench) -> Progress {
        let (of, weights) = (self.of, bench.weights(&self.subject));
        let width = weights.config().d_model;
        let (mut points, is_circle, mut places) = if let Vectors::ResidPost(layer) = of {
            let sweep = self.sweep.get_or_insert_with(|| {
                Sweep::new(Arc::clone(&weights), Patch::default(), Stream::new(layer)).first(enough(bench))
            });
            let Some(stream) = sweep.step(bench) else { return Progress::More };
            (stream.values, false, stream.places)
        } else {
            let (points, is_circle) = of_weights(of, &weights.weights, &**bench.data().task());
            (points, is_circle, Vec::new())
        };
        let most = if places.is_empty() { MOST } else { MOST_ACTIVATIONS };
        points.truncate(most * width);
        places.truncate(most);
        let projection = bench.long(|| Projection::new(&points, width, is_circle));
        Progress::Done(Findings::Projection(Arc::new(Projected { of, projection, places })))
    }
}
