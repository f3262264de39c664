//! A data set as JSON lines.

use serde::Deserialize;

use super::super::data_error::{DataProblem, Place};
use super::reader::{Reader, UNSCORED};
use crate::task::{Listing, Rows, TargetRule};

/// One sequence, or the names of tokens and classes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    tokens: Option<Vec<i64>>,
    /// `null` is not scored.
    targets: Option<Vec<Option<i64>>>,
    lengths: Option<i64>,
    train: Option<bool>,
    vocab: Option<Vec<String>>,
    vocab_out: Option<Vec<String>>,
}

/// The sequences of a text; the name is left empty.
pub(super) fn listing(text: &[u8], rule: Option<TargetRule>) -> Result<Listing, DataProblem> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut reader = Reader::new(rule, Rows::default());
    let mut train: Vec<Option<bool>> = Vec::new();
    let mut places = Vec::new();
    let (mut vocabulary, mut outputs) = (None, None);
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(line).map_err(|error| of_line(number, &error))?;
        let has_names = line.vocab.is_some() || line.vocab_out.is_some();
        let is_heading = places.is_empty() && line.tokens.is_none() && has_names;
        vocabulary = vocabulary.or(line.vocab);
        outputs = outputs.or(line.vocab_out);
        if is_heading {
            continue;
        }
        let place = Place::Line(number);
        let tokens = line.tokens.ok_or(DataProblem::NoTokens(place))?;
        if let Some(targets) = line.targets.as_ref().filter(|targets| targets.len() != tokens.len()) {
            let problem = format!("{} targets for {} tokens", targets.len(), tokens.len());
            return Err(DataProblem::Line { line: number, column: 1, problem });
        }
        let targets = line.targets.map(|targets| targets.into_iter().map(|class| class.unwrap_or(UNSCORED)));
        reader.row(place, tokens.into_iter(), targets, line.lengths)?;
        train.push(line.train);
        places.push(place);
    }
    let has_marks = train.iter().any(Option::is_some);
    let marks = || train.iter().zip(&places).map(|(mark, place)| mark.ok_or(DataProblem::NoTrain(*place)));
    let train = has_marks.then(|| marks().collect()).transpose()?;
    Ok(Listing { name: String::new(), rows: reader.rows, rule, train, vocabulary, outputs })
}

/// The error of one line, with its place in the text.
fn of_line(line: usize, error: &serde_json::Error) -> DataProblem {
    let message = error.to_string();
    let problem = message.split_once(" at line ").map_or(&*message, |(problem, _)| problem).to_owned();
    DataProblem::Line { line, column: error.column().max(1), problem }
}
