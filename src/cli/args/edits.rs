//! The grammar of edits, and of `headcount ablate`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::MeasuredArgs;
use crate::model::{AblationKind, PatternKind};

/// What edited values become on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// 0
    #[default]
    Zero,
    /// Their mean over the sequences and positions of the validation set
    Mean,
}

/// What ablated values become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AblationKindArg {
    /// 0
    #[default]
    Zero,
    /// Their mean over the sequences and positions of --mean-over
    Mean,
    /// Their mean over the sequences of --mean-over at each position, rows with their padding
    MeanPosition,
    /// Their values in another sequence of --mean-over, drawn by --seed
    Resample,
}

impl AblationKindArg {
    /// Its name in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Mean => "mean",
            Self::MeanPosition => "mean-position",
            Self::Resample => "resample",
        }
    }
}

impl From<KindArg> for AblationKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Zero => Self::Zero,
            KindArg::Mean => Self::Mean,
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

/// A pattern to attend with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatternArg {
    /// Every key up to the query alike
    Uniform,
    /// The query itself
    Identity,
    /// The key before the query
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

/// What is switched off or replaced.
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
    /// The layer of those that are given by number alone
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub layer: usize,
}

impl EditArgs {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.neurons.is_empty() && self.heads.is_empty() && self.pattern.is_none()
    }
}

#[derive(Args, Debug)]
pub struct AblateArgs {
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// One sequence, in place of a set: tokens separated by commas or white space, or those in FILE; @FILE:N is its line N
    #[arg(long, value_name = "1,5,3,…|@FILE[:N]|@-")]
    pub tokens: Option<String>,
    #[command(flatten)]
    pub edits: EditArgs,
    /// What they become
    #[arg(long, value_enum, default_value_t)]
    pub kind: AblationKindArg,
    /// At these positions alone: numbers, ranges, and wherever a token is
    #[arg(long, value_name = "3,5-9,token=7")]
    pub positions: Option<String>,
    /// Sequences for the mean over sequences and positions, or at each position [default: --data, or the validation set]
    #[arg(long, value_name = "FILE")]
    pub mean_over: Option<PathBuf>,
    /// Fold the layer norms into the weights first
    #[arg(long)]
    pub folded: bool,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}
