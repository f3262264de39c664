//! A data set in a safetensors file.

use safetensors::tensor::{Dtype, TensorView};

use super::super::data_error::{DataProblem, Place};
use super::reader::Reader;
use crate::memory;
use crate::model::weights_file::Container;
use crate::task::{Listing, Rows, TargetRule};

/// The values of a tensor of integers.
enum Integers<'a> {
    U8(&'a [u8]),
    I32(&'a [[u8; 4]]),
    I64(&'a [[u8; 8]]),
}

impl<'a> Integers<'a> {
    fn of(name: &'static str, tensor: &TensorView<'a>) -> Result<Self, DataProblem> {
        let bytes = tensor.data();
        match tensor.dtype() {
            Dtype::U8 => Ok(Self::U8(bytes)),
            Dtype::I32 => Ok(Self::I32(bytes.as_chunks().0)),
            Dtype::I64 => Ok(Self::I64(bytes.as_chunks().0)),
            other => Err(DataProblem::Dtype { name, found: format!("{other:?}"), wanted: "U8, I32 or I64" }),
        }
    }

    fn at(&self, index: usize) -> i64 {
        match self {
            Self::U8(values) => values[index].into(),
            Self::I32(values) => i32::from_le_bytes(values[index]).into(),
            Self::I64(values) => i64::from_le_bytes(values[index]),
        }
    }
}

/// The sequences of a file; the name is left empty.
pub(super) fn listing(bytes: &[u8], rule: Option<TargetRule>) -> Result<Listing, DataProblem> {
    let file = Container::parse(bytes)?;
    let tokens = file.tensors.get("tokens").ok_or(DataProblem::NoTokens(Place::File))?;
    let (rows, width) = match *tokens.shape() {
        [rows, width] if rows == 0 || width > 0 => (rows, width),
        _ => {
            let found = tokens.shape().to_vec();
            return Err(DataProblem::Shape {
                name: "tokens",
                found,
                wanted: "[sequences, positions]".into(),
            });
        }
    };
    let tokens = Integers::of("tokens", tokens)?;
    let targets = integers(&file, "targets", &[rows, width]).filter(|_| rule.is_none()).transpose()?;
    let lengths = integers(&file, "lengths", &[rows]).transpose()?;
    let train = marks(&file, rows)?;
    memory::check("reading it", Rows::approximate_bytes(rows, width), || {
        format!("{rows} sequences of {width} tokens")
    })?;
    let mut reader = Reader::new(rule, Rows::with_space(rows, width));
    for row in 0..rows {
        let cells = || row * width..(row + 1) * width;
        let targets = targets.as_ref().map(|targets| cells().map(|cell| targets.at(cell)));
        let len = lengths.as_ref().map(|lengths| lengths.at(row));
        reader.row(Place::Row(row), cells().map(|cell| tokens.at(cell)), targets, len)?;
    }
    let (vocabulary, outputs) = (names(&file, "vocab")?, names(&file, "vocab_out")?);
    Ok(Listing { name: String::new(), rows: reader.rows, rule, train, vocabulary, outputs })
}

/// An optional tensor of this shape.
fn tensor<'a, 'b>(
    file: &'b Container<'a>,
    name: &'static str,
    wanted: &[usize],
) -> Option<Result<&'b TensorView<'a>, DataProblem>> {
    let tensor = file.tensors.get(name)?;
    let found = tensor.shape().to_vec();
    Some(if found == wanted {
        Ok(tensor)
    } else {
        Err(DataProblem::Shape { name, found, wanted: format!("{wanted:?}") })
    })
}

fn integers<'a>(
    file: &Container<'a>,
    name: &'static str,
    shape: &[usize],
) -> Option<Result<Integers<'a>, DataProblem>> {
    Some(tensor(file, name, shape)?.and_then(|tensor| Integers::of(name, tensor)))
}

fn marks(file: &Container<'_>, rows: usize) -> Result<Option<Vec<bool>>, DataProblem> {
    let Some(tensor) = tensor(file, "train", &[rows]).transpose()? else { return Ok(None) };
    match tensor.dtype() {
        Dtype::BOOL => Ok(Some(tensor.data().iter().map(|byte| *byte != 0).collect())),
        other => Err(DataProblem::Dtype { name: "train", found: format!("{other:?}"), wanted: "BOOL" }),
    }
}

fn names(file: &Container<'_>, key: &'static str) -> Result<Option<Vec<String>>, DataProblem> {
    let names = file.metadata.get(key).map(|text| serde_json::from_str(text)).transpose();
    names.map_err(|error| DataProblem::Names { key, problem: error.to_string() })
}
