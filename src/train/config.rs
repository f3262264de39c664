//! The settings of a run: `config.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config_error::{MAX_TOKENS, RunConfigError};
use super::data::DataFile;
use super::data_error::DataError;
use super::frozen;
use super::recipe::{Extension, TrainConfig};
use crate::model::weights_file::{OUTPUTS_KEY, TASK_KEY, VOCABULARY_KEY};
use crate::model::{Layout, ModelConfig};
use crate::task::{Dataset, Task, TaskConfig};

/// Everything that decides what a run computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Seed of data, initial weights and order.
    pub seed: u64,
    /// The model's shape.
    pub model: ModelConfig,
    /// The task and its data.
    pub task: TaskConfig,
    /// The optimisation.
    pub train: TrainConfig,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 23,
            model: ModelConfig::default(),
            task: TaskConfig::default(),
            train: TrainConfig::default(),
        }
    }
}

/// Steps between validations when an epoch is a single step.
const VALIDATE_EVERY: usize = 100;

impl RunConfig {
    /// Rejects settings that are zero or out of any reasonable range.
    ///
    /// # Errors
    /// Names the first such setting.
    pub fn validate(&self) -> Result<(), RunConfigError> {
        self.model.validate()?;
        self.task.validate(self.model.shape())?;
        let (sequences, n_ctx) = (self.task.sequences, self.model.n_ctx);
        if sequences.saturating_mul(n_ctx) > MAX_TOKENS {
            return Err(RunConfigError::TooMuchData { sequences, n_ctx });
        }
        self.train.validate()?;
        for pattern in &self.train.frozen {
            if !frozen::matches_any(pattern, &Layout::new(&self.model)) {
                let problem = "no parameter of this model has such a name".into();
                return Err(RunConfigError::Unsuited {
                    field: "frozen",
                    value: format!("{pattern:?}"),
                    problem,
                });
            }
        }
        let total = self.total_steps();
        let ordered = self.train.extended.is_sorted_by_key(|extension| extension.from_step);
        let fits = |at: &Extension| ordered && (1..total).contains(&at.from_step);
        match self.train.extended.iter().find(|extension| !fits(extension)) {
            None => Ok(()),
            Some(extension) => Err(RunConfigError::Unsuited {
                field: "extended.from_step",
                value: extension.from_step.to_string(),
                problem: format!("must rise, from 1 to below the {total} steps of the run"),
            }),
        }
    }

    /// The settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a configuration is always representable")
    }

    /// The value of every setting, by dotted name.
    pub(super) fn named(&self) -> BTreeMap<String, String> {
        fn add(to: &mut BTreeMap<String, String>, name: &str, value: &toml::Value) {
            match value {
                toml::Value::Table(table) => {
                    let dot = if name.is_empty() { "" } else { "." };
                    table.iter().for_each(|(key, value)| add(to, &format!("{name}{dot}{key}"), value));
                }
                value => drop(to.insert(name.into(), value.to_string())),
            }
        }
        let mut named = BTreeMap::new();
        let all = toml::Value::try_from(self).expect("a configuration is always representable");
        add(&mut named, "", &all);
        named
    }

    /// Sequences in a full step: the notebook's 256.
    pub fn batch_size(&self) -> usize {
        if self.train.batch_size == 0 { self.task.train_len() } else { self.train.batch_size }
    }

    /// Draws the data set, or reads its file.
    ///
    /// # Errors
    /// When the task is unknown or does not fit the model, or the file is not the run's.
    pub fn dataset(&self) -> Result<Dataset, DataError> {
        match &self.task.data {
            Some(source) => DataFile::of_run(&self.task, source, (&self.model, self.seed)),
            None => Ok(self.task.dataset(self.model.shape(), self.seed)?),
        }
    }

    /// Steps in an epoch: the notebook's 7.
    pub fn steps_per_epoch(&self) -> usize {
        self.task.train_len().div_ceil(self.batch_size())
    }

    /// Steps of the whole schedule: the notebook's 420.
    pub fn total_steps(&self) -> usize {
        if self.train.steps > 0 { self.train.steps } else { self.steps_per_epoch() * self.train.epochs }
    }

    /// Steps between validations: the notebook's 7.
    pub fn validate_every(&self) -> usize {
        match (self.train.validate_every, self.steps_per_epoch()) {
            (0, 1) => VALIDATE_EVERY,
            (0, epoch) => epoch,
            (every, _) => every,
        }
    }

    /// Whether this is the run `before`, possibly extended.
    pub fn continues(&self, before: &Self) -> bool {
        let (extended, known) = (&self.train.extended, &before.train.extended);
        let end = extended.get(known.len()).map_or_else(|| self.total_steps(), |next| next.from_step);
        extended.starts_with(known) && before.total_steps() == end && self.with_length_of(before) == *before
    }

    /// This run with the length of another, including extensions, and with the same place of its data file: a file that
    /// was moved is known by its checksum.
    pub(super) fn with_length_of(&self, other: &Self) -> Self {
        let mut same = self.clone();
        if let (Some(own), Some(others)) = (&mut same.task.data, &other.task.data) {
            own.file.clone_from(&others.file);
        }
        (same.train.epochs, same.train.steps) = (other.train.epochs, other.train.steps);
        same.train.extended.clone_from(&other.train.extended);
        same
    }
}

/// What a weights file says about the run that wrote it.
#[derive(Debug, Deserialize, Serialize)]
pub struct RunMetadata {
    /// Seed of data, initial weights and order.
    pub seed: u64,
    /// Task and data.
    pub task: TaskConfig,
}

impl RunMetadata {
    /// Keys of the metadata, in weights files and in checkpoints.
    pub const KEYS: [&'static str; 2] = ["run", "headcount.run"];

    /// Entries of the metadata: the task's name, the settings as JSON, and the names of tokens and classes.
    pub fn entries(config: &RunConfig, task: &dyn Task) -> Vec<(&'static str, String)> {
        let told = Self { seed: config.seed, task: config.task.clone() };
        let json = serde_json::to_string(&told).expect("settings are always representable");
        let mut entries = vec![(TASK_KEY, config.task.name.clone()), (Self::KEYS[0], json)];
        for (key, names) in [(VOCABULARY_KEY, task.vocabulary()), (OUTPUTS_KEY, task.outputs())] {
            entries.extend(names.listed().map(|names| (key, names)));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_notebooks_schedule() {
        let config = RunConfig::default();
        assert_eq!((config.steps_per_epoch(), config.total_steps()), (7, 420));
    }

    #[test]
    fn a_configuration_survives_being_written_and_read() {
        let config = RunConfig { seed: 7, ..RunConfig::default() };
        assert_eq!(RunConfig::parse(&config.to_toml()).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let text = "seed = 1\n[model]\nd_modle = 64\n";
        let error = RunConfig::parse(text).unwrap_err();
        assert!(error.to_string().contains("d_modle"), "{error}");
        assert_eq!(error.position(text), Some((3, 1)));
    }

    #[test]
    fn mistakes_are_reported_in_words_of_the_file_with_their_place() {
        for (text, place, want) in [
            ("[model]\nn_layers = \"two\"", (2, 12), "model.n_layers = \"two\": a whole number is needed"),
            ("model.n_layers = -1", (1, 18), "model.n_layers = -1: a whole number from 0 is needed"),
            ("model.n_layers = 1.5", (1, 18), "model.n_layers = 1.5: a whole number is needed"),
            ("[train]\nmax_lr = \"fast\"", (2, 10), "train.max_lr = \"fast\": a number is needed"),
            ("model = 3", (1, 9), "model = 3: a table is needed, [model]"),
            ("[model]\nact_fn = \"tanh\"", (2, 10), "act_fn = \"tanh\": must be \"solu_ln\", \"gelu\""),
            ("[model]\nact_fn = 3", (2, 10), "model.act_fn = 3: must be \"solu_ln\", \"gelu\""),
            ("n_layrs = 2", (1, 1), "n_layrs: no such setting"),
            ("[model]\nd_modle = 2", (2, 1), "model.d_modle: no such setting; did you mean d_model?"),
            ("[train]\nwarmth = 2", (2, 1), "train.warmth: no such setting; there are epochs, steps"),
            ("[mdoel]\nd_model = 2", (1, 2), "mdoel: no such setting; did you mean model?"),
            ("n_ctx = 4\nmodel.n_ctx = 5", (1, 1), "model.n_ctx is set twice"),
            ("[model]\n\n  d_head = 0", (3, 12), "model.d_head = 0: must be from 1"),
            ("\u{feff}d_head = 0", (1, 10), "model.d_head = 0: must be from 1"),
        ] {
            let error = RunConfig::parse(text).unwrap_err();
            assert!(error.to_string().contains(want), "{text}: {error}");
            assert_eq!(error.position(text), Some(place), "{text}: {error}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_model_settings_outside_their_table_are_accepted() {
        let config = RunConfig::parse("\u{feff}n_ctx = 9\r\n[train]\r\nepochs = 2\r\n").unwrap();
        assert_eq!((config.model.n_ctx, config.train.epochs), (9, 2));
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for (text, want) in [
            ("[train]\nepochs = 0", "train.epochs = 0"),
            ("[train]\nmax_lr = nan", "train.max_lr = NaN"),
            ("[task]\nsequences = 1", "task.sequences = 1"),
            ("[model]\nd_vocab = 1", "model.d_vocab = 1"),
            ("[task]\nsequences = 10000000", "task.sequences = 10000000 of model.n_ctx = 128"),
        ] {
            let error = RunConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
