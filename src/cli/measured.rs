//! Weights to measure, and the sequences to measure on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{DataArgs, MeasuredArgs};
use super::{Failure, afford, input, say};
use crate::model::{ModelConfig, Weights};
use crate::task::{Dataset, Task};
use crate::term::sanitize;
use crate::train::RunConfig;
use crate::train::run_dir::look;

/// Weights to measure.
pub struct Measured {
    /// The trained weights.
    pub weights: Weights,
    /// The file or the run's directory.
    pub place: String,
    /// Optimiser steps taken, if known.
    pub step: Option<usize>,
    /// The settings of their run, or by default.
    pub run: RunConfig,
    /// Whether the settings name the task of the weights.
    is_of_task: bool,
    /// The file, which can name tokens and classes.
    file: Option<PathBuf>,
}

impl Measured {
    /// Opens a file, or the weights of a run that are nearest to a step.
    pub fn open(args: &MeasuredArgs) -> Result<Self, Failure> {
        let opened = match (&args.run, &args.weights) {
            (Some(run), _) => Self::of_run(run, args.step),
            (None, Some(weights)) => Self::of_file(weights, args),
            (None, None) => Err(Failure::Usage("give --weights FILE or --run DIR".into())),
        }?;
        let seed = args.seed.unwrap_or(opened.run.seed);
        Ok(Self { run: RunConfig { seed, ..opened.run }, ..opened })
    }

    fn of_run(path: &Path, step: Option<usize>) -> Result<Self, Failure> {
        let nothing =
            || Failure::Usage(format!("--run {}: no run with a checkpoint is there", path.display()));
        let found = look(path)?.ok_or_else(nothing)?;
        found
            .skipped
            .iter()
            .for_each(|why| say(&format!("headcount: skipped a checkpoint: {}", sanitize(why))));
        let run = found.config.clone();
        let (step, weights) = found.nearest(step).ok_or_else(nothing)?;
        Ok(Self {
            weights,
            place: path.display().to_string(),
            step: Some(step),
            run,
            is_of_task: true,
            file: None,
        })
    }

    fn of_file(path: &Path, args: &MeasuredArgs) -> Result<Self, Failure> {
        let weights = input::opened(path, &args.settings)?.weights;
        let known = input::known_settings_of(path, &args.settings, weights.config())?;
        let is_of_task = known.is_some();
        let run = known.map_or_else(|| input::settings_of(path, &args.settings, weights.config()), Ok)?;
        Ok(Self {
            weights,
            place: path.display().to_string(),
            step: None,
            run,
            is_of_task,
            file: Some(path.into()),
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        self.weights.config()
    }

    /// The task of the weights; without labels if nothing names the task.
    pub fn task(&self) -> Arc<dyn Task> {
        match &self.file {
            Some(file) => input::named_task_of(&self.run, file),
            None => input::task_of(&self.run),
        }
    }

    /// The sequences of `--data`, else the validation set of the task; and what they are, in words.
    ///
    /// # Errors
    /// When nothing names the task, or the sequences do not fit the model.
    pub fn dataset(&self, data: &DataArgs) -> Result<(Dataset, String), Failure> {
        if let Some(path) = &data.data {
            return Ok((input::data(path, data.rule(), self.config())?, path.display().to_string()));
        }
        if !self.is_of_task {
            let asked = "names no task of its own: give --task NAME or --data FILE";
            return Err(Failure::Usage(format!("{}: {asked}", self.place)));
        }
        self.run.validate().map_err(|error| Failure::Usage(error.to_string()))?;
        afford::data(&self.run)?;
        Ok((input::dataset_of(&self.run)?, format!("the validation set of seed {}", self.run.seed)))
    }
}
