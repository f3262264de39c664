//! The rows of a data set as they are read, each value checked.

use super::super::data_error::{DataProblem, Place};
use crate::task::{Class, Rows, TargetRule, Token};

/// As in PyTorch's cross-entropy: a target that is not scored.
pub(super) const UNSCORED: i64 = -100;

/// The rows read so far.
pub(super) struct Reader {
    pub(super) rows: Rows,
    rule: Option<TargetRule>,
    tokens: Vec<Token>,
    targets: Vec<Option<Class>>,
}

impl Reader {
    pub(super) fn new(rule: Option<TargetRule>, rows: Rows) -> Self {
        Self { rows, rule, tokens: Vec::new(), targets: Vec::new() }
    }

    /// Adds a row of tokens and, if it has any, targets: the first `len` (all, if `None`) are the sequence.
    pub(super) fn row(
        &mut self,
        place: Place,
        tokens: impl ExactSizeIterator<Item = i64>,
        targets: Option<impl Iterator<Item = i64>>,
        len: Option<i64>,
    ) -> Result<(), DataProblem> {
        let width = tokens.len();
        let len = len.map_or(Ok(width), |len| length(place, len, width))?;
        self.tokens.clear();
        for (position, value) in tokens.enumerate() {
            // Padding may be any number, and is no token then.
            let token = below_the_largest(value).or((position >= len).then_some(Token::MAX));
            self.tokens.push(token.ok_or_else(|| DataProblem::Value {
                place,
                name: "tokens",
                position: Some(position),
                value,
                wanted: format!("a token is 0 to {}", Token::MAX - 1),
            })?);
        }
        self.targets.clear();
        match self.rule {
            Some(rule) => self.targets.extend(rule.targets(&self.tokens[..len]).iter()),
            None => {
                for (position, value) in targets.into_iter().flatten().take(len).enumerate() {
                    self.targets.push(target(place, position, value)?);
                }
            }
        }
        self.targets.resize(width, None);
        self.rows.push(&self.tokens, &self.targets, len);
        Ok(())
    }
}

/// A token or class; the largest number stands for none.
fn below_the_largest(value: i64) -> Option<Token> {
    Token::try_from(value).ok().filter(|value| *value < Token::MAX)
}

fn length(place: Place, value: i64, width: usize) -> Result<usize, DataProblem> {
    let len = usize::try_from(value).ok().filter(|len| (1..=width).contains(len));
    let wanted = format!("a sequence here has 1 to {width} tokens");
    len.ok_or(DataProblem::Value { place, name: "lengths", position: None, value, wanted })
}

fn target(place: Place, position: usize, value: i64) -> Result<Option<Class>, DataProblem> {
    let class = below_the_largest(value);
    if class.is_none() && value != UNSCORED {
        let wanted = format!("a class is 0 or more, {UNSCORED} where none is scored");
        return Err(DataProblem::Value { place, name: "targets", position: Some(position), value, wanted });
    }
    Ok(class)
}
