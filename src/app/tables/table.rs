//! A table of numbers.

use std::fmt;

use serde::Serialize;

use crate::task::Token;

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Datum {
    Text(String),
    Whole(usize),
    Number(f32),
    Wide(f64),
    Flag(bool),
    Nothing,
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(n) => n.fmt(f),
            Self::Number(x) => x.fmt(f),
            Self::Wide(x) => x.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Nothing => Ok(()),
        }
    }
}

impl From<usize> for Datum {
    fn from(n: usize) -> Self {
        Self::Whole(n)
    }
}

impl From<Token> for Datum {
    fn from(token: Token) -> Self {
        Self::Whole(token.into())
    }
}

impl From<f32> for Datum {
    fn from(x: f32) -> Self {
        Self::Number(x)
    }
}

impl From<f64> for Datum {
    fn from(x: f64) -> Self {
        Self::Wide(x)
    }
}

impl From<bool> for Datum {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

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

    /// As comma-separated values; no text of ours has a comma.
    pub(super) fn csv(&self) -> String {
        let mut out = self.columns.join(",");
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
            out.push('\n');
            out.push_str(&cells.join(","));
        }
        out.push('\n');
        out
    }
}
