//! The grammar of the command line: names and options are a contract with scripts.

mod edits;
mod examples;
mod patch;
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
pub use patch::{PatchArgs, Receiver};
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
    /// Measure loss and accuracy over a set of sequences, by class and by position
    #[command(after_help = examples::EVAL)]
    Eval(EvalArgs),
    /// Switch neurons and heads off and compare
    #[command(after_help = examples::ABLATE)]
    Ablate(Box<AblateArgs>),
    /// Put activations of one sequence into the pass of another, and measure what they do
    #[command(after_help = examples::PATCH)]
    Patch(Box<PatchArgs>),
    /// Write the numbers that a view, a panel or a question shows
    #[command(after_help = examples::SHOW)]
    Show(Box<ShowArgs>),
    /// List the tasks that models can be trained for
    #[command(after_help = examples::TASKS)]
    Tasks(TasksArgs),
    /// List the runs of a directory and their progress
    #[command(after_help = examples::RUNS)]
    Runs(RunsArgs),
    /// Write completions for a shell to stdout
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual page to stdout
    #[command(after_help = examples::MAN)]
    Man,
}

/// Settings of model, task and training.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    /// Task of the model; `headcount tasks` lists the choices
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Settings of model, task and training; missing ones come from the task's recipe
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A setting by its dotted name, as in the run's config.toml; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// The user's own data set.
#[derive(Args, Clone, Debug, Default)]
pub struct DataArgs {
    /// Sequences with their targets: tensors `tokens`, `targets` (-100: not scored), `lengths` and `train`, or JSON lines
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    pub data: Option<PathBuf>,
    /// Derive the targets from the tokens of --data
    #[arg(long, value_name = "RULE", value_enum, requires = "data")]
    pub targets: Option<TargetsArg>,
}

impl DataArgs {
    /// The rule, if targets are derived from the tokens.
    pub fn rule(&self) -> Option<TargetRule> {
        self.targets.map(|TargetsArg::NextToken| TargetRule::NextToken)
    }
}

/// Rule that derives targets from tokens.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TargetsArg {
    /// The next token; no target at the last position
    NextToken,
}

/// A run and its settings.
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
    /// Follow the weights that another program writes while training; the last number of a file's name is its step
    #[arg(long, value_name = "'DIR/step-*.safetensors'", conflicts_with_all = ["run", "weights", "epochs"])]
    pub watch: Option<String>,
    /// Losses of that program, as JSON lines or CSV: step, train_loss, val_loss, lr [default: metrics.jsonl or metrics.csv
    /// beside its weights]
    #[arg(long, value_name = "FILE", conflicts_with = "weights")]
    pub metrics: Option<PathBuf>,
    /// Start with these edits: a table [[edit]] for each
    #[arg(long, value_name = "FILE.toml")]
    pub edits: Option<PathBuf>,
    #[command(flatten)]
    pub looks: Looks,
    /// Milliseconds until an Esc byte counts as the Esc key: on a slow line the rest of an arrow key's sequence may be late
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub esc_delay: u64,
    /// Bytes per second for screen updates that training alone causes; at least one update is sent every four seconds. 800
    /// suits a line of 9,600 bit/s
    #[arg(long, value_name = "BYTES", default_value_t = 6144, value_parser = clap::value_parser!(u32).range(100..))]
    pub line_rate: u32,
}

#[derive(Args, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Stop after this step, and leave the schedule as --epochs sets it
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Resume from the newest intact checkpoint, or start if there is none; with more --epochs extend the run
    #[arg(long)]
    pub resume: bool,
    /// Learning rate of an extended run: hold the last rate, or restart at a tenth of max_lr and decay to the last rate
    /// again [default: decay if the schedule has decayed, else constant]
    #[arg(long, value_name = "HOW", requires = "resume", value_enum)]
    pub extend: Option<ExtendArg>,
    /// Print no progress
    #[arg(long)]
    pub quiet: bool,
    /// Write metrics to stdout, one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Learning rate of an extended run.
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

/// Accepts a weights file, or a run directory in place of its `weights.safetensors`.
fn weights_parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| if path.is_dir() { path.join(WEIGHTS_FILE) } else { path })
}

/// A model to inspect.
#[derive(Args, Clone, Debug)]
pub struct WeightsArgs {
    /// Weights under TransformerLens' names, or the directory of a run
    #[arg(long, value_name = "FILE.safetensors", value_parser = weights_parser(), required_unless_present = "run")]
    pub weights: Option<PathBuf>,
    /// A run, in place of --weights
    #[arg(long, value_name = "DIR", conflicts_with_all = ["weights", "task", "config", "set"])]
    pub run: Option<PathBuf>,
    /// Use the run's kept weights nearest to this step [default: the newest]
    #[arg(long, value_name = "N", requires = "run")]
    pub step: Option<usize>,
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// A sequence to inspect.
#[derive(Args, Clone, Debug)]
pub struct TokensArgs {
    /// One sequence: tokens separated by commas or white space, or read from FILE (`-`: standard input); @FILE:N reads line N
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
    /// Use the run's kept weights nearest to this step [default: the newest]
    #[arg(long, value_name = "N", requires = "run")]
    pub step: Option<usize>,
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub data: DataArgs,
    /// Seed of the task's data [default: that of the run that contains the weights, else 23]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

#[derive(Args, Debug)]
pub struct EvalArgs {
    #[command(flatten)]
    pub measured: MeasuredArgs,
    /// Measure under these edits: a table [[edit]] for each
    #[arg(long, value_name = "FILE.toml")]
    pub edits: Option<PathBuf>,
    /// Also list by class, by position or by a situation of the task, such as majority's lead
    #[arg(long, value_name = "class,position", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Write one JSON object to stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct TasksArgs {
    /// Show only this task
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct RunsArgs {
    /// Directory of runs, or a single run [default: runs]
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Shell to complete for
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
        /// Edits of activations: a table [[edit]] for each
        #[arg(long, value_name = "FILE.toml")]
        edits: Option<PathBuf>,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// Contribution of each component to each logit: one [pos, vocab] tensor per component
    #[command(after_help = examples::ATTRIBUTION)]
    Attribution {
        #[command(flatten)]
        weights: WeightsArgs,
        #[command(flatten)]
        tokens: TokensArgs,
        /// Edits of activations: a table [[edit]] for each
        #[arg(long, value_name = "FILE.toml")]
        edits: Option<PathBuf>,
        /// Where to write; `-` is standard output
        #[arg(long, value_name = "FILE.safetensors")]
        out: PathBuf,
    },
    /// Each head's QK circuit, and OV circuits to neurons and to logits: qk.L.H, ov_neuron.L.H, ov_logit.L.H
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
    /// Neurons that track each token, and the effect of ablating them, beside random neurons
    #[command(after_help = examples::TRACKERS)]
    Trackers {
        #[command(flatten)]
        weights: WeightsArgs,
        /// Most neurons per token
        #[arg(long, value_name = "N", default_value_t = 4)]
        top: usize,
        /// Random sets of similar activity to compare with
        #[arg(long, value_name = "N", default_value_t = 20)]
        controls: usize,
        /// Draw the random sets from any neurons, other classes' trackers included
        #[arg(long)]
        any_neurons: bool,
        /// Write JSON to stdout
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
        /// Move the output of the value biases into b_O, as later TransformerLens does
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
