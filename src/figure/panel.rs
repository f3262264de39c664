//! Slices of figures side by side on shared leading axes.

use std::sync::Arc;

use super::{Axis, Datum, Dim, Figure, unravel};

/// Which entries of one axis of its figure a column reads.
#[derive(Clone, Debug)]
pub enum At {
    /// The row's entry on this leading axis of the panel.
    Lead(usize),
    /// The same entry in every row.
    Fixed(usize),
    /// The mean over the axis.
    Mean,
}

/// A factor as a function of a row's entries on the leading axes.
pub type ByLead = dyn Fn(&[usize]) -> f64 + Send + Sync;

/// A factor of a column's cells.
#[derive(Clone)]
pub struct Factor {
    /// Its name in files and headings: `times uniform`.
    pub name: &'static str,
    /// The factor for a row's entries on the leading axes.
    pub value: Arc<ByLead>,
}

/// A slice of a figure.
#[derive(Clone)]
pub struct Column {
    /// Its heading in files.
    pub name: String,
    /// The figure that the column reads.
    pub figure: Arc<Figure>,
    /// The entries that the column reads, one per axis of the figure.
    pub at: Vec<At>,
    factor: Option<Factor>,
    /// The columns that are subtracted from this one.
    pub minus: Vec<Arc<Self>>,
}

impl Column {
    /// The cells of `figure` at `at`, one entry per axis of the figure.
    pub fn new(name: impl Into<String>, figure: &Arc<Figure>, at: impl Into<Vec<At>>) -> Self {
        let (name, at) = (name.into(), at.into());
        assert_eq!(at.len(), figure.axes.len(), "column {name} of {}", figure.spec.name);
        Self { name, figure: Arc::clone(figure), at, factor: None, minus: Vec::new() }
    }

    /// The same column with another heading.
    #[must_use]
    pub fn called(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same column multiplied by a factor.
    #[must_use]
    pub fn times(self, factor: Factor) -> Self {
        Self { factor: Some(factor), ..self }
    }

    /// The same column less another one.
    #[must_use]
    pub fn less(mut self, other: &Arc<Self>) -> Self {
        self.minus.push(Arc::clone(other));
        self
    }

    /// The factor's name, if there is a factor.
    pub fn factor(&self) -> Option<&'static str> {
        self.factor.as_ref().map(|factor| factor.name)
    }

    /// A cell, by the row's entries on the leading axes.
    pub fn at(&self, lead: &[usize]) -> Datum {
        let cell = self.own(lead);
        // Tokens, classes and counts serve as names here: they have no difference.
        if self.minus.is_empty() || matches!(cell, Datum::Whole(_)) {
            return cell;
        }
        let Some(x) = cell.number() else { return cell };
        let less = |x: f64, minus: &Arc<Self>| Some(x - minus.at(lead).number()?);
        self.minus.iter().try_fold(x, less).map_or(Datum::Nothing, |x| cell.map(|_| x))
    }

    /// The same as a number; NaN if the cell has none.
    pub fn number(&self, lead: &[usize]) -> f64 {
        self.at(lead).number().unwrap_or(f64::NAN)
    }

    fn own(&self, lead: &[usize]) -> Datum {
        let (mut index, mut pooled) = ([0; MOST_AXES], None);
        for (axis, (entry, at)) in index.iter_mut().zip(&self.at).enumerate() {
            match at {
                At::Lead(axis) => *entry = lead[*axis],
                At::Fixed(fixed) => *entry = *fixed,
                At::Mean => pooled = Some(axis),
            }
        }
        let index = &mut index[..self.at.len()];
        let cell = match pooled {
            None => self.figure.at(index),
            Some(axis) => self.mean(axis, index),
        };
        match &self.factor {
            Some(factor) => cell.map(|x| x * (factor.value)(lead)),
            None => cell,
        }
    }

    /// The mean of the measured entries over an axis.
    fn mean(&self, axis: usize, index: &mut [usize]) -> Datum {
        let (mut sum, mut count, mut last) = (0.0, 0_u32, Datum::Nothing);
        for entry in 0..self.figure.axes[axis].len() {
            index[axis] = entry;
            let cell = self.figure.at(index);
            if let Some(x) = cell.number() {
                (sum, count, last) = (sum + x, count + 1, cell);
            }
        }
        last.map(|_| sum / f64::from(count))
    }
}

/// Most axes of a figure.
pub(super) const MOST_AXES: usize = 6;

/// Rows that tell whether a column has numbers.
const PROBED: usize = 64;

/// Columns on shared leading axes. Figures have a canonical order; the panel determines the order of rows.
#[derive(Clone)]
pub struct Panel {
    /// Its name in `headcount show` and in files.
    pub name: &'static str,
    /// The axes of the rows.
    pub lead: Vec<Axis>,
    /// From left to right.
    pub columns: Vec<Column>,
    /// Row-major indices of the rows over the leading axes; `None`: all, in order.
    rows: Option<Arc<[usize]>>,
}

impl Panel {
    /// A panel with a row for each combination of entries of `lead`.
    pub fn new(name: &'static str, lead: impl Into<Vec<Axis>>) -> Self {
        Self { name, lead: lead.into(), columns: Vec::new(), rows: None }
    }

    /// All of a figure except the fixed entries: one column with a row per cell.
    pub fn of_figure(figure: &Arc<Figure>, fixed: &[(Dim, usize)]) -> Self {
        let (mut lead, mut at) = (Vec::new(), Vec::new());
        for axis in &figure.axes {
            at.push(if let Some((_, entry)) = fixed.iter().find(|(dim, _)| *dim == axis.dim) {
                At::Fixed(*entry)
            } else {
                lead.push(axis.clone());
                At::Lead(lead.len() - 1)
            });
        }
        let name = figure.spec.name;
        Self::new(name, lead).with(Column::new(name, figure, at))
    }

    /// The same panel with only these rows, in this order: row-major indices over the leading axes.
    #[must_use]
    pub fn ordered(self, rows: impl IntoIterator<Item = usize>) -> Self {
        Self { rows: Some(rows.into_iter().collect()), ..self }
    }

    /// The same panel with every row, in the canonical order.
    #[must_use]
    pub fn all_rows(self) -> Self {
        Self { rows: None, ..self }
    }

    /// The same panel with more columns.
    #[must_use]
    pub fn and(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// The same panel with another column.
    #[must_use]
    pub fn with(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// The first column with one of these names.
    pub fn column(&self, names: &[&str]) -> Option<&Column> {
        names.iter().find_map(|name| self.columns.iter().find(|column| column.name == *name))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.as_ref().map_or_else(|| self.combinations(), |rows| rows.len())
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn combinations(&self) -> usize {
        self.lead.iter().map(Axis::len).product()
    }

    /// The entries of a row on the leading axes; the row must exist.
    pub fn lead_of(&self, row: usize) -> Vec<usize> {
        let shape: Vec<usize> = self.lead.iter().map(Axis::len).collect();
        unravel(self.entry(row), &shape)
    }

    /// The entry of a row on the only leading axis.
    pub fn entry(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row])
    }

    /// A cell, by column and row, which must exist.
    pub fn cell(&self, column: usize, row: usize) -> Datum {
        self.columns[column].at(&self.lead_of(row))
    }

    /// The numbers of the column with this name; none without such a column.
    pub fn values(&self, name: &str) -> Vec<Option<f64>> {
        let Some(column) = self.column(&[name]) else { return Vec::new() };
        (0..self.len()).map(|row| column.at(&self.lead_of(row)).number()).collect()
    }

    /// Whether a column holds measured numbers rather than names, counts or flags: by its first rows.
    pub fn is_measured(&self, column: usize) -> bool {
        let mut cells = (0..self.len().min(PROBED)).map(|row| self.cell(column, row));
        cells.any(|cell| matches!(cell, Datum::Number(_) | Datum::Wide(_)))
    }

    /// Whether the rows are all combinations of the leading axes, in order.
    pub fn is_whole(&self) -> bool {
        self.rows.as_ref().is_none_or(|rows| {
            rows.len() == self.combinations() && rows.iter().enumerate().all(|(at, row)| at == *row)
        })
    }

    /// The numbers of a column in row order; NaN where there is none.
    pub fn numbers(&self, column: usize) -> Vec<f64> {
        (0..self.len()).map(|row| self.cell(column, row).number().unwrap_or(f64::NAN)).collect()
    }
}
