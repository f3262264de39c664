//! Slices of figures beside each other on shared leading axes.

use std::sync::Arc;

use super::{Axis, Datum, Figure, Subject, unravel};

/// Where a column reads one axis of its figure.
#[derive(Clone, Debug)]
pub enum At {
    /// At the row's entry of that leading axis of the panel.
    Lead(usize),
    /// At the same entry in every row.
    Fixed(usize),
    /// At an entry by row of the panel: of a list of neurons those that are off are shown clean.
    ByRow(Arc<[usize]>),
    /// Not at one entry: the mean over the axis.
    Mean,
}

/// A multiplier by a row's entries of the leading axes.
pub type ByLead = dyn Fn(&[usize]) -> f64 + Send + Sync;

/// What the cells of a column are multiplied with.
#[derive(Clone)]
pub struct Factor {
    /// As files and headings name it: `times uniform`.
    pub name: &'static str,
    /// By the row's entries of the leading axes.
    pub value: Arc<ByLead>,
}

/// A slice of a figure.
#[derive(Clone)]
pub struct Column {
    /// Its heading in files.
    pub name: String,
    /// Where its numbers are from.
    pub figure: Arc<Figure>,
    at: Vec<At>,
    factor: Option<Factor>,
}

impl Column {
    /// The cells of `figure` at `at`, one entry an axis of the figure.
    pub fn new(name: impl Into<String>, figure: &Arc<Figure>, at: impl Into<Vec<At>>) -> Self {
        let (name, at) = (name.into(), at.into());
        assert_eq!(at.len(), figure.axes.len(), "column {name} of {}", figure.spec.name);
        Self { name, figure: Arc::clone(figure), at, factor: None }
    }

    /// The same cells multiplied.
    #[must_use]
    pub fn times(self, factor: Factor) -> Self {
        Self { factor: Some(factor), ..self }
    }

    /// What the cells are multiplied with, if anything.
    pub fn factor(&self) -> Option<&'static str> {
        self.factor.as_ref().map(|factor| factor.name)
    }

    fn cell(&self, row: usize, lead: &[usize]) -> Datum {
        let fixed = |at: &At| match at {
            At::Lead(axis) => lead[*axis],
            At::Fixed(entry) => *entry,
            At::ByRow(entries) => entries[row],
            At::Mean => 0,
        };
        let mut index: Vec<usize> = self.at.iter().map(fixed).collect();
        let pooled = self.at.iter().position(|at| matches!(at, At::Mean));
        let cell = match pooled {
            None => self.figure.at(&index),
            Some(axis) => self.mean(axis, &mut index),
        };
        match &self.factor {
            Some(factor) => {
                let by = (factor.value)(lead);
                cell.map(|x| x * by)
            }
            None => cell,
        }
    }

    /// The mean over an axis of the entries that are measured.
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

/// Columns on shared leading axes. Figures keep a canonical order; the order of rows is the panel's.
#[derive(Clone)]
pub struct Panel {
    /// As `headcount show` and files call it.
    pub name: &'static str,
    /// What the rows are.
    pub lead: Vec<Axis>,
    /// From left to right.
    pub columns: Vec<Column>,
    /// The rows as row-major indices over the leading axes.
    rows: Arc<[usize]>,
}

impl Panel {
    /// A panel with a row for each combination of entries of `lead`.
    pub fn new(name: &'static str, lead: impl Into<Vec<Axis>>) -> Self {
        let lead = lead.into();
        let rows = (0..lead.iter().map(Axis::len).product()).collect();
        Self { name, lead, columns: Vec::new(), rows }
    }

    /// The same with these rows alone, in this order: row-major indices over the leading axes.
    #[must_use]
    pub fn ordered(self, rows: impl IntoIterator<Item = usize>) -> Self {
        Self { rows: rows.into_iter().collect(), ..self }
    }

    /// The same with another column.
    #[must_use]
    pub fn with(mut self, column: Column) -> Self {
        self.columns.push(column);
        self
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The entries of the leading axes in a row, which must be there.
    pub fn lead_of(&self, row: usize) -> Vec<usize> {
        let shape: Vec<usize> = self.lead.iter().map(Axis::len).collect();
        unravel(self.rows[row], &shape)
    }

    /// A cell, by column and row, which must be there.
    pub fn cell(&self, column: usize, row: usize) -> Datum {
        self.columns[column].cell(row, &self.lead_of(row))
    }

    /// The numbers of a column in the order of the rows; NaN where there is none.
    pub fn numbers(&self, column: usize) -> Vec<f64> {
        (0..self.len()).map(|row| self.cell(column, row).number().unwrap_or(f64::NAN)).collect()
    }

    /// What the columns are of, each subject once, in the order of its first column.
    pub fn subjects(&self) -> Vec<&Arc<Subject>> {
        let mut subjects: Vec<&Arc<Subject>> = Vec::new();
        for column in &self.columns {
            if !subjects.iter().any(|subject| **subject == column.figure.of) {
                subjects.push(&column.figure.of);
            }
        }
        subjects
    }
}
