//! The thread that watches weights files which another program writes while it trains, and its metrics.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::super::Failure;
use super::super::args::SettingsArgs;
use super::super::input;
use super::event_loop::LoopEvent;
use crate::model::{ModelConfig, Snapshot};
use crate::train::{OutsideLines, TrainEvent};

/// Time between two looks at the files.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long an unreadable file must stay unchanged before it is reported: it may be half written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most files opened at the start; of more, some in between are left out.
const MOST: usize = 48;

/// Names of the metrics file beside the weights.
const METRICS: [&str; 2] = ["metrics.jsonl", "metrics.csv"];

/// Length and time of the last change: equal before and after reading, the file was not written meanwhile.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> io::Result<Stamp> {
    fs::metadata(path).map(|file| (file.len(), file.modified().ok()))
}

/// The step in a file's name: its last number.
pub(super) fn step_of(path: &Path) -> Option<usize> {
    let name = path.file_stem()?.to_string_lossy().into_owned();
    let to_last_digit = name.trim_end_matches(|c: char| !c.is_ascii_digit());
    let before = to_last_digit.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    to_last_digit[before..].parse().ok()
}

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Read, or reported as unreadable.
    Settled(Stamp),
    /// Unreadable since then.
    Unreadable(Stamp, Instant),
}

/// The files of another program's run.
pub(super) struct Watcher {
    pattern: String,
    settings: SettingsArgs,
    known: BTreeMap<PathBuf, Known>,
    /// The first model read: all have its shape.
    model: Option<ModelConfig>,
    /// The newest step read.
    newest: Option<usize>,
    metrics: Metrics,
    /// Whether the user was told that there are no weights yet.
    is_waiting: bool,
}

impl Watcher {
    /// Watches the files of a pattern, and a metrics file: the given one, or the one beside the weights.
    pub(super) fn new(
        pattern: &str,
        metrics: Option<&Path>,
        settings: &SettingsArgs,
    ) -> Result<Self, Failure> {
        let invalid = |error: glob::PatternError| Failure::Usage(format!("--watch {pattern}: {error}"));
        glob::Pattern::new(pattern).map_err(invalid)?;
        let beside = Path::new(pattern).parent().unwrap_or_else(|| Path::new(""));
        let paths = match metrics {
            Some(path) => vec![path.to_owned()],
            None => METRICS.map(|name| beside.join(name)).to_vec(),
        };
        Ok(Self {
            pattern: pattern.into(),
            settings: settings.clone(),
            known: BTreeMap::new(),
            model: None,
            newest: None,
            metrics: Metrics { paths, open: None, lines: OutsideLines::default(), is_reported: false },
            is_waiting: false,
        })
    }

    /// Waits for the first weights. Returns the newest file, its model, and the events up to it.
    pub(super) fn first(&mut self) -> Result<(PathBuf, ModelConfig, Vec<TrainEvent>), Failure> {
        let mut past = Vec::new();
        loop {
            past.extend(self.metrics.news());
            let weights = self.weights();
            let newest = self.known.keys().rev().find(|path| step_of(path) == self.newest);
            if let (Some(model), Some(path)) = (&self.model, newest) {
                past.extend(weights);
                return Ok((path.clone(), model.clone(), past));
            }
            // Without any readable file, the first complaint about a file is the answer.
            if let Some(TrainEvent::Notice(why)) = weights.into_iter().next() {
                return Err(Failure::Failed(why));
            }
            if !self.is_waiting {
                super::super::say(&format!("headcount: waiting for weights in {}", self.pattern));
                self.is_waiting = true;
            }
            thread::sleep(INTERVAL);
        }
    }

    /// Polls until the receiver is gone.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub(super) fn spawn(mut self, sender: Sender<LoopEvent>) -> io::Result<()> {
        let watch = move || {
            loop {
                thread::sleep(INTERVAL);
                if self.news().into_iter().any(|event| sender.send(LoopEvent::Train(event)).is_err()) {
                    return;
                }
            }
        };
        thread::Builder::new().name("watcher".into()).spawn(watch).map(drop)
    }

    /// New metrics and snapshots, and complaints.
    fn news(&mut self) -> Vec<TrainEvent> {
        let mut events = self.metrics.news();
        events.extend(self.weights());
        events
    }

    /// New snapshots, and complaints about files of weights.
    fn weights(&mut self) -> Vec<TrainEvent> {
        let mut events = Vec::new();
        let changed = self.changed();
        // Of many files at once, such as at the start, those in between are left out.
        let stride = changed.len().div_ceil(MOST).max(1);
        let last = changed.len().saturating_sub(1);
        for (at, (step, path, stamp)) in changed.into_iter().enumerate() {
            if (last - at).is_multiple_of(stride) {
                events.extend(self.read(step, path, stamp));
            } else {
                self.known.insert(path, Known::Settled(stamp));
            }
        }
        events
    }

    /// Files that are new or changed, by step.
    fn changed(&self) -> Vec<(Option<usize>, PathBuf, Stamp)> {
        let paths = glob::glob(&self.pattern).into_iter().flatten().flatten();
        let files = paths.filter_map(|path| stamp(&path).ok().map(|stamp| (step_of(&path), path, stamp)));
        let is_new = |path: &PathBuf, stamp: Stamp| match self.known.get(path) {
            Some(Known::Settled(known)) => *known != stamp,
            Some(Known::Unreadable(..)) | None => true,
        };
        let mut files: Vec<_> = files.filter(|(_, path, stamp)| is_new(path, *stamp)).collect();
        files.sort();
        files
    }

    /// A snapshot, a complaint, or nothing yet; with the first snapshot, what was completed in the file.
    fn read(&mut self, step: Option<usize>, path: PathBuf, before: Stamp) -> Vec<TrainEvent> {
        let name = path.display().to_string();
        let read = step.ok_or_else(|| "no step in its name: expected a number, as in step-000100".to_owned());
        let read = read.and_then(|step| {
            let opened = input::completed(&path, &self.settings).map_err(|error| error.to_string())?;
            Ok((step, opened))
        });
        let (step, opened) = match read {
            Ok(read) if stamp(&path).ok() == Some(before) => read,
            // Written meanwhile: the next look reads it again.
            Ok(_) => return Vec::new(),
            Err(why) => return self.unreadable(path, before, why).into_iter().collect(),
        };
        self.known.insert(path, Known::Settled(before));
        let said = |what: String| TrainEvent::Notice(format!("{name}: {what}"));
        let refused = |why: String| vec![said(why)];
        let (weights, is_first) = (opened.weights, self.model.is_none());
        if self.model.get_or_insert_with(|| weights.config().clone()) != weights.config() {
            return refused("another model than that of the files before: not shown".into());
        }
        if let Some(newest) = self.newest.filter(|newest| step <= *newest) {
            return refused(format!("step {step} came after step {newest}: not shown"));
        }
        self.newest = Some(step);
        let snapshot = TrainEvent::Snapshot(Arc::new(Snapshot::new(step, weights)));
        let notes = opened.notes.into_iter().filter(|_| is_first).map(said);
        notes.chain([snapshot]).collect()
    }

    /// Reports a file once it has stayed unreadable for a while.
    fn unreadable(&mut self, path: PathBuf, now: Stamp, why: String) -> Option<TrainEvent> {
        let since = match self.known.get(&path) {
            Some(Known::Unreadable(stamp, since)) if *stamp == now => *since,
            _ => Instant::now(),
        };
        if since.elapsed() < PATIENCE {
            self.known.insert(path, Known::Unreadable(now, since));
            return None;
        }
        let name = path.display().to_string();
        self.known.insert(path, Known::Settled(now));
        // An error of a file begins with its name already.
        Some(TrainEvent::Notice(if why.contains(&name) { why } else { format!("{name}: {why}") }))
    }
}

/// The metrics file of another program.
struct Metrics {
    /// Where it may be.
    paths: Vec<PathBuf>,
    /// Its path, and the bytes read.
    open: Option<(PathBuf, u64)>,
    lines: OutsideLines,
    is_reported: bool,
}

impl Metrics {
    /// Lines added since the last look. A file that became shorter is read again from its start.
    fn news(&mut self) -> Vec<TrainEvent> {
        if self.open.is_none() {
            self.open = self.paths.iter().find(|path| path.is_file()).map(|path| (path.clone(), 0));
        }
        let Some((path, read)) = &mut self.open else { return Vec::new() };
        let Ok(text) = added(path, read, &mut self.lines) else { return Vec::new() };
        let mut events = Vec::new();
        for line in text.lines() {
            match self.lines.read(line) {
                Ok(metrics) => events.extend(metrics.map(TrainEvent::Outside)),
                Err(_) if self.is_reported => {}
                Err(why) => {
                    self.is_reported = true;
                    let place = format!("{} line {}", path.display(), self.lines.line());
                    events.push(TrainEvent::Notice(format!("{place}: {why}")));
                }
            }
        }
        events
    }
}

/// The complete lines after the bytes already read.
fn added(path: &Path, read: &mut u64, lines: &mut OutsideLines) -> io::Result<String> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() < *read {
        (*read, *lines) = (0, OutsideLines::default());
    }
    file.seek(SeekFrom::Start(*read))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(complete);
    *read += complete as u64;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Weights;
    use crate::model::weights_file::encode_weights;

    fn weights(d_model: usize, seed: u64) -> Vec<u8> {
        let model =
            ModelConfig { d_model, d_head: 4, d_mlp: 12, n_ctx: 6, d_vocab: 4, ..ModelConfig::default() };
        encode_weights(&Weights::initial(&model, seed), &[])
    }

    fn watcher(folder: &Path) -> Watcher {
        let pattern = folder.join("step-*.safetensors").display().to_string();
        Watcher::new(&pattern, None, &SettingsArgs::default()).unwrap()
    }

    fn told(watcher: &mut Watcher) -> Vec<String> {
        let word = |event| match event {
            TrainEvent::Snapshot(snapshot) => format!("step {}", snapshot.step),
            TrainEvent::Outside(metrics) => format!("{} {:?}", metrics.step, metrics.train_loss),
            TrainEvent::Notice(text) => text,
            other => panic!("{other:?}"),
        };
        watcher.news().into_iter().map(word).collect()
    }

    #[test]
    fn the_step_is_the_last_number_of_a_name() {
        let steps =
            ["a/step-000120.safetensors", "run2_ckpt9x.safetensors", "é7.safetensors", "final.safetensors"];
        assert_eq!(steps.map(|name| step_of(Path::new(name))), [Some(120), Some(9), Some(7), None]);
    }

    #[test]
    fn files_and_metrics_are_told_once_and_half_of_a_file_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut watcher = watcher(folder.path());
        assert!(told(&mut watcher).is_empty());
        fs::write(path("step-20.safetensors"), weights(8, 1)).unwrap();
        fs::write(path("step-100.safetensors"), weights(8, 2)).unwrap();
        fs::write(path("metrics.jsonl"), "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo").unwrap();
        assert_eq!(told(&mut watcher), ["1 Some(2.5)", "step 20", "step 100"]);
        fs::write(path("metrics.jsonl"), "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":2.25}\n").unwrap();
        let whole = weights(8, 3);
        fs::write(path("step-200.safetensors"), &whole[..whole.len() - 5]).unwrap();
        assert_eq!(told(&mut watcher), ["2 Some(2.25)"]);
        assert!(told(&mut watcher).is_empty());
        fs::write(path("step-200.safetensors"), &whole).unwrap();
        assert_eq!(told(&mut watcher), ["step 200"]);
        assert!(told(&mut watcher).is_empty());
    }

    #[test]
    fn metrics_from_before_the_first_weights_are_kept_and_a_wrong_line_among_them_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("metrics.jsonl"), "{\"step\":1,\"loss\":2.5}\nwrong\n").unwrap();
        let mut watcher = watcher(&path);
        let writer = thread::spawn(move || {
            // After the watcher's first look, which reads the metrics; earlier, the test is easier and not wrong.
            thread::sleep(INTERVAL / 2);
            fs::write(path.join("step-20.safetensors"), weights(8, 1)).unwrap();
        });
        let (newest, _, past) = watcher.first().unwrap();
        writer.join().unwrap();
        assert!(newest.ends_with("step-20.safetensors"));
        assert!(
            matches!(
                &past[..],
                [TrainEvent::Outside(metrics), TrainEvent::Notice(why), TrainEvent::Snapshot(snapshot)]
                    if metrics.step == 1 && why.contains("line 2") && snapshot.step == 20
            ),
            "{past:?}"
        );
    }

    #[test]
    fn files_that_do_not_belong_are_named_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut watcher = watcher(folder.path());
        fs::write(path("step-20.safetensors"), weights(8, 1)).unwrap();
        assert_eq!(told(&mut watcher), ["step 20"]);
        fs::write(path("step-30.safetensors"), weights(12, 1)).unwrap();
        fs::write(path("step-10.safetensors"), weights(8, 1)).unwrap();
        let told_of = told(&mut watcher);
        assert!(
            told_of[0].ends_with("step-10.safetensors: step 10 came after step 20: not shown"),
            "{told_of:?}"
        );
        assert!(
            told_of[1].ends_with("another model than that of the files before: not shown"),
            "{told_of:?}"
        );
        assert!(told(&mut watcher).is_empty());
    }

    #[test]
    fn of_many_files_the_newest_is_read_and_not_all() {
        let folder = tempfile::tempdir().unwrap();
        for step in 0..100 {
            fs::write(folder.path().join(format!("step-{step}.safetensors")), weights(8, 1)).unwrap();
        }
        let told = told(&mut watcher(folder.path()));
        assert_eq!((told.len(), told.last().unwrap().as_str()), (34, "step 99"));
    }
}
