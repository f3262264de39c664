//! Points projected on their principal components, and on the circles of their strongest frequencies.

use nalgebra::{DMatrix, SymmetricEigen};

use super::spectra::Fourier;
use super::total::Total;
use crate::model::Activations;
use crate::task::{Class, Example};

/// Most principal components.
const COMPONENTS: usize = 8;

/// Most frequencies.
const FREQUENCIES: usize = 6;

/// Largest symmetric matrix whose eigenvectors are computed.
pub const MOST_RANK: usize = 1024;

/// A direction in the space of the points.
#[derive(Clone, Debug)]
pub struct Direction {
    /// `1` of the first principal component, `cos 14`, `sin 14`.
    pub name: String,
    /// Share of the points' variance along it.
    pub explained: f64,
}

/// Centred points along directions; these come in pairs.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Principal components, then cosine and sine of frequencies, the strongest first.
    pub directions: Vec<Direction>,
    /// `[point][direction]`.
    pub coordinates: Vec<f32>,
    /// Number of dimensions that the points can vary in.
    pub rank: usize,
}

impl Projection {
    /// Projects points `[point][width]`, which may be round a circle in their order.
    pub fn new(points: &[f32], width: usize, are_circle: bool) -> Self {
        let rows = points.len() / width.max(1);
        if rows < 2 || points.iter().any(|x| !x.is_finite()) {
            return Self::default();
        }
        let mean: Vec<f64> = (0..width)
            .map(|column| {
                points.iter().skip(column).step_by(width).map(|x| f64::from(*x)).sum::<f64>() / rows as f64
            })
            .collect();
        let centred = DMatrix::from_fn(rows, width, |row, column| {
            f64::from(points[row * width + column]) - mean[column]
        });
        let circles = if are_circle { circles(points, width, rows) } else { Vec::new() };
        let named = principal(&centred).into_iter().chain(circles);
        let total = centred.norm_squared();
        let mut projection = Self { rank: (rows - 1).min(width), ..Self::default() };
        let mut columns = Vec::new();
        for (name, direction) in named {
            let along = &centred * direction;
            let explained = if total > 0.0 { along.norm_squared() / total } else { 0.0 };
            projection.directions.push(Direction { name, explained });
            columns.push(along);
        }
        projection.coordinates =
            (0..rows).flat_map(|row| columns.iter().map(move |along| along[row] as f32)).collect();
        projection
    }

    /// The share of each direction if the variance were equal in all.
    pub fn equal(&self) -> f64 {
        1.0 / self.rank as f64
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.coordinates.len() / self.directions.len().max(1)
    }

    /// Whether there are too few points, or too many dimensions.
    pub fn is_empty(&self) -> bool {
        self.coordinates.is_empty()
    }
}

type Named = (String, nalgebra::DVector<f64>);

/// Unit vectors of largest variance; an even number of them. Each has its largest entry above 0.
fn principal(centred: &DMatrix<f64>) -> Vec<Named> {
    let (rows, width) = centred.shape();
    if rows.min(width) > MOST_RANK {
        return Vec::new();
    }
    // The smaller of the two products has the same eigenvalues.
    let of_points = rows < width;
    let product = if of_points { centred * centred.transpose() } else { centred.transpose() * centred };
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(product);
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
    order.truncate(COMPONENTS.min(order.len()) & !1);
    let direction = |at: usize| {
        let vector = eigenvectors.column(at).into_owned();
        let vector = if of_points { centred.tr_mul(&vector) } else { vector };
        let sign = vector[vector.iamax()].signum();
        (vector * sign).try_normalize(0.0).unwrap_or_else(|| nalgebra::DVector::zeros(width))
    };
    order.into_iter().map(direction).zip(1..).map(|(vector, number)| (number.to_string(), vector)).collect()
}

/// Coefficients of the cosine and sine of the strongest frequencies as directions.
fn circles(points: &[f32], width: usize, len: usize) -> Vec<Named> {
    let fourier = Fourier::new(len);
    let spectrum = fourier.of_points(points, width);
    // Half of an even number has no sine.
    let mut frequencies: Vec<usize> = (1..=fourier.frequencies()).filter(|k| 2 * k != len).collect();
    frequencies.sort_by(|a, b| spectrum.share(*b).total_cmp(&spectrum.share(*a)));
    frequencies.truncate(FREQUENCIES);
    let of = |frequency: usize| {
        let terms = fourier.of(frequency).zip(["cos", "sin"]);
        let direction = |(term, name)| {
            let vector = nalgebra::DVector::from_vec(fourier.coefficients(points, width, term));
            let unit = vector.try_normalize(0.0).unwrap_or_else(|| nalgebra::DVector::zeros(width));
            (format!("{name} {frequency}"), unit)
        };
        terms.map(direction).collect::<Vec<_>>()
    };
    frequencies.into_iter().flat_map(of).collect()
}

/// A position of a sequence and its target.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Index of the sequence.
    pub sequence: usize,
    /// Position in it.
    pub position: usize,
    /// The correct class, if it is scored.
    pub target: Option<Class>,
}

/// The residual stream after a layer at scored positions, or at all positions of a sequence without targets.
#[derive(Clone, Debug)]
pub struct Stream {
    layer: usize,
    sequences: usize,
    /// `[place][d_model]`.
    pub values: Vec<f32>,
    /// Of each row.
    pub places: Vec<Place>,
}

impl Stream {
    /// After this layer, of no sequence yet.
    pub fn new(layer: usize) -> Self {
        Self { layer, sequences: 0, values: Vec::new(), places: Vec::new() }
    }
}

impl Total for Stream {
    const READS_LOGITS: bool = false;

    fn empty(&self) -> Self {
        Self::new(self.layer)
    }

    fn add(&mut self, from: &Activations, example: Example<'_>, _between: &dyn Fn()) {
        let resid = from.resid(self.layer + 1);
        let width = resid.len() / from.len.max(1);
        for (position, target) in example.targets().iter().enumerate().take(from.len) {
            if target.is_some() || example.scored() == 0 {
                self.values.extend_from_slice(&resid[position * width..(position + 1) * width]);
                self.places.push(Place { sequence: self.sequences, position, target: *target });
            }
        }
        self.sequences += 1;
    }

    fn merge(&mut self, next: Self) {
        let before = self.sequences;
        self.places.extend(
            next.places.into_iter().map(|place| Place { sequence: place.sequence + before, ..place }),
        );
        self.values.extend(next.values);
        self.sequences += next.sequences;
    }
}
