//! The task and its amount of data: the table `task` of a run's settings.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Definition, Setting, Settings, Shape, TASKS, TargetRule, Task, find, names};

/// Most sequences in a data set.
const MOST: usize = 10_000_000;

/// Where sequences come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A fixed set, drawn from the seed.
    #[default]
    Seeded,
    /// Every epoch trains on sequences of its own; the validation set is fixed.
    Fresh,
    /// Every sequence there is, once.
    Exhaustive,
}

/// A file with the sequences of a task, and their targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSource {
    /// The file.
    pub file: String,
    /// Checksum of the file, CRC-32 in hexadecimal digits: a run resumes on the data that it was started with.
    pub crc32: String,
    /// The rule of the targets, if they follow from the file's tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetRule>,
    /// Number of training sequences, if the file marks them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_sequences: Option<usize>,
}

/// A task and its data. The default is the notebook's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskConfig {
    /// The task's name.
    pub name: String,
    /// Where sequences come from.
    pub source: Source,
    /// Total number of sequences.
    pub sequences: usize,
    /// The share of training sequences (rounded down); the rest validates.
    pub train_fraction: f64,
    /// The data file, if the task is defined by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSource>,
    /// The task's own settings.
    #[serde(flatten)]
    pub settings: Settings,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            name: TASKS[0].name.into(),
            source: Source::Seeded,
            sequences: 2048,
            train_fraction: 0.8,
            data: None,
            settings: Settings::new(),
        }
    }
}

/// Settings that define no valid task or data set.
#[derive(Debug, Error)]
pub enum TaskError {
    /// Unknown task.
    #[error("task.name = {0:?}: the tasks are {list}", list = names())]
    Name(String),
    /// Unknown setting.
    #[error("task.{key}: not a setting of {task}, which has {choices}")]
    Setting {
        /// The key given.
        key: String,
        /// The task.
        task: &'static str,
        /// The valid keys.
        choices: String,
    },
    /// A task's own setting out of range.
    #[error("task.{key} = {value}: must be from {} to {}", range.0, range.1)]
    Range {
        /// The setting.
        key: String,
        /// Its value.
        value: usize,
        /// The valid range.
        range: (usize, usize),
    },
    /// A model whose shape does not fit the task.
    #[error("model.{field} = {found}: {task} needs {wanted}")]
    Shape {
        /// The model's setting.
        field: &'static str,
        /// Its value.
        found: usize,
        /// The task.
        task: &'static str,
        /// The required value.
        wanted: String,
    },
    /// A source that the task does not support.
    #[error("task.source = \"exhaustive\": the sequences of {0} cannot be listed")]
    Endless(&'static str),
    /// A task that only its data file defines.
    #[error("task.data.file = {0:?}: the task is defined by that file")]
    InFile(String),
    /// A source beside a data file.
    #[error("task.source: task.data.file = {0:?} has the sequences")]
    TwoSources(String),
    /// A number of sequences that differs from all there are.
    #[error("task.sequences = {found}: {task} has {all} in all (task.source = \"exhaustive\")")]
    NotAll {
        /// The setting.
        found: usize,
        /// The task.
        task: &'static str,
        /// The number of all sequences.
        all: usize,
    },
    /// Too few or too many sequences.
    #[error("task.sequences = {0}: must be from 2 to {MOST}")]
    Sequences(usize),
    /// A split with an empty side.
    #[error(
        "task.train_fraction = {fraction}: leaves {train} of {sequences} sequences to train on; both sides need one"
    )]
    Fraction {
        /// The setting.
        fraction: f64,
        /// Sequences left for training.
        train: usize,
        /// Total number of sequences.
        sequences: usize,
    },
}

impl TaskConfig {
    /// The task's definition in the registry.
    ///
    /// # Errors
    /// Names the known tasks if this one is unknown.
    pub fn definition(&self) -> Result<&'static Definition, TaskError> {
        find(&self.name).ok_or_else(|| TaskError::Name(self.name.clone()))
    }

    /// The task, for a model of this shape.
    ///
    /// # Errors
    /// Names the setting that is unknown or out of range, the model's setting that does not fit, or the data file that
    /// defines the task.
    pub fn task(&self, shape: Shape) -> Result<Arc<dyn Task>, TaskError> {
        if let Some(data) = &self.data {
            return Err(TaskError::InFile(data.file.clone()));
        }
        let definition = self.definition()?;
        self.check_settings((definition.name, definition.settings))?;
        let task = (definition.task)(&definition.settings(&self.settings), shape);
        let misfit = |field, found, wanted| TaskError::Shape { field, found, task: definition.name, wanted };
        for (field, found, wanted) in [
            ("d_vocab", shape.d_vocab, task.vocabulary().len()),
            ("d_vocab_out", shape.d_vocab_out, task.outputs().len()),
        ] {
            if found != wanted {
                return Err(misfit(field, found, wanted.to_string()));
            }
        }
        if shape.n_ctx < task.n_ctx() {
            return Err(misfit("n_ctx", shape.n_ctx, format!("at least {}", task.n_ctx())));
        }
        Ok(task)
    }

    fn check_settings(&self, (task, settings): (&'static str, &[Setting])) -> Result<(), TaskError> {
        for (key, &value) in &self.settings {
            let Some(setting) = settings.iter().find(|setting| setting.name == key) else {
                let common = ["name", "source", "sequences", "train_fraction"].into_iter();
                let choices: Vec<&str> = common.chain(settings.iter().map(|s| s.name)).collect();
                let (key, choices) = (key.clone(), choices.join(", "));
                return Err(TaskError::Setting { key, task, choices });
            };
            let (key, range) = (key.clone(), setting.range);
            if !(range.0..=range.1).contains(&value) {
                return Err(TaskError::Range { key, value, range });
            }
        }
        Ok(())
    }

    /// Number of training sequences: the notebook's 1638 of 2048.
    pub fn train_len(&self) -> usize {
        let marked = self.data.as_ref().and_then(|data| data.train_sequences);
        marked.unwrap_or((self.sequences as f64 * self.train_fraction) as usize)
    }

    /// Rejects settings that define no task for a model of this shape, or leave a side of the split empty.
    ///
    /// # Errors
    /// Names the setting and its value.
    pub fn validate(&self, shape: Shape) -> Result<(), TaskError> {
        let sequences = self.sequences;
        match &self.data {
            Some(data) if self.source != Source::Seeded => {
                return Err(TaskError::TwoSources(data.file.clone()));
            }
            Some(_) => self.check_settings(("a data file", &[]))?,
            None => self.validate_task(&*self.task(shape)?)?,
        }
        if !(2..=MOST).contains(&sequences) {
            return Err(TaskError::Sequences(sequences));
        }
        let train = self.train_len();
        if !self.train_fraction.is_finite() || train == 0 || train >= sequences {
            let fraction = self.train_fraction;
            return Err(TaskError::Fraction { fraction, train, sequences });
        }
        Ok(())
    }

    fn validate_task(&self, task: &dyn Task) -> Result<(), TaskError> {
        let (found, name) = (self.sequences, self.definition()?.name);
        match task.inputs() {
            _ if self.source != Source::Exhaustive => Ok(()),
            None => Err(TaskError::Endless(name)),
            Some(all) if all != found => Err(TaskError::NotAll { found, task: name, all }),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { n_ctx: 8, d_vocab: 10, d_vocab_out: 10 };

    #[track_caller]
    fn is_refused(config: &TaskConfig, shape: Shape, pieces: &[&str]) {
        let error = config.validate(shape).unwrap_err().to_string();
        assert!(pieces.iter().all(|piece| error.contains(piece)), "{error}");
    }

    #[test]
    fn an_empty_side_of_the_split_is_refused_by_name() {
        let config = TaskConfig { sequences: 10, train_fraction: 1.0, ..TaskConfig::default() };
        is_refused(&config, SHAPE, &["task.train_fraction = 1", "10 of 10"]);
    }

    #[test]
    fn unknown_names_are_refused_with_the_choices() {
        let other = TaskConfig { name: "majorty".into(), ..TaskConfig::default() };
        is_refused(&other, SHAPE, &["task.name = \"majorty\"", "majority"]);
        let settings = Settings::from([("q".to_owned(), 3)]);
        is_refused(&TaskConfig { settings, ..TaskConfig::default() }, SHAPE, &["task.q", "sequences"]);
    }

    #[test]
    fn a_model_of_another_shape_is_refused() {
        is_refused(
            &TaskConfig::default(),
            Shape { d_vocab_out: 2, ..SHAPE },
            &["model.d_vocab_out = 2", "10"],
        );
    }

    #[test]
    fn endless_sequences_are_not_taken_exhaustively() {
        is_refused(&TaskConfig { source: Source::Exhaustive, ..TaskConfig::default() }, SHAPE, &["majority"]);
    }
}
