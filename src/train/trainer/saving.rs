//! Saves checkpoints, the weights alone, and lines of metrics.

use super::super::checkpoint::TrainState;
use super::super::events::TrainEvent;
use super::super::files::FileError;
use super::super::recipe::Extension;
use super::super::run_dir::RunDir;
use super::{Setup, Trainer};
use crate::model::Backend;

/// What the last write failed for.
#[derive(Default)]
pub(super) struct Failing {
    /// The state.
    pub(super) save: bool,
    /// `metrics.jsonl`.
    pub(super) log: bool,
    /// A kept snapshot.
    pub(super) snapshot: bool,
}

impl<D: Backend> Trainer<'_, D> {
    /// Saves and exports. After an error, which is reported, training continues.
    pub(super) fn save(&mut self) {
        if self.save_checkpoint().is_ok()
            && let Err(error) = self.export()
        {
            (self.emit)(TrainEvent::Notice(error.to_string()));
        }
    }

    /// Saves the state durably. Errors are reported; older checkpoints are then unchanged.
    pub(super) fn save_checkpoint(&mut self) -> Result<(), FileError> {
        if self.saved == Some(self.step) {
            return Ok(());
        }
        self.sync_metrics();
        let synced = self.setup.run_dir.as_mut().map_or(Ok(()), RunDir::sync_snapshots);
        self.note_snapshots(&synced);
        let state = self.state();
        if state.weights.first_non_finite().is_some() {
            // The next step fails, and the last good state must stay on disk.
            return Ok(());
        }
        let Some(dir) = &mut self.setup.run_dir else { return Ok(()) };
        let saved = dir.save(&state);
        match &saved {
            Ok(()) => {
                self.saved = Some(self.step);
                if self.failing.save {
                    (self.emit)(TrainEvent::Unsaved(None));
                }
            }
            Err(error) => (self.emit)(TrainEvent::Unsaved(Some(error.to_string()))),
        }
        self.failing.save = saved.is_err();
        saved
    }

    /// Extends the run: first on disk, so that later saves belong to the longer run.
    pub(super) fn extend(&mut self) {
        let event = match self.try_extend() {
            Ok(by) => TrainEvent::Extended { total_steps: self.setup.config.total_steps(), by },
            Err(why) => TrainEvent::Notice(format!("the run is not made longer: {why}")),
        };
        (self.emit)(event);
    }

    fn try_extend(&mut self) -> Result<Extension, String> {
        let longer = self.setup.config.extended_by_half().ok_or("it is as long as a run may be")?;
        let by = longer.train.extended.last().cloned().ok_or("it is as long as it was")?;
        if let Some(dir) = &mut self.setup.run_dir {
            dir.extend(&longer).map_err(|error| error.to_string())?;
        }
        self.setup.config = longer;
        Ok(by)
    }

    /// Saves the final state. Fails if the directory, even with a state saved earlier, is no longer at the run's path.
    pub(super) fn save_at_the_end(&mut self) -> Result<(), FileError> {
        self.save_checkpoint()?;
        self.setup.run_dir.as_ref().map_or(Ok(()), RunDir::is_in_place)
    }

    /// Saves an unsaved state in another directory, if possible.
    pub(super) fn rescue(&self) -> Option<RunDir> {
        let Setup { run_dir, config, dataset, .. } = &self.setup;
        run_dir.as_ref()?.rescue(config, dataset, &self.state())
    }

    /// Saves an unsaved state in another directory, and continues there.
    pub(super) fn rescue_and_go_on(&mut self) {
        if !self.failing.save {
            return self.save();
        }
        self.sync_metrics();
        let Some(elsewhere) = self.rescue() else {
            let why = "nothing can be saved beside the run directory or in the working directory either";
            return (self.emit)(TrainEvent::Notice(why.into()));
        };
        let run_dir = elsewhere.path().display().to_string();
        self.setup.run_dir = Some(elsewhere);
        (self.saved, self.exported) = (Some(self.step), Some(self.step));
        self.failing = Failing::default();
        (self.emit)(TrainEvent::Rescued { step: self.step, run_dir });
    }

    /// Writes the weights of the newest checkpoint, or of the best if the recipe keeps those, to `weights.safetensors`.
    pub(super) fn export(&mut self) -> Result<(), FileError> {
        let Some(dir) = &self.setup.run_dir else { return Ok(()) };
        let best = dir.best().filter(|_| self.setup.config.train.keep_best).map(|(step, _)| step);
        let exporting = best.or(self.saved);
        if self.saved != Some(self.step) || self.exported == exporting {
            return Ok(());
        }
        match best.filter(|step| *step != self.step) {
            Some(step) => dir.export(&dir.weights_of(step)?)?,
            None => dir.export(&self.weights())?,
        }
        self.exported = exporting;
        Ok(())
    }

    /// Saves a state with a lower validation loss than every checkpoint, if the recipe keeps the best.
    pub(super) fn save_if_best(&mut self, loss: f64) {
        let best = self.setup.run_dir.as_ref().and_then(RunDir::best);
        if self.setup.config.train.keep_best && best.is_none_or(|(_, least)| loss < least) {
            self.save();
        }
    }

    fn state(&self) -> TrainState {
        let (step, validation_loss) = (self.step, self.validation_loss);
        TrainState { step, weights: self.weights(), moments: self.optimizer.moments(), validation_loss }
    }

    pub(super) fn sync_metrics(&mut self) {
        let synced = self.setup.run_dir.as_mut().map_or(Ok(()), RunDir::sync_metrics);
        self.note_log(&synced);
    }

    /// Keeps the weights of this step.
    pub(super) fn keep_snapshot(&mut self) {
        let weights = self.weights();
        if weights.first_non_finite().is_some() {
            return;
        }
        let step = self.step;
        let kept = self.setup.run_dir.as_mut().map_or(Ok(()), |dir| dir.keep(step, &weights));
        self.note_snapshots(&kept);
    }

    /// Reports the first snapshot that could not be kept, and the first that is again.
    fn note_snapshots(&mut self, result: &Result<(), FileError>) {
        let again = "snapshots are being kept again";
        self.failing.snapshot = self.note_once(result, self.failing.snapshot, again);
    }

    /// Reports the first failed write of metrics and the first that succeeds again; lines are buffered meanwhile.
    pub(super) fn note_log(&mut self, result: &Result<(), FileError>) {
        self.failing.log = self.note_once(result, self.failing.log, "metrics.jsonl is being written again");
    }

    /// Reports a change between failure and success; returns whether writing fails now.
    fn note_once(&mut self, result: &Result<(), FileError>, failed: bool, again: &str) -> bool {
        match result {
            Err(error) if !failed => (self.emit)(TrainEvent::Notice(error.to_string())),
            Ok(()) if failed => (self.emit)(TrainEvent::Notice(again.into())),
            _ => {}
        }
        result.is_err()
    }
}
