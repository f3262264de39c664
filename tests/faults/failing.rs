//! Every single operation on the disk fails once, or from then on for a while: the training does not notice.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headcount::train::RunDir;
use headcount::train::files::{Disk, Files, Written};
use headcount::train::run_dir::look;
use rustix::io::Errno;

use super::*;

/// The disk, of which some operations fail.
#[derive(Clone)]
struct Failing {
    count: Arc<AtomicUsize>,
    first: usize,
    last: usize,
    error: Errno,
}

impl Failing {
    fn new(first: usize, length: usize, error: Errno) -> Self {
        Self { count: Arc::default(), first, last: first + length, error }
    }

    fn operate(&self) -> io::Result<()> {
        let now = self.count.fetch_add(1, Ordering::Relaxed);
        if (self.first..self.last).contains(&now) { Err(self.error.into()) } else { Ok(()) }
    }
}

struct Handle {
    disk: Failing,
    file: Box<dyn Written>,
    /// A write went through in part: the next one says why.
    full: bool,
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.full) {
            return Err(self.disk.error.into());
        }
        match self.disk.operate() {
            Ok(()) => self.file.write(bytes),
            Err(_) if self.disk.error == Errno::NOSPC && bytes.len() > 1 => {
                self.full = true;
                self.file.write(&bytes[..bytes.len() / 2])
            }
            Err(error) => Err(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Written for Handle {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.operate()?;
        self.file.sync()
    }
}

impl Files for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Written>> {
        self.operate()?;
        Ok(Box::new(Handle { disk: self.clone(), file: Disk.create(path)?, full: false }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Written>> {
        self.operate()?;
        Ok(Box::new(Handle { disk: self.clone(), file: Disk.append(path)?, full: false }))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.operate()?;
        Disk.read(path, limit)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operate()?;
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate()?;
        Disk.remove(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        self.operate()?;
        Disk.list(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.operate()?;
        Disk.sync_directory(directory)
    }
}

/// A run directory to be, in a folder that goes with what is rescued beside it; where the disk fails there, the rescue is in
/// the working directory, under the folder's name, and goes too.
struct Place {
    run: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        let name = self.folder.path().file_name().unwrap().to_string_lossy();
        for entry in std::fs::read_dir(".").unwrap().filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(&format!("{name}-rescued-")) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { run: folder.path().join(folder.path().file_name().unwrap()), folder }
    }

    fn path(&self) -> &Path {
        &self.run
    }
}

/// What a run comes to on a healthy disk.
struct Healthy {
    config: RunConfig,
    run: Place,
    losses: Vec<u32>,
    operations: usize,
}

fn healthy() -> Healthy {
    let (config, run) = (small(), Place::new());
    let disk = Failing::new(usize::MAX / 2, 0, Errno::IO);
    let opened = RunDir::open_on(Arc::new(disk.clone()), run.path(), &config, &dataset(&config)).unwrap();
    let (outcome, losses) = train(&config, opened, |_, _| {});
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    let operations = disk.count.load(Ordering::Relaxed);
    Healthy { config, run, losses, operations }
}

/// Trains on the failing disk, then goes on with a healthy one.
fn train_in_spite_of(disk: Failing, healthy: &Healthy) {
    let case = format!("operations {} to {}: {}", disk.first, disk.last, disk.error);
    let (config, run) = (&healthy.config, Place::new());
    // A run that cannot be opened says so and is not started.
    if let Ok(opened) = RunDir::open_on(Arc::new(disk), run.path(), config, &dataset(config)) {
        let mut unsaved = 0;
        let (outcome, losses) = train(config, opened, |event, _| {
            unsaved += usize::from(matches!(event, TrainEvent::Unsaved(Some(_))));
        });
        assert_eq!(losses, healthy.losses, "{case}");
        match outcome {
            Ok(outcome) => {
                assert_eq!(outcome, Outcome::Finished);
                assert!(exported(run.path()) == exported(healthy.run.path()), "{case}: not its weights");
            }
            Err(TrainError::NotSaved { .. }) => assert!(unsaved > 0, "{case}"),
            Err(error) => assert!(matches!(error, TrainError::NotExported { .. }), "{case}: {error}"),
        }
        assert!(look(run.path()).unwrap().unwrap().skipped.is_empty(), "{case}: a damaged checkpoint");
    }
    let opened = RunDir::open(run.path(), config, &dataset(config)).unwrap();
    let (outcome, losses) = train(config, opened, |_, _| {});
    assert_eq!(outcome.unwrap(), Outcome::Finished, "{case}");
    assert!(healthy.losses.ends_with(&losses), "{case}");
    let state = |run: &Path| look(run).unwrap().unwrap().state.unwrap();
    let (ours, theirs) = (state(run.path()), state(healthy.run.path()));
    assert!(ours.weights.values == theirs.weights.values && ours.moments == theirs.moments, "{case}");
    assert!(exported(run.path()) == exported(healthy.run.path()), "{case}: weights.safetensors differs");
    let metrics = |run: &Path| fs::read(run.join("metrics.jsonl")).unwrap();
    assert!(metrics(run.path()) == metrics(healthy.run.path()), "{case}: metrics.jsonl differs");
}

fn exported(run: &Path) -> Option<Vec<u8>> {
    fs::read(run.join("weights.safetensors")).ok()
}

#[test]
fn any_operation_may_fail_and_the_training_goes_on() {
    let healthy = healthy();
    let errors = [Errno::NOSPC, Errno::IO, Errno::DQUOT, Errno::FBIG, Errno::INTR];
    let step = times(3, 1);
    for first in (0..healthy.operations).step_by(step) {
        let error = errors[first / step % errors.len()];
        train_in_spite_of(Failing::new(first, 1, error), &healthy);
    }
    println!("each {step}. of {} operations failed once", healthy.operations);
}

#[test]
fn a_disk_may_be_full_for_a_while_or_for_good() {
    let healthy = healthy();
    for first in (0..healthy.operations).step_by(times(12, 1)) {
        train_in_spite_of(Failing::new(first, 25, Errno::NOSPC), &healthy);
        train_in_spite_of(Failing::new(first, 1_000_000, Errno::IO), &healthy);
    }
}
