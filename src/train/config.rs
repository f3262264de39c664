//! The settings of a run: `config.toml`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::{ConfigError, ModelConfig};
use crate::task::{Dataset, TaskConfig, TaskError};

/// How the model is trained. The default is the notebook's recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training sequences.
    pub epochs: usize,
    /// Sequences in a step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Peak of the one-cycle schedule.
    pub max_lr: f64,
    /// Decoupled, on every parameter, per unit of learning rate.
    pub weight_decay: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self { epochs: 60, batch_size: 256, max_lr: 0.01, weight_decay: 0.01, checkpoint_every: 70 }
    }
}

/// Everything that decides what a run computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Of data, initial weights and order.
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

/// Settings that cannot be run.
#[derive(Debug, Error)]
pub enum RunConfigError {
    /// Not TOML, an unknown key, a value of another kind.
    #[error("{problem}")]
    Text {
        /// What is wrong, in one line.
        problem: String,
        /// Line and column, from 1.
        at: Option<(usize, usize)>,
    },
    /// The model's part.
    #[error(transparent)]
    Model(#[from] ConfigError),
    /// The task's part.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Each would do, but not both together.
    #[error(
        "task.sequences = {sequences} of model.n_ctx = {n_ctx} tokens each: more than {MAX_TOKENS} in all"
    )]
    TooMuchData {
        /// Sequences.
        sequences: usize,
        /// Tokens in each.
        n_ctx: usize,
    },
    /// A number out of range.
    #[error("train.{field} = {value}: must be {range}")]
    Range {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// More tokens in a data set would take gigabytes.
const MAX_TOKENS: usize = 1 << 28;

impl RunConfig {
    /// Refuses settings that are zero or absurd.
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
        let TrainConfig { epochs, batch_size, max_lr, weight_decay, checkpoint_every } = self.train;
        let whole = "a whole number from 1 to 1000000";
        for (field, value, good, range) in [
            ("epochs", epochs as f64, (1..=1_000_000).contains(&epochs), whole),
            ("batch_size", batch_size as f64, (1..=1_000_000).contains(&batch_size), whole),
            ("checkpoint_every", checkpoint_every as f64, (1..=1_000_000).contains(&checkpoint_every), whole),
            ("max_lr", max_lr, max_lr > 0.0 && max_lr <= 100.0, "above 0, at most 100"),
            ("weight_decay", weight_decay, (0.0..=100.0).contains(&weight_decay), "from 0 to 100"),
        ] {
            if !good {
                return Err(RunConfigError::Range { field, value, range });
            }
        }
        Ok(())
    }

    /// As TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a configuration is always representable")
    }

    /// `table.key = value` of every setting, in one order.
    pub(super) fn named(&self) -> Vec<String> {
        let mut table = String::new();
        let toml = self.to_toml();
        let settings = toml.lines().filter_map(|line| match line.strip_prefix('[') {
            Some(name) => {
                table = format!("{}.", name.trim_end_matches(']'));
                None
            }
            None => (!line.is_empty()).then(|| format!("{table}{line}")),
        });
        settings.collect()
    }

    /// The data.
    ///
    /// # Errors
    /// When there is no such task, or it does not fit the model.
    pub fn dataset(&self) -> Result<Dataset, TaskError> {
        self.task.dataset(self.model.shape(), self.seed)
    }

    /// Steps in an epoch: the notebook's 7.
    pub fn steps_per_epoch(&self) -> usize {
        self.task.train_len().div_ceil(self.train.batch_size)
    }

    /// Steps of the whole schedule: the notebook's 420.
    pub fn total_steps(&self) -> usize {
        self.steps_per_epoch() * self.train.epochs
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
    fn mistakes_are_told_in_words_of_the_file_with_their_place() {
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
            ("[train]\nwarmth = 2", (2, 1), "train.warmth: no such setting; there are epochs, batch_size"),
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
    fn a_byte_order_mark_and_the_models_settings_outside_their_table_are_taken() {
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
