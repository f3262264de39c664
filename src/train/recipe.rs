//! The training recipe: `[train]` of `config.toml`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config_error::RunConfigError;
use crate::model::{Initialization, LossDtype};

/// The optimiser, with PyTorch's update rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay.
    #[default]
    AdamW,
    /// Adam with weight decay added to the gradient.
    Adam,
    /// Gradient descent, optionally with momentum. The first moment is the velocity.
    Sgd,
}

/// The learning rate over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Smith & Topin's one-cycle policy, as in PyTorch's `OneCycleLR`; also moves beta1.
    #[default]
    OneCycle,
    /// `max_lr` after the warm-up.
    Constant,
    /// From `max_lr` to `final_lr`, linearly.
    Linear,
    /// From `max_lr` to `final_lr` along half a cosine.
    Cosine,
}

/// The learning rate after the original end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extend {
    /// Keeps the rate of the last step.
    Constant,
    /// Restarts at a tenth of `max_lr` and decays again to the rate of the last step.
    Decay,
}

/// One extension of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Steps of the run before the extension.
    pub from_step: usize,
    /// How the learning rate continues.
    pub schedule: Extend,
    /// The first learning rate.
    pub lr: f64,
    /// The last learning rate.
    pub final_lr: f64,
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_step, schedule, lr, final_lr } = self;
        write!(f, "extended at step {from_step}: learning rate ")?;
        match schedule {
            Extend::Constant => write!(f, "held at {lr:.3e}"),
            Extend::Decay => write!(f, "decays from {lr:.3e} to {final_lr:.3e}"),
        }
    }
}

/// The training recipe. The default is the notebook's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training sequences.
    pub epochs: usize,
    /// Total steps; if not 0, `epochs` is ignored.
    pub steps: usize,
    /// Sequences per step; the last step of an epoch takes the rest. 0: all of them, unshuffled.
    pub batch_size: usize,
    /// The optimiser.
    pub optimizer: OptimizerKind,
    /// Peak learning rate.
    pub max_lr: f64,
    /// The learning rate over the steps.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up to `max_lr`; not with `one_cycle`.
    pub warmup_steps: usize,
    /// The last learning rate of `linear` and `cosine`.
    pub final_lr: f64,
    /// Decay of the averages of the gradient and of its square; `one_cycle` sets the first itself.
    pub betas: [f64; 2],
    /// Momentum of `sgd`.
    pub momentum: f64,
    /// Applied to every parameter: decoupled (per unit of learning rate) with `adamw`, else added to the gradient.
    pub weight_decay: f64,
    /// The largest norm of the gradient: a longer one is scaled down to it. 0: any.
    pub clip_norm: f64,
    /// Initialisation of the weights.
    pub init: Initialization,
    /// Parameters that are not trained: TransformerLens names, `*` for any characters.
    pub frozen: Vec<String>,
    /// Precision of log-softmax and loss.
    pub loss_dtype: LossDtype,
    /// Steps between validations. 0: an epoch, or 100 steps if an epoch is a single step.
    pub validate_every: usize,
    /// Validation accuracy at which the run stops. 0: none.
    pub stop_accuracy: f64,
    /// Whether `weights.safetensors` has the weights of the lowest validation loss, and not the newest.
    pub keep_best: bool,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Extensions; written by `--resume` with more epochs or steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            epochs: 60,
            steps: 0,
            batch_size: 256,
            optimizer: OptimizerKind::default(),
            max_lr: 0.01,
            schedule: ScheduleKind::default(),
            warmup_steps: 0,
            final_lr: 0.0,
            betas: [0.9, 0.999],
            momentum: 0.0,
            weight_decay: 0.01,
            clip_norm: 0.0,
            init: Initialization::default(),
            frozen: Vec::new(),
            loss_dtype: LossDtype::default(),
            validate_every: 0,
            stop_accuracy: 0.0,
            keep_best: false,
            checkpoint_every: 70,
            extended: Vec::new(),
        }
    }
}

impl TrainConfig {
    /// Rejects settings that are out of range or would be ignored.
    pub(super) fn validate(&self) -> Result<(), RunConfigError> {
        self.in_range()?;
        self.consistent()
    }

    fn in_range(&self) -> Result<(), RunConfigError> {
        let whole = "a whole number from 1 to 1000000000";
        let counted = |count: usize, least: usize| (least..=1_000_000_000).contains(&count);
        let [beta1, beta2] = self.betas;
        let share = |x: f64| (0.0..1.0).contains(&x);
        for (field, value, good, range) in [
            ("epochs", self.epochs as f64, counted(self.epochs, usize::from(self.steps == 0)), whole),
            ("steps", self.steps as f64, counted(self.steps, 0), whole),
            ("batch_size", self.batch_size as f64, counted(self.batch_size, 0), whole),
            ("warmup_steps", self.warmup_steps as f64, counted(self.warmup_steps, 0), whole),
            ("validate_every", self.validate_every as f64, counted(self.validate_every, 0), whole),
            ("checkpoint_every", self.checkpoint_every as f64, counted(self.checkpoint_every, 1), whole),
            ("max_lr", self.max_lr, self.max_lr > 0.0 && self.max_lr <= 100.0, "above 0, at most 100"),
            ("final_lr", self.final_lr, (0.0..=self.max_lr).contains(&self.final_lr), "from 0 to max_lr"),
            ("betas[0]", beta1, share(beta1), "from 0 to below 1"),
            ("betas[1]", beta2, share(beta2), "from 0 to below 1"),
            ("momentum", self.momentum, share(self.momentum), "from 0 to below 1"),
            ("weight_decay", self.weight_decay, (0.0..=100.0).contains(&self.weight_decay), "from 0 to 100"),
            ("clip_norm", self.clip_norm, (0.0..=1e9).contains(&self.clip_norm), "from 0 to 1000000000"),
            ("stop_accuracy", self.stop_accuracy, (0.0..=1.0).contains(&self.stop_accuracy), "from 0 to 1"),
        ] {
            if !good {
                return Err(RunConfigError::Range { field, value, range });
            }
        }
        Ok(())
    }

    /// Rejects settings that would be ignored.
    fn consistent(&self) -> Result<(), RunConfigError> {
        let (plain, betas) = (Self::default(), self.betas.map(f64::to_bits));
        let one_cycle = self.schedule == ScheduleKind::OneCycle;
        let falls = matches!(self.schedule, ScheduleKind::Linear | ScheduleKind::Cosine);
        let sgd = self.optimizer == OptimizerKind::Sgd;
        for (field, value, unused, problem) in [
            (
                "warmup_steps",
                self.warmup_steps.to_string(),
                self.warmup_steps > 0 && one_cycle,
                "one_cycle has a warm-up of its own",
            ),
            (
                "final_lr",
                self.final_lr.to_string(),
                self.final_lr > 0.0 && !falls,
                "only linear and cosine schedules end at a rate of choice",
            ),
            (
                "betas",
                format!("{:?}", self.betas),
                betas != plain.betas.map(f64::to_bits) && sgd,
                "sgd has momentum instead",
            ),
            (
                "betas",
                format!("{:?}", self.betas),
                betas[0] != plain.betas[0].to_bits() && one_cycle,
                "one_cycle moves the first from 0.95 to 0.85 and back",
            ),
            ("momentum", self.momentum.to_string(), self.momentum > 0.0 && !sgd, "only sgd has it"),
        ] {
            if unused {
                return Err(RunConfigError::Unsuited { field, value, problem: problem.into() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_be_ignored_are_refused_by_name() {
        let refused = |text: &str| {
            let train: TrainConfig = toml::from_str(text).unwrap();
            train.validate().unwrap_err().to_string()
        };
        for (text, want) in [
            ("warmup_steps = 10", "train.warmup_steps = 10: one_cycle"),
            ("schedule = 'constant'\nfinal_lr = 0.001", "train.final_lr = 0.001: only linear"),
            ("optimizer = 'sgd'\nbetas = [0.9, 0.98]", "train.betas = [0.9, 0.98]: sgd"),
            ("betas = [0.8, 0.999]", "train.betas = [0.8, 0.999]: one_cycle"),
            ("momentum = 0.9", "train.momentum = 0.9: only sgd"),
            ("betas = [0.9, 1.0]", "train.betas[1] = 1: must be from 0 to below 1"),
            ("schedule = 'linear'\nfinal_lr = 0.1", "train.final_lr = 0.1: must be from 0 to max_lr"),
            ("epochs = 0", "train.epochs = 0: must be a whole number from 1"),
            ("clip_norm = -1.0", "train.clip_norm = -1: must be from 0"),
            ("stop_accuracy = 99.0", "train.stop_accuracy = 99: must be from 0 to 1"),
        ] {
            assert!(refused(text).starts_with(want), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn the_published_recipe_of_modular_addition_can_be_expressed() {
        let text = "optimizer = 'adamw'\nmax_lr = 0.001\nweight_decay = 1.0\nbetas = [0.9, 0.98]\n\
                    schedule = 'constant'\nwarmup_steps = 10\nsteps = 25000\nbatch_size = 0\n\
                    loss_dtype = 'f64'\ninit = 'progress_measures'\n\
                    frozen = ['blocks.*.attn.b_*', 'unembed.b_U']";
        toml::from_str::<TrainConfig>(text).unwrap().validate().unwrap();
    }
}
