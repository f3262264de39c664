//! The grammar of `headcount show`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DataArgs, EditArgs, KindArg, PlaceArg, SettingsArgs, weights_parser};

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person, rounded
    #[default]
    Text,
    /// One panel, a row a line
    Csv,
    /// Panels with what each column means and is of
    Json,
    /// The measured columns as tensors
    Safetensors,
    /// The screen as a picture
    Svg,
}

#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// What to show: --list names them all
    #[arg(value_name = "QUESTION|PANEL|VIEW", required_unless_present = "list")]
    pub what: Option<String>,
    /// Every view, panel and question with its definition
    #[arg(long)]
    pub list: bool,
    /// Weights under TransformerLens' names, or the directory of a run
    #[arg(long, value_name = "FILE.safetensors", value_parser = weights_parser(), conflicts_with = "run")]
    pub weights: Option<PathBuf>,
    /// A run, with its metrics and kept weights
    #[arg(long, value_name = "DIR", conflicts_with_all = ["task", "config", "set", "seed"])]
    pub run: Option<PathBuf>,
    /// The kept weights of the run nearest to this step [default: the newest]
    #[arg(long, value_name = "N", requires = "run")]
    pub step: Option<usize>,
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Seed of the task's data [default: the run's that the weights lie in, else 23]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// One sequence, as `ablate` takes it [default: the first of the validation set]
    #[arg(long, value_name = "1,5,3,…|@FILE[:N]|@-")]
    pub tokens: Option<String>,
    /// The cursor's head
    #[arg(long, value_name = "LAYER.HEAD")]
    pub head: Option<PlaceArg>,
    /// The cursor's neuron
    #[arg(long, value_name = "LAYER.NEURON")]
    pub neuron: Option<PlaceArg>,
    /// The cursor's position, or query [default: the middle of the sequence]
    #[arg(long, value_name = "N")]
    pub position: Option<usize>,
    /// What contributions are to: label, prediction, runner-up (label minus runner-up) or a class by its name
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Fold the layer norms into the weights first
    #[arg(long)]
    pub folded: bool,
    #[command(flatten)]
    pub edits: EditArgs,
    /// What edited heads and neurons become
    #[arg(long, value_enum, default_value_t)]
    pub kind: KindArg,
    /// Random sets that edited neurons are compared with
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub controls: usize,
    /// Subtract the same numbers of another subject
    #[arg(long, value_name = "step=N|tokens=T|weights=FILE|edits=none")]
    pub minus: Option<String>,
    /// How the numbers are written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where to write; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
