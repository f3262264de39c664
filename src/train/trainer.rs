//! The training loop.

mod saving;
mod validating;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use thiserror::Error;

use super::checkpoint::TrainState;
use super::config::RunConfig;
use super::events::{RunState, StepMetrics, TrainCommand, TrainEvent, TrainPlan, is_validated};
use super::files::FileError;
use super::kept::is_spaced;
use super::optimizer::Optimizer;
use super::pace::Pace;
use super::run_dir::RunDir;
use super::schedule::Schedule;
use crate::model::{Backend, Sequences, Snapshot, Transformer, Weights};
use crate::random::{Purpose, stream};
use crate::task::{Dataset, Source, Split};
use saving::Failing;

/// Shortest time between two snapshots.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(200);

/// A snapshot is due after this many times the duration of the last one: at most 1 % of the time goes into snapshots.
const SNAPSHOT_SHARE: u32 = 100;

/// Everything that a run starts from.
pub struct Setup {
    /// The settings.
    pub config: RunConfig,
    /// The data drawn according to the settings.
    pub dataset: Arc<Dataset>,
    /// The first state.
    pub state: TrainState,
    /// Where to save; without a directory nothing is saved.
    pub run_dir: Option<RunDir>,
    /// Stop after this step of the schedule.
    pub stop_at: Option<usize>,
}

/// Why a run ended early.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A loss or a weight is NaN or infinite.
    #[error("step {step}: {what} is not finite; the last good state is that of step {last_good}")]
    NotFinite {
        /// The step.
        step: usize,
        /// `the loss`, or the first weight that is not finite.
        what: String,
        /// The newest step that was saved or published.
        last_good: usize,
    },
    /// dfdx's error: out of memory, for example.
    #[error("step {step}: the device failed: {message}")]
    Device {
        /// The step.
        step: usize,
        /// dfdx's message.
        message: String,
    },
    /// The final state could not be saved.
    #[error("step {step} is not saved: {source}; {}", told(rescued.as_deref()))]
    NotSaved {
        /// The step.
        step: usize,
        /// Why.
        source: FileError,
        /// New run directory with the state instead.
        rescued: Option<PathBuf>,
    },
    /// The final state is saved, but `weights.safetensors` could not be written.
    #[error("step {step} is saved, but its weights are not exported: {source}")]
    NotExported {
        /// The step.
        step: usize,
        /// Why.
        source: FileError,
    },
    /// The trainer panicked.
    #[error("the trainer died: {0}")]
    Panicked(String),
}

fn told(rescued: Option<&Path>) -> String {
    match rescued {
        Some(path) => {
            format!("kept in {} instead: `headcount train --resume --run` goes on there", path.display())
        }
        None => "nor could it be kept elsewhere".into(),
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every step was taken.
    Finished,
    /// Stopped by a command, or at `stop_at`.
    Stopped,
}

/// Trains on `device` until the schedule, `stop_at` or a command ends the run. Blocks: call it on its own thread, the
/// one that created the device. Reports to `emit`, which must not block.
///
/// # Errors
/// When a value is not finite, the device fails, or the final state cannot be saved. Saves first what can be saved.
pub fn train<D: Backend>(
    device: D,
    device_name: &str,
    setup: Setup,
    commands: &Receiver<TrainCommand>,
    emit: &mut dyn FnMut(TrainEvent),
) -> Result<Outcome, TrainError> {
    emit(TrainEvent::Started(plan(&setup, device_name)));
    let outcome = Trainer::new(device, setup, emit).and_then(|mut trainer| trainer.run_and_save(commands));
    let state = match &outcome {
        Ok(Outcome::Finished) => RunState::Finished,
        Ok(Outcome::Stopped) => RunState::Stopped,
        Err(_) => RunState::Failed,
    };
    if let Err(error) = &outcome {
        emit(TrainEvent::Failed(error.to_string()));
    }
    emit(TrainEvent::State(state));
    outcome
}

fn plan(setup: &Setup, device: &str) -> TrainPlan {
    TrainPlan {
        task: setup.config.task.name.clone(),
        total_steps: setup.config.total_steps(),
        steps_per_epoch: setup.config.steps_per_epoch(),
        validate_every: setup.config.validate_every(),
        start_step: setup.state.step,
        device: device.into(),
        run_dir: setup.run_dir.as_ref().map(|dir| dir.path().display().to_string()),
    }
}

struct Trainer<'a, D: Backend> {
    setup: Setup,
    model: Transformer,
    optimizer: Optimizer<D>,
    training: Sequences<D>,
    validation: Sequences<D>,
    step: usize,
    /// Step of the newest checkpoint.
    saved: Option<usize>,
    /// Step of `weights.safetensors`, once this trainer has written it: an older file may be of any step.
    exported: Option<usize>,
    /// Step of the last snapshot, and when the next is due.
    published: Option<(usize, Instant)>,
    order: Option<(usize, Vec<usize>)>,
    /// Loss of the validation at this step, if it was one.
    validation_loss: Option<f64>,
    /// Whether a validation has reached the accuracy at which the run stops.
    is_accurate: bool,
    failing: Failing,
    emit: &'a mut dyn FnMut(TrainEvent),
}

impl<'a, D: Backend> Trainer<'a, D> {
    fn new(device: D, setup: Setup, emit: &'a mut dyn FnMut(TrainEvent)) -> Result<Self, TrainError> {
        let Setup { config, state, dataset, .. } = &setup;
        let step = state.step;
        let failed = |error: D::Err| TrainError::Device { step, message: D::explain(&error) };
        let sequences = |split| device.sequences(dataset, split, &config.model).map_err(failed);
        let (training, validation) = (sequences(Split::Train)?, sequences(Split::Validation)?);
        let optimizer = Optimizer::new(device, &state.weights, &state.moments, step, &config.train);
        Ok(Self {
            training,
            validation,
            model: Transformer {
                loss_dtype: config.train.loss_dtype,
                ..Transformer::new(Arc::clone(&state.weights.layout))
            },
            optimizer: optimizer.map_err(failed)?,
            step,
            saved: (step > 0).then_some(step),
            exported: None,
            published: None,
            order: None,
            validation_loss: state.validation_loss,
            is_accurate: false,
            failing: Failing::default(),
            emit,
            setup,
        })
    }

    fn end(&self) -> usize {
        let total = self.setup.config.total_steps();
        self.setup.stop_at.map_or(total, |stop| stop.min(total))
    }

    fn run_and_save(&mut self, commands: &Receiver<TrainCommand>) -> Result<Outcome, TrainError> {
        let outcome = self.run(commands).and_then(|outcome| self.finite_weights().map(|_| outcome));
        if outcome.is_err() {
            self.sync_metrics();
            return outcome;
        }
        let step = self.step;
        self.save_at_the_end().map_err(|source| TrainError::NotSaved {
            step,
            source,
            rescued: self.rescue().map(|dir| dir.path().into()),
        })?;
        self.export().map_err(|source| TrainError::NotExported { step, source })?;
        outcome
    }

    fn is_validated_at(&self, step: usize) -> bool {
        let config = &self.setup.config;
        is_validated(step, (config.validate_every(), config.total_steps()))
    }

    fn run(&mut self, commands: &Receiver<TrainCommand>) -> Result<Outcome, TrainError> {
        self.publish();
        // A run killed after the checkpoint of this step may lack its snapshot.
        if self.is_validated_at(self.step) || is_spaced(self.step) {
            self.keep_snapshot();
        }
        if self.step < self.end() {
            // Discover an unwritable directory now rather than after an hour.
            self.save();
        }
        let mut pace = Pace::Running;
        (self.emit)(TrainEvent::State(RunState::Running));
        while self.step < self.end() && !self.is_accurate {
            let next = pace.next(commands, &mut |command| match command {
                TrainCommand::Extend => self.extend(),
                TrainCommand::Rescue => self.rescue_and_go_on(),
                _ => self.save(),
            });
            if next != pace && next != Pace::Stop {
                let state = if next == Pace::Paused { RunState::Paused } else { RunState::Running };
                (self.emit)(TrainEvent::State(state));
            }
            pace = next;
            match pace {
                Pace::Stop => return Ok(Outcome::Stopped),
                Pace::Paused => self.publish(),
                Pace::Running | Pace::Once => self.take_step()?,
            }
        }
        self.publish();
        Ok(if self.step >= self.setup.config.total_steps() { Outcome::Finished } else { Outcome::Stopped })
    }

    fn take_step(&mut self) -> Result<(), TrainError> {
        let epoch = self.step / self.setup.config.steps_per_epoch();
        let rates = Schedule::of(&self.setup.config).at(self.step);
        self.begin(epoch)?;
        let batch = self.batch(epoch);
        let rows = self.order.as_ref().map_or(&[][..], |(_, order)| &order[batch]);
        let taken = self.optimizer.step(&self.model, &self.training, rows, rates);
        let step = self.step + 1;
        let train_loss = taken.map_err(|error| TrainError::Device { step, message: D::explain(&error) })?;
        let metrics = StepMetrics { step, epoch: epoch + 1, train_loss, lr: rates.lr };
        let logged = self.setup.run_dir.as_mut().map_or(Ok(()), |dir| dir.log_step(&metrics));
        self.note_log(&logged);
        (self.emit)(TrainEvent::Step(metrics));
        if !train_loss.is_finite() {
            let weight = self.weights().first_non_finite().map(|name| format!(" or weight {name}"));
            return Err(self.not_finite(step, format!("the loss{}", weight.unwrap_or_default())));
        }
        (self.step, self.validation_loss) = (step, None);
        let is_validated = self.is_validated_at(step);
        if is_validated {
            self.validate(epoch + 1)?;
        }
        let is_kept = is_validated || is_spaced(step);
        if is_kept {
            self.keep_snapshot();
        }
        if is_kept || self.published.is_none_or(|(_, due)| Instant::now() >= due) {
            self.publish();
        }
        if step.is_multiple_of(self.setup.config.train.checkpoint_every) {
            self.save();
        }
        Ok(())
    }

    fn not_finite(&self, step: usize, what: String) -> TrainError {
        TrainError::NotFinite { step, what, last_good: self.saved.unwrap_or(0) }
    }

    /// Draws an epoch's sequences, if each epoch has its own, and their order.
    fn begin(&mut self, epoch: usize) -> Result<(), TrainError> {
        if self.order.as_ref().is_some_and(|(of, _)| *of == epoch) {
            return Ok(());
        }
        let Setup { config, dataset, .. } = &self.setup;
        if config.task.source == Source::Fresh {
            let task = Arc::clone(dataset.task());
            let drawn = Arc::new(Dataset::of_epoch(task, &config.task, config.seed, epoch));
            let training = self.optimizer.device().sequences(&drawn, Split::Train, &config.model);
            self.training = training.map_err(|error| self.device_failed(&error))?;
        }
        let mut order: Vec<usize> = (0..self.training.len()).collect();
        if config.train.batch_size > 0 {
            order.shuffle(&mut stream(config.seed, Purpose::EpochOrder, epoch as u64));
        }
        self.order = Some((epoch, order));
        Ok(())
    }

    /// Range of the next step's sequences in the order of their epoch.
    fn batch(&self, epoch: usize) -> Range<usize> {
        let size = self.setup.config.batch_size();
        let first = (self.step - epoch * self.setup.config.steps_per_epoch()) * size;
        first..(first + size).min(self.training.len())
    }

    fn device_failed(&self, error: &D::Err) -> TrainError {
        TrainError::Device { step: self.step, message: D::explain(error) }
    }

    fn weights(&self) -> Weights {
        let mut weights = self.setup.state.weights.clone();
        self.optimizer.copy_params(&mut weights.values);
        weights
    }

    fn finite_weights(&self) -> Result<Weights, TrainError> {
        let weights = self.weights();
        match weights.first_non_finite() {
            None => Ok(weights),
            Some(name) => Err(self.not_finite(self.step, format!("weight {name}"))),
        }
    }

    fn publish(&mut self) {
        if self.published.is_none_or(|(step, _)| step != self.step) {
            let began = Instant::now();
            let snapshot = Snapshot::new(self.step, self.weights());
            let pause = SNAPSHOT_INTERVAL.max(began.elapsed() * SNAPSHOT_SHARE);
            self.published = Some((self.step, Instant::now() + pause));
            (self.emit)(TrainEvent::Snapshot(Arc::new(snapshot)));
            if let Some((used, total)) = self.optimizer.device().memory() {
                (self.emit)(TrainEvent::Memory { used, total });
            }
        }
    }
}
