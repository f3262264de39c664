//! One cell of a figure.

use std::fmt;

use serde::Serialize;

use crate::task::{Class, Task, Token, Vocabulary};

/// One value of a figure. Numbers keep the precision of their computation, so that files contain no spurious digits.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Datum {
    /// A name.
    Text(String),
    /// A count, a token or a class.
    Whole(usize),
    /// Computed in single precision.
    Number(f32),
    /// Computed in double precision.
    Wide(f64),
    /// Yes or no.
    Flag(bool),
    /// Not measured, or missing.
    Nothing,
}

impl Datum {
    /// A token by its name.
    pub fn token(task: &dyn Task, token: Token) -> Self {
        Self::named(task.vocabulary(), token)
    }

    /// A class by its name.
    pub fn class(task: &dyn Task, class: Class) -> Self {
        Self::named(task.outputs(), class)
    }

    fn named(names: &Vocabulary, of: Token) -> Self {
        match names {
            Vocabulary::Numbers(_) => of.into(),
            Vocabulary::Names(_) => names.name(of).into(),
        }
    }

    /// The value as a number; `None` for other values.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(n) => Some(*n as f64),
            Self::Number(x) => Some(f64::from(*x)),
            Self::Wide(x) => Some(*x),
            Self::Flag(_) | Self::Text(_) | Self::Nothing => None,
        }
    }

    /// The value as the number that its shortest decimal form denotes; `None` for other values.
    pub fn decimal(&self) -> Option<f64> {
        match self {
            Self::Number(x) => x.to_string().parse().ok(),
            other => other.number(),
        }
    }

    /// Maps a number by `f`, in its own precision; other values stay unchanged.
    #[must_use]
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Number(x) => Self::Number(f(f64::from(x)) as f32),
            Self::Wide(x) => Self::Wide(f(x)),
            other => other,
        }
    }
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
