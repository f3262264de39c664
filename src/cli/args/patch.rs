//! The grammar of `headcount patch`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::MeasuredArgs;
use crate::analysis::patching::{By, Direction, Metric};
use crate::model::Hook;

/// Parses one of some values by its name.
fn one_of<T: Copy + Send + Sync>(
    all: &'static [T],
    name: fn(&T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let unknown = || clap::Error::new(clap::error::ErrorKind::InvalidValue);
    PossibleValuesParser::new(all.iter().map(name))
        .try_map(move |word| all.iter().find(|one| name(one) == word).copied().ok_or_else(unknown))
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The logits.
    Logits,
    /// A hook.
    Hook(Hook),
}

impl Receiver {
    const ALL: &[Self] = &[
        Self::Logits,
        Self::Hook(Hook::Q),
        Self::Hook(Hook::K),
        Self::Hook(Hook::V),
        Self::Hook(Hook::MlpOut),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::Hook(hook) => hook.site(),
        }
    }
}

#[derive(Args, Debug)]
pub struct PatchArgs {
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// The sequence with the answer: tokens separated by commas, or @FILE[:N]
    #[arg(long, value_name = "TOKENS", requires = "corrupted", conflicts_with = "data")]
    pub clean: Option<String>,
    /// A sequence of the same length with another answer
    #[arg(long, value_name = "TOKENS", requires = "clean")]
    pub corrupted: Option<String>,
    /// The activation to patch, by TransformerLens' name without `hook_`
    #[arg(long, value_parser = one_of(&Hook::ALL, |hook| hook.site()), default_value = "z", conflicts_with_all = ["from", "to"])]
    pub site: Hook,
    /// What each cell replaces: one head or neuron, one position, or both [default: head where there are heads, else position]
    #[arg(long, value_parser = one_of(By::ALL, |by| by.name()), conflicts_with_all = ["from", "to"])]
    pub by: Option<By>,
    /// Where the answer is read [default: the last position with a target, else the last]
    #[arg(long, value_name = "P")]
    pub position: Option<usize>,
    /// The logit of --answer minus that of --wrong; the cross-entropy, in nats, or the probability of --answer
    #[arg(long, value_parser = one_of(Metric::ALL, |metric| metric.name()), default_value = "logit-diff")]
    pub metric: Metric,
    /// Class of the clean sequence [default: its target at the position, else the prediction]
    #[arg(long, value_name = "CLASS")]
    pub answer: Option<String>,
    /// Class of the corrupted sequence [default: its target at the position, else the prediction]
    #[arg(long, value_name = "CLASS")]
    pub wrong: Option<String>,
    /// Clean activations into the corrupted run, or corrupted ones into the clean run
    #[arg(long, value_parser = one_of(Direction::ALL, |direction| direction.name()), default_value = "denoise")]
    pub direction: Direction,
    /// Show where each value lies between the corrupted run, 0, and the clean one, 1
    #[arg(long)]
    pub normalize: bool,
    /// Edit both runs: a table [[edit]] for each
    #[arg(long, value_name = "FILE.toml")]
    pub edits: Option<PathBuf>,
    /// Path patching: what sends; all other heads keep the values of the receiving run
    #[arg(long, value_parser = one_of(&[Hook::Z, Hook::MlpOut], |hook| hook.site()), value_name = "SITE", requires = "to")]
    pub from: Option<Hook>,
    /// Path patching: what receives
    #[arg(long, value_parser = one_of(Receiver::ALL, |to| to.name()), value_name = "SITE", requires = "from")]
    pub to: Option<Receiver>,
    /// Run the MLPs between sender and receiver again, instead of keeping their output
    #[arg(long, requires = "from")]
    pub recompute_mlps: bool,
    /// Write one JSON object to stdout
    #[arg(long)]
    pub json: bool,
    /// Write the grid as a tensor `values`
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "json")]
    pub out: Option<PathBuf>,
}
