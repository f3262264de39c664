//! Writes `metrics.jsonl`: lines are buffered, and for longer while the disk is full.

use std::io;
use std::path::{Path, PathBuf};

use super::durable::replace;
use super::files::{FileError, Files, Written};
use super::metrics::MetricsLine;

/// Approximate size of one write; the end of an epoch also writes.
const PIECE: usize = 8 << 10;
/// Most bytes buffered while the disk is full.
const MOST: usize = 8 << 20;

/// The open file.
pub(super) struct MetricsLog {
    path: PathBuf,
    file: Box<dyn Written>,
    waiting: Vec<u8>,
    /// Whether the last write failed: then every new line tries again.
    failing: bool,
}

impl MetricsLog {
    /// Opens the log, truncated to `from_step`.
    pub(super) fn open(files: &dyn Files, path: &Path, from_step: usize) -> Result<Self, FileError> {
        cut(files, path, from_step)?;
        let file = files.append(path).map_err(FileError::at("open", path))?;
        Ok(Self { path: path.into(), file, waiting: Vec::new(), failing: false })
    }

    /// Adds a line. After an error it stays buffered, with the lines before it, until the next write.
    pub(super) fn add(&mut self, line: &MetricsLine) -> Result<(), FileError> {
        if self.waiting.len() < MOST {
            self.waiting.extend(line.to_json().bytes().chain([b'\n']));
        }
        if self.waiting.len() < PIECE && !self.failing { Ok(()) } else { self.flush() }
    }

    /// Hands all lines to the system.
    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        let written = self.write();
        self.failing = written.is_err();
        written.map_err(FileError::at("write", &self.path))
    }

    /// Returns once all lines would survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        let synced = self.write().and_then(|()| self.file.sync());
        self.failing = synced.is_err();
        synced.map_err(FileError::at("write", &self.path))
    }

    /// Removes each written piece from the buffer, so that the next write completes a partial line.
    fn write(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.file.write(&self.waiting) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for MetricsLog {
    fn drop(&mut self) {
        let _ = self.write();
    }
}

/// The complete lines; none when there is no file.
pub(super) fn lines(files: &dyn Files, path: &Path) -> Result<Vec<String>, FileError> {
    match files.read(path, u64::MAX - 1) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::at("read", path)(error)),
        Ok(bytes) => {
            let lines =
                bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
            let lines = lines.filter_map(|line| String::from_utf8(line.to_vec()).ok());
            Ok(MetricsLine::counted_from_one(lines.collect()))
        }
    }
}

/// Removes incomplete lines and those of steps after `from_step`, which will be taken again.
fn cut(files: &dyn Files, path: &Path, from_step: usize) -> Result<(), FileError> {
    let whole = lines(files, path)?;
    let kept = whole.iter().filter(|line| MetricsLine::step_of(line).is_some_and(|step| step <= from_step));
    let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
    match files.read(path, u64::MAX - 1) {
        Ok(bytes) if bytes == kept.as_bytes() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => replace(files, path, kept.as_bytes()),
    }
}
