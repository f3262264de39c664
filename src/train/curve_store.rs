//! Points of curves in the run directory, so that they are computed once: `curves.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::FileError;

/// The file in a run directory.
const FILE: &str = "curves.jsonl";

/// Longest file: a longer one starts again.
const MOST: u64 = 16 << 20;

/// A number at a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// A hash of what the number is, without the step.
    pub of: u64,
    /// Optimiser steps.
    pub step: usize,
    /// CRC-32 of the weights.
    pub weights: u32,
    /// `None` where there is no number.
    pub value: Option<f64>,
}

/// The points kept in a run directory; none if the file cannot be read.
pub fn kept_points(run: &Path) -> Vec<CurvePoint> {
    let mut text = String::new();
    let read = File::open(run.join(FILE)).and_then(|file| file.take(MOST).read_to_string(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Adds points. Other processes may add theirs: a write is whole lines.
///
/// # Errors
/// Names the file; the points are then computed again by the next session.
pub fn keep_points(run: &Path, points: &[CurvePoint]) -> Result<(), FileError> {
    let path = run.join(FILE);
    let lines: String = points
        .iter()
        .filter_map(|point| serde_json::to_string(point).ok())
        .flat_map(|line| [line, "\n".into()])
        .collect();
    let is_long = path.metadata().is_ok_and(|file| file.len() + lines.len() as u64 > MOST);
    let mut options = OpenOptions::new();
    options.append(!is_long).write(true).truncate(is_long).create(true).mode(0o600);
    let written = options.open(&path).and_then(|mut file| file.write_all(lines.as_bytes()));
    written.map_err(FileError::at("write", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_back_and_a_torn_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        assert!(kept_points(folder.path()).is_empty());
        let point = |step, value| CurvePoint { of: u64::MAX - 1, step, weights: 7, value };
        keep_points(folder.path(), &[point(1, Some(0.1)), point(2, None)]).unwrap();
        keep_points(folder.path(), &[point(3, Some(-1e-9))]).unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"of\":3,").unwrap();
        assert_eq!(kept_points(folder.path()), [point(1, Some(0.1)), point(2, None), point(3, Some(-1e-9))]);
    }
}
