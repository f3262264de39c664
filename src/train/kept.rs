//! Kept snapshots of a run: the weights alone, spaced by the logarithm of the step, bounded in bytes.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoints::named;
use super::durable::{place, sweep};
use super::files::{FileError, Files};
use super::sealed::{self, MAX_HEADER, seal, unseal};
use crate::model::weights_file::{parts_of, weights_metadata};
use crate::model::{Layout, ModelConfig, Weights};

/// Steps kept for each doubling of the step.
const PER_OCTAVE: f64 = 16.0;
/// Most snapshots; of large models limited by `BUDGET` in bytes, but never below `LEAST`.
const MOST: usize = 192;
const LEAST: usize = 4;
const BUDGET: u128 = 48 << 20;

const STEP_KEY: &str = "headcount.step";

/// Number of snapshots kept for a parameter count.
pub fn capacity(parameters: u128) -> usize {
    let most = BUDGET / (parameters * size_of::<f32>() as u128).max(1);
    usize::try_from(most).unwrap_or(MOST).clamp(LEAST, MOST)
}

/// Whether the snapshot of a step is kept however fast the training is: the first of its part of an octave.
pub fn is_spaced(step: usize) -> bool {
    let part = |step: usize| ((step as f64).log2() * PER_OCTAVE).floor();
    step < 2 || part(step) > part(step - 1)
}

/// Of more steps than may be kept, in order: the index of the one whose neighbours are closest. The first and the newest
/// stay.
pub fn surplus(steps: &[usize]) -> Option<usize> {
    let gap = |at: &usize| ratio(steps[at - 1], steps[at + 1]);
    (1..steps.len().saturating_sub(1)).min_by(|a, b| gap(a).total_cmp(&gap(b)))
}

fn ratio(before: usize, after: usize) -> f64 {
    (after + 1) as f64 / (before + 1) as f64
}

/// The directory of kept snapshots, open for writing.
pub(super) struct KeptSnapshots {
    files: Arc<dyn Files>,
    directory: PathBuf,
    /// Metadata of each file.
    about: Vec<(&'static str, String)>,
    /// In order.
    steps: Vec<usize>,
    /// Written, but lost in a power cut.
    unsynced: Vec<usize>,
}

impl KeptSnapshots {
    /// Opens the directory: removes leftovers, and snapshots after the step that training resumes from.
    pub(super) fn open(
        files: Arc<dyn Files>,
        directory: &Path,
        about: Vec<(&'static str, String)>,
        from_step: usize,
    ) -> Result<Self, FileError> {
        sweep(&*files, directory);
        let mut found = named(&*files, directory)?;
        let later = found.split_off(&(from_step + 1));
        later.values().try_for_each(|path| files.remove(path).map_err(FileError::at("remove", path)))?;
        let steps = found.into_keys().collect();
        Ok(Self { files, directory: directory.into(), about, steps, unsynced: Vec::new() })
    }

    /// Writes a snapshot; durable after [`sync`](Self::sync). Then removes one if there are too many.
    pub(super) fn keep(&mut self, step: usize, weights: &Weights) -> Result<(), FileError> {
        if self.steps.last().is_some_and(|last| *last >= step) {
            return Ok(());
        }
        let mut metadata = weights_metadata(weights, &self.about);
        metadata.insert(STEP_KEY.into(), step.to_string());
        let bytes = seal(&parts_of(weights), metadata);
        place(&*self.files, &path_of(&self.directory, step), &bytes)?;
        self.steps.push(step);
        self.unsynced.push(step);
        while self.steps.len() > capacity(weights.values.len() as u128) && self.drop_one() {}
        Ok(())
    }

    /// Removes the least needed snapshot. One that cannot be removed only takes space.
    fn drop_one(&mut self) -> bool {
        let Some(at) = surplus(&self.steps) else { return false };
        let step = self.steps.remove(at);
        self.unsynced.retain(|unsynced| *unsynced != step);
        let _ = self.files.remove(&path_of(&self.directory, step));
        true
    }

    /// Removes every second snapshot: a checkpoint needs the room. Returns false if there is none.
    pub(super) fn give_way(&mut self) -> bool {
        // Of an odd number the last goes too, so that the last one left does.
        let going: Vec<usize> = self.steps.iter().rev().copied().step_by(2).collect();
        for step in &going {
            let _ = self.files.remove(&path_of(&self.directory, *step));
        }
        self.steps.retain(|step| !going.contains(step));
        self.unsynced.retain(|step| !going.contains(step));
        !going.is_empty()
    }

    /// Returns once every snapshot would survive a power cut.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        while let Some(step) = self.unsynced.last() {
            let path = path_of(&self.directory, *step);
            // Opened again, so that no descriptor waits for the checkpoint.
            let synced = self.files.append(&path).and_then(|mut file| file.sync());
            synced.map_err(FileError::at("write", &path))?;
            self.unsynced.pop();
        }
        self.files.sync_directory(&self.directory).map_err(FileError::at("write", &self.directory))
    }
}

fn path_of(directory: &Path, step: usize) -> PathBuf {
    directory.join(format!("step-{step:06}.safetensors"))
}

/// Reads a snapshot of a step.
///
/// # Errors
/// When the file cannot be read, is damaged, or is of another model or step.
pub(super) fn load(
    files: &dyn Files,
    (step, path): (usize, &Path),
    model: &ModelConfig,
) -> Result<Weights, FileError> {
    let layout = Arc::new(Layout::new(model));
    let bytes = files.read(path, 2 * (4 * layout.len as u64 + MAX_HEADER));
    let bytes = bytes.map_err(FileError::at("read", path))?;
    let decoded = decode(&bytes, &layout, step);
    decoded.map_err(|problem| FileError::at("read", path)(std::io::Error::other(problem)))
}

fn decode(bytes: &[u8], layout: &Arc<Layout>, step: usize) -> Result<Weights, String> {
    let (file, metadata): (_, HashMap<String, String>) = unseal(bytes, "a snapshot")?;
    if metadata.get(STEP_KEY) != Some(&step.to_string()) {
        return Err("it holds another step".into());
    }
    sealed::weights(&file, layout, 0)
}

/// Every intact snapshot of `files`, by step; damaged ones are left out.
pub(super) fn load_all(
    files: &dyn Files,
    found: &BTreeMap<usize, PathBuf>,
    model: &ModelConfig,
) -> BTreeMap<usize, Weights> {
    let weights = |(step, path): (&usize, &PathBuf)| Some((*step, load(files, (*step, path), model).ok()?));
    found.iter().filter_map(weights).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::Disk;
    use super::*;

    fn model() -> ModelConfig {
        ModelConfig { d_model: 8, d_head: 4, d_mlp: 12, n_ctx: 6, ..ModelConfig::default() }
    }

    /// The steps kept of a run of this length, at most so many.
    fn thinned(total: usize, most: usize) -> Vec<usize> {
        let mut steps = Vec::new();
        for step in (0..=total).filter(|step| is_spaced(*step)) {
            steps.push(step);
            if steps.len() > most {
                steps.remove(surplus(&steps).unwrap());
            }
        }
        steps
    }

    #[test]
    fn steps_are_spaced_by_their_logarithm_however_many_are_dropped() {
        let all = thinned(25_000, usize::MAX);
        assert!((0..=22).all(|step| all.contains(&step)) && (170..190).contains(&all.len()), "{}", all.len());
        for most in [20, 59, 100] {
            let steps = thinned(25_000, most);
            assert_eq!((steps.len(), steps[0]), (most, 0));
            let late = steps.windows(2).filter(|pair| pair[0] >= 30);
            let ratios: Vec<f64> = late.map(|pair| ratio(pair[0], pair[1])).collect();
            let [least, largest] = [f64::min, f64::max].map(|of| ratios.iter().copied().reduce(of).unwrap());
            assert!(largest < least.powf(3.1), "{most}: {least} to {largest}");
        }
    }

    #[test]
    fn few_snapshots_of_a_large_model_are_kept_and_never_none() {
        assert_eq!(capacity(60_106), MOST);
        assert_eq!(capacity(220_000), 57);
        assert_eq!(capacity(1 << 40), LEAST);
    }

    #[test]
    fn snapshots_read_back_bit_for_bit_and_a_damaged_one_is_left_out() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model());
        let open = |from| KeptSnapshots::open(Arc::new(Disk), folder.path(), Vec::new(), from).unwrap();
        let weights = |step| Weights::initial(&model, step as u64);
        let mut kept = open(0);
        (0..9).for_each(|step| kept.keep(step, &weights(step)).unwrap());
        kept.sync().unwrap();
        let found = || named(&Disk, folder.path()).unwrap();
        let read = load_all(&Disk, &found(), &model);
        assert!(read.len() == 9 && read.iter().all(|(step, read)| read.values == weights(*step).values));
        let (path, bytes) = (path_of(folder.path(), 3), std::fs::read(path_of(folder.path(), 3)).unwrap());
        std::fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
        std::fs::copy(path_of(folder.path(), 5), path_of(folder.path(), 4)).unwrap();
        let read: Vec<usize> = load_all(&Disk, &found(), &model).into_keys().collect();
        assert_eq!(read, [0, 1, 2, 5, 6, 7, 8]);
        // A run that goes on from step 6 takes the later steps again.
        assert_eq!(open(6).steps, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(found().len(), 7);
    }

    #[test]
    fn a_kept_snapshot_is_a_file_of_weights() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = KeptSnapshots::open(Arc::new(Disk), folder.path(), Vec::new(), 0).unwrap();
        kept.keep(0, &Weights::initial(&model(), 3)).unwrap();
        let opened = crate::model::read_weights(&path_of(folder.path(), 0), None).unwrap();
        assert!(opened.notes.is_empty() && opened.weights.values == Weights::initial(&model(), 3).values);
    }
}
