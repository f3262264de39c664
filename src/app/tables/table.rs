//! A table of numbers.

use serde::Serialize;

use crate::figure::{Datum, quoted};

/// A table of numbers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    pub(super) name: &'static str,
    columns: Vec<String>,
    pub(super) rows: Vec<Vec<Datum>>,
}

impl Table {
    pub(super) fn new(name: &'static str, columns: &[&str], rows: Vec<Vec<Datum>>) -> Self {
        Self { name, columns: columns.iter().map(|&column| column.to_owned()).collect(), rows }
    }

    /// As comma-separated values.
    pub(super) fn csv(&self) -> String {
        let line = |cells: Vec<String>| cells.join(",") + "\n";
        let rows =
            self.rows.iter().map(|row| line(row.iter().map(|cell| quoted(&cell.to_string())).collect()));
        line(self.columns.iter().map(|name| quoted(name)).collect()) + &rows.collect::<String>()
    }
}
