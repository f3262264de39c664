//! Metrics that another program writes: JSON lines, or a CSV file with a heading.

use serde_json::Value;
use thiserror::Error;

/// Losses of a step that another program has taken; absent values are `None`, values that are not finite NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OutsideMetrics {
    /// Steps taken.
    pub step: usize,
    /// Training loss.
    pub train_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Learning rate.
    pub lr: Option<f64>,
}

/// Names of the columns, the first of each is written in messages.
const STEP: &[&str] = &["step"];
const TRAIN_LOSS: &[&str] = &["train_loss", "loss"];
const VAL_LOSS: &[&str] = &["val_loss", "validation_loss"];
const LR: &[&str] = &["lr", "learning_rate"];

/// An unreadable line.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OutsideError {
    /// Neither JSON nor a CSV heading.
    #[error("neither a JSON object nor a CSV heading with `step`")]
    Heading,
    /// Not JSON.
    #[error("not a JSON object")]
    Json,
    /// Without a step.
    #[error("no whole number `step`")]
    Step,
    /// A value that is not a number.
    #[error("`{0}` is not a number")]
    Number(String),
}

/// Reads lines one by one.
#[derive(Clone, Debug, Default)]
pub struct OutsideLines {
    /// The columns of a CSV file.
    heading: Option<Vec<String>>,
    lines: usize,
}

impl OutsideLines {
    /// Number of the last line read: from 1.
    pub fn line(&self) -> usize {
        self.lines
    }

    /// The metrics of a line; `None` for a heading and a blank line.
    ///
    /// # Errors
    /// Says what is wrong with the line.
    pub fn read(&mut self, line: &str) -> Result<Option<OutsideMetrics>, OutsideError> {
        self.lines += 1;
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() {
            return Ok(None);
        }
        if line.starts_with('{') {
            let object: serde_json::Map<String, Value> =
                serde_json::from_str(line).map_err(|_| OutsideError::Json)?;
            return of(|name| object.get(name).map(of_json)).map(Some);
        }
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
        let Some(heading) = &self.heading else {
            if !cells.contains(&STEP[0]) {
                return Err(OutsideError::Heading);
            }
            self.heading = Some(cells.into_iter().map(str::to_owned).collect());
            return Ok(None);
        };
        let cell = |name: &str| cells.get(heading.iter().position(|column| column == name)?).copied();
        of(|name| cell(name).map(of_text)).map(Some)
    }
}

/// A cell: no value, or a number.
type Cell = Result<Option<f64>, String>;

/// JSON has no NaN, which Python writes as a bare word and others as null.
fn of_json(value: &Value) -> Cell {
    match value {
        Value::Null => Ok(Some(f64::NAN)),
        Value::String(text) => of_text(text),
        value => value.as_f64().map(Some).ok_or_else(|| value.to_string()),
    }
}

fn of_text(text: &str) -> Cell {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| text.to_owned()) }
}

fn of(cell: impl Fn(&str) -> Option<Cell>) -> Result<OutsideMetrics, OutsideError> {
    let first = |names: &[&str]| match names.iter().find_map(|name| cell(name)) {
        None => Ok(None),
        Some(cell) => cell.map_err(OutsideError::Number),
    };
    let step = first(STEP)?.filter(|step| *step >= 0.0 && step.fract() == 0.0).ok_or(OutsideError::Step)?;
    Ok(OutsideMetrics {
        step: step as usize,
        train_loss: first(TRAIN_LOSS)?,
        val_loss: first(VAL_LOSS)?,
        lr: first(LR)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Vec<Result<Option<OutsideMetrics>, OutsideError>> {
        let mut reader = OutsideLines::default();
        lines.iter().map(|line| reader.read(line)).collect()
    }

    #[test]
    fn json_lines_and_csv_say_the_same() {
        let wanted = OutsideMetrics { step: 20, train_loss: Some(1.5), val_loss: None, lr: Some(1e-3) };
        let json = read(&[r#"{"step": 20, "train_loss": 1.5, "lr": 0.001, "other": [1]}"#]);
        assert_eq!(json, [Ok(Some(wanted))]);
        let csv = read(&["step,loss,val_loss,lr,other", "", "20, 1.5,,1e-3,x"]);
        assert_eq!(csv, [Ok(None), Ok(None), Ok(Some(wanted))]);
    }

    #[test]
    fn what_is_not_finite_is_kept_and_what_is_no_number_refused() {
        let nan =
            |line: &str| read(&["step,train_loss", line]).remove(1).unwrap().unwrap().train_loss.unwrap();
        assert!(nan("3,nan").is_nan() && nan("3,inf").is_infinite());
        let null = read(&[r#"{"step":1,"val_loss":null}"#]).remove(0).unwrap().unwrap();
        assert!(null.val_loss.unwrap().is_nan() && null.train_loss.is_none());
        assert_eq!(read(&["step,loss", "1,abc"])[1], Err(OutsideError::Number("abc".into())));
        assert_eq!(read(&["a,b"]), [Err(OutsideError::Heading)]);
        assert_eq!(read(&[r#"{"step":1.5}"#, "{"]), [Err(OutsideError::Step), Err(OutsideError::Json)]);
    }
}
