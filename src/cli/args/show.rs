//! The grammar of `headcount show`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{EditArgs, KindArg, MeasuredArgs, PlaceArg};

/// Output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, rounded numbers
    #[default]
    Text,
    /// One panel as comma-separated values
    Csv,
    /// Panels, with definition and subject of each column
    Json,
    /// The measured columns as tensors
    Safetensors,
    /// The screen as a picture
    Svg,
}

#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// What to show: --list names them all; `curve`: another argument over the steps of a run
    #[arg(value_name = "QUESTION|PANEL|VIEW", required_unless_present = "list")]
    pub what: Option<String>,
    /// After `curve`: what to show over all kept snapshots of --run [default: the standing curves]
    #[arg(value_name = "QUESTION|PANEL")]
    pub curve: Option<String>,
    /// List every view, panel and question with its definition
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// One sequence, as `ablate` takes it [default: the first of the validation set]
    #[arg(long, value_name = "1,5,3,…|@FILE[:N]|@-")]
    pub tokens: Option<String>,
    /// The cursor's head
    #[arg(long, value_name = "LAYER.HEAD")]
    pub head: Option<PlaceArg>,
    /// The cursor's neuron
    #[arg(long, value_name = "LAYER.NEURON")]
    pub neuron: Option<PlaceArg>,
    /// The cursor's position, or query [default: the middle of the sequence, or the next with a target]
    #[arg(long, value_name = "N")]
    pub position: Option<usize>,
    /// Target of contributions: label, prediction, runner-up (label minus runner-up) or a class by its name
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Fold the layer norms into the weights first
    #[arg(long)]
    pub folded: bool,
    #[command(flatten)]
    pub edits: EditArgs,
    /// Replacement of the values of edited heads and neurons
    #[arg(long, value_enum, default_value_t)]
    pub kind: KindArg,
    /// Random sets to compare edited neurons with [default: 20, and 5 at each dose]
    #[arg(long, value_name = "N")]
    pub controls: Option<usize>,
    /// Subtract the same numbers of another subject
    #[arg(long, value_name = "step=N|tokens=T|weights=FILE|edits=none")]
    pub minus: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where to write; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
