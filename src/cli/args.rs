//! The grammar of the command line: names and options are a contract with scripts.

mod edits;
mod examples;
mod show;

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::version;
use crate::task::TargetRule;
use crate::term::Looks;
use crate::train::run_dir::WEIGHTS_FILE;
use crate::train::{DeviceChoice, Extend};

pub use edits::{AblateArgs, AblationKindArg, EditArgs, KindArg, PlaceArg};
pub use show::{Format, ShowArgs};

/// Train a small transformer and look inside it, in the terminal.
#[derive(Debug, Parser)]
#[command(version, long_version = version::long(), about, args_conflicts_with_subcommands = true)]
#[command(after_help = examples::EXPLORE)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub explore: ExploreArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train and explore on this terminal (the default)
    #[command(after_help = examples::EXPLORE)]
    Explore(ExploreArgs),
    /// Train without a screen
    #[command(after_help = examples::TRAIN)]
    Train(TrainArgs),
    /// Write numbers of a model to a file or to stdout
    #[command(after_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// Loss and accuracy over a set of sequences, by class and by position
    #[command(after_help = examples::EVAL)]
    Eval(EvalArgs),
    /// Switch neurons and heads off and compare
    #[command(after_help = examples::ABLATE)]
    Ablate(Box<AblateArgs>),
    /// Numbers of a view, a panel or a question, as the screen has them
    #[command(after_help = examples::SHOW)]
    Show(Box<ShowArgs>),
    /// What models can be trained for
    #[command(after_help = examples::TASKS)]
    Tasks(TasksArgs),
    /// Runs in a directory, and how far each is
    #[command(after_help = examples::RUNS)]
    Runs(RunsArgs),
    /// Completions of commands and options for a shell, on stdout
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// The manual page, on stdout
    #[command(after_help = examples::MAN)]
    Man,
}

/// Settings of model, task and training.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    /// What the model is trained for: `headcount tasks` lists the choices
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Settings of model, task and training; the task's recipe has the others
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A setting by its dotted name, as in the run's config.toml; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// A data set of one's own.
#[derive(Args, Clone, Debug, Default)]
pub struct DataArgs {
    /// Sequences with their targets: tensors `tokens`, `targets` (-100: not scored), `lengths` and `train`, or JSON lines
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    pub data: Option<PathBuf>,
    /// Targets that follow from the tokens of --data
    #[arg(long, value_name = "RULE", value_enum, requires = "data")]
    pub targets: Option<TargetsArg>,
}

impl DataArgs {
    /// The rule of the targets, if they follow from the tokens.
    pub fn rule(&self) -> Option<TargetRule> {
        self.targets.map(|TargetsArg::NextToken| TargetRule::NextToken)
    }
}

/// Targets that follow from tokens.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TargetsArg {
    /// The next token, none at the last position
    NextToken,
}

/// What decides a run's settings.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Run directory [default: runs/<task>-<seed>]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Seed of data, initial weights and order [default: 23]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Passes over the training data [default: 60]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Where to train: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
}

#[derive(Args, Clone, Debug, Default)]
pub struct ExploreArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Explore these weights, or those of a run's directory, without training
    #[arg(long, value_name = "FILE.safetensors", value_parser = weights_parser(), conflicts_with_all = ["run", "epochs"])]
    pub weights: Option<PathBuf>,
    #[command(flatten)]
    pub looks: Looks,
    /// Milliseconds until an Esc is a key: a slow line may hold up the rest of what an arrow sends
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub esc_delay: u64,
    /// Bytes a second for the frames that training alone asks for, of which one comes every four seconds in any case; 800 suits
    /// a line of 9,600 bit/s
    #[arg(long, value_name = "BYTES", default_value_t = 6144, value_parser = clap::value_parser!(u32).range(100..))]
    pub line_rate: u32,
}

#[derive(Args, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Stop after this step of the schedule that --epochs sets
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Go on from the newest checkpoint that is whole, or start if there is none; with more --epochs make the run longer
    #[arg(long)]
    pub resume: bool,
    /// Learning rate of a run made longer: hold the last one, or restart at a tenth of max_lr and decay to the last one
    /// again [default: decay where the schedule has decayed, else constant]
    #[arg(long, value_name = "HOW", requires = "resume", value_enum)]
    pub extend: Option<ExtendArg>,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
    /// Metrics on stdout, a line of JSON each
    #[arg(long)]
    pub json: bool,
}

/// How a run that is made longer goes on.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ExtendArg {
    Constant,
    Decay,
}

impl From<ExtendArg> for Extend {
    fn from(how: ExtendArg) -> Self {
        match how {
            ExtendArg::Constant => Self::Constant,
            ExtendArg::Decay => Self::Decay,
        }
    }
}

/// A file of weights; of a run's directory the one that its training ended with.
fn weights_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| if path.is_dir() { path.join(WEIGHTS_FILE) } else { path })
}

/// A model to look into.
#[derive(Args, Clone, Debug)]
pub struct WeightsArgs {
    /// Weights under TransformerLens' names, or the directory of a run
    #[arg(long, value_name = "FILE.safetensors", value_parser = weights_parser())]
    pub weights: PathBuf,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// A sequence to look at.
#[derive(Args, Clone, Debug)]
pub struct TokensArgs {
    /// One sequence: tokens separated by commas or white space, or those in FILE (`-`: standard input); @FILE:N is its line N
    #[arg(long, value_name = "1,5,3,…|@FILE[:N]|@-")]
    pub tokens: String,
}

/// Weights to measure, and the sequences to measure on.
#[derive(Args, Clone, Debug)]
pub struct MeasuredArgs {
    /// Weights under TransformerLens' names, or the directory of a run
    #[arg(long, value_name = "FILE.safetensors", value_parser = weights_parser(), conflicts_with = "run")]
    pub weights: Option<PathBuf>,
    /// A run, in place of --weights
    #[arg(long, value_name = "DIR", conflicts_with_all = ["task", "config", "set"])]
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
}

#[derive(Args, Debug)]
pub struct EvalArgs {
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// List class, position or both
    #[arg(long, value_name = "class,position", value_delimiter = ',')]
    pub by: Vec<String>,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct TasksArgs {
    /// This one alone
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// JSON on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct RunsArgs {
    /// Where to look: its subdirectories that are runs, and itself if it is one [default: runs]
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// JSON on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell to complete in
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Args, Debug)]
pub struct InspectArgs {
    #[command(subcommand)]
    pub what: Inspect,
}

#[derive(Debug, Subcommand)]
pub enum Inspect {
    /// Every activation of one sequence, under TransformerLens' hook names
    #[command(after_help = examples::CACHE)]
    Cache {
        #[command(flatten)]
        weights: WeightsArgs,
        #[command(flatten)]
        tokens: TokensArgs,
        /// Fold the layer norms into the weights first
        #[arg(long)]
        folded: bool,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// What each component adds to each logit: one [pos, vocab] tensor a component
    #[command(after_help = examples::ATTRIBUTION)]
    Attribution {
        #[command(flatten)]
        weights: WeightsArgs,
        #[command(flatten)]
        tokens: TokensArgs,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// Which tokens each head looks from and to, and what it writes: qk.L.H, ov_neuron.L.H, ov_logit.L.H
    #[command(after_help = examples::CIRCUITS)]
    Circuits {
        #[command(flatten)]
        weights: WeightsArgs,
        /// Fold the layer norms into the weights first
        #[arg(long)]
        folded: bool,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// For each token the neurons that track it, and what their loss costs beside random ones
    #[command(after_help = examples::TRACKERS)]
    Trackers {
        #[command(flatten)]
        weights: WeightsArgs,
        /// Neurons in a set, at the most
        #[arg(long, value_name = "N", default_value_t = 4)]
        top: usize,
        /// Random sets of like activity to compare with
        #[arg(long, value_name = "N", default_value_t = 5)]
        controls: usize,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// The weights with layer norms folded and centred
    #[command(after_help = examples::FOLD)]
    Fold {
        #[command(flatten)]
        weights: WeightsArgs,
        /// Centre the matrices that read a normalised vector, as later TransformerLens does
        #[arg(long)]
        center_reading: bool,
        /// Move what the value biases write into b_O, as later TransformerLens does
        #[arg(long)]
        fold_value_biases: bool,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// The parameter table
    #[command(after_help = examples::SUMMARY)]
    Summary {
        #[command(flatten)]
        weights: WeightsArgs,
    },
}
