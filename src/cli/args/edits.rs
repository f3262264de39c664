//! The grammar of edits, and of `headcount ablate`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::MeasuredArgs;
use crate::model::{AblationKind, PatternKind};

/// Replacement of edited values on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// 0
    #[default]
    Zero,
    /// Mean over the sequences and positions of the validation set
    Mean,
    /// Mean at each position over the sequences of the validation set that have it
    MeanPosition,
    /// Values of another validation sequence, drawn by the seed
    Resample,
}

/// Replacement of ablated values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AblationKindArg {
    /// 0
    #[default]
    Zero,
    /// Mean over the sequences and positions of --mean-over
    Mean,
    /// Mean at each position over the sequences of --mean-over, padding included
    MeanPosition,
    /// Values of another sequence of --mean-over, drawn by --seed
    Resample,
}

impl From<AblationKindArg> for AblationKind {
    fn from(kind: AblationKindArg) -> Self {
        match kind {
            AblationKindArg::Zero => Self::Zero,
            AblationKindArg::Mean => Self::Mean,
            AblationKindArg::MeanPosition => Self::MeanPosition,
            AblationKindArg::Resample => Self::Resample,
        }
    }
}

impl From<KindArg> for AblationKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Zero => Self::Zero,
            KindArg::Mean => Self::Mean,
            KindArg::MeanPosition => Self::MeanPosition,
            KindArg::Resample => Self::Resample,
        }
    }
}

/// A head or neuron: `NUMBER`, in a layer given elsewhere, or `LAYER.NUMBER`.
#[derive(Clone, Copy, Debug)]
pub struct PlaceArg {
    pub layer: Option<usize>,
    pub number: usize,
}

impl FromStr for PlaceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = |word: &str| word.parse().map_err(|_| "neither NUMBER nor LAYER.NUMBER".to_owned());
        let (layer, number) = match text.trim().split_once('.') {
            Some((layer, number)) => (Some(whole(layer)?), number),
            None => (None, text.trim()),
        };
        Ok(Self { layer, number: whole(number)? })
    }
}

/// An attention pattern in place of the model's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatternArg {
    /// Equal attention to every key that the query sees
    Uniform,
    /// Attention to the query's own position only
    Identity,
    /// Attention to the previous position only
    Previous,
}

impl From<PatternArg> for PatternKind {
    fn from(pattern: PatternArg) -> Self {
        match pattern {
            PatternArg::Uniform => Self::Uniform,
            PatternArg::Identity => Self::Identity,
            PatternArg::Previous => Self::Previous,
        }
    }
}

/// The edits.
#[derive(Args, Clone, Debug, Default)]
pub struct EditArgs {
    /// Neurons to switch off: by number in --layer, or as LAYER.NEURON
    #[arg(long, value_name = "93,103,1.5,…", value_delimiter = ',')]
    pub neurons: Vec<PlaceArg>,
    /// Heads to switch off: by number in --layer, or as LAYER.HEAD
    #[arg(long, value_name = "0,1,1.0,…", value_delimiter = ',')]
    pub heads: Vec<PlaceArg>,
    /// Attend with this pattern instead of the model's own
    #[arg(long, value_enum, value_name = "PATTERN")]
    pub pattern: Option<PatternArg>,
    /// Heads whose pattern is replaced [default: all of the layer]
    #[arg(long, value_name = "0,1.0,…", value_delimiter = ',', requires = "pattern")]
    pub pattern_heads: Vec<PlaceArg>,
    /// Layer of the heads and neurons given by number alone
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub layer: usize,
    /// More edits, of any activation: a table [[edit]] for each
    #[arg(long, value_name = "FILE.toml")]
    pub edits: Option<PathBuf>,
}

impl EditArgs {
    /// Whether there are no edits.
    pub fn is_empty(&self) -> bool {
        self.neurons.is_empty() && self.heads.is_empty() && self.pattern.is_none() && self.edits.is_none()
    }
}

#[derive(Args, Debug)]
pub struct AblateArgs {
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// One sequence, in place of a set: tokens separated by commas or white space, or read from FILE (`-`: standard input);
    /// @FILE:N reads line N
    #[arg(long, value_name = "1,5,3,…|@FILE[:N]|@-")]
    pub tokens: Option<String>,
    #[command(flatten)]
    pub edits: EditArgs,
    /// Replacement of the ablated values
    #[arg(long, value_enum, default_value_t)]
    pub kind: AblationKindArg,
    /// Multiply the values by each of these instead, and list loss and accuracy of each: a dose-response curve
    #[arg(
        long,
        value_name = "0,0.5,2,…",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with = "value"
    )]
    pub scale: Vec<f32>,
    /// Set the values to each of these instead, and list loss and accuracy of each
    #[arg(long, value_name = "0,1,4,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub value: Vec<f32>,
    /// Random sets of neurons beside each dose
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub controls: usize,
    /// Ablate only at these positions: numbers, ranges, and the positions of a token
    #[arg(long, value_name = "3,5-9,token=7")]
    pub positions: Option<String>,
    /// Sequences of the means (over sequences and positions, or at each position) and of resample [default: --data, else the validation set]
    #[arg(long, value_name = "FILE")]
    pub mean_over: Option<PathBuf>,
    /// Fold the layer norms into the weights first
    #[arg(long)]
    pub folded: bool,
    /// Write one JSON object to stdout
    #[arg(long)]
    pub json: bool,
}
