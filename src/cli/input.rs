//! What the commands read, checked against the model.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::tensor::Dtype;

use super::args::{RunArgs, SettingsArgs, TokensArgs, WeightsArgs};
use super::{Failure, say};
use crate::model::weights_file::{Container, read_bounded};
use crate::model::{ModelConfig, Opened, Weights, read_weights};
use crate::task::{Dataset, Task, Token, unlabelled};
use crate::train::run_dir::{self, read_config, read_settings, refuse_contradictions};
use crate::train::{Extend, FileError, RunConfig, RunConfigError, Settings};

/// No sequence that a model takes is longer in print.
const MAX_TOKENS_FILE: u64 = 1 << 20;

/// Opens weights; what is odd about them is said on stderr.
pub fn weights(args: &WeightsArgs) -> Result<Weights, Failure> {
    Ok(opened(args)?.weights)
}

/// As [`weights`], with what else the file says.
pub fn opened(args: &WeightsArgs) -> Result<Opened, Failure> {
    let opened = completed(&args.weights, &args.settings)?;
    opened.notes.iter().for_each(|note| say(&format!("headcount: {}: {note}", args.weights.display())));
    Ok(opened)
}

/// Opens weights, their settings completed by those said.
pub fn completed(weights: &Path, args: &SettingsArgs) -> Result<Opened, Failure> {
    let place = args.config.as_ref().map_or("--set".into(), |path| path.display().to_string());
    let given = said(args)?.model(&place);
    Ok(read_weights(weights, Some(&given))?)
}

/// The file that `--tokens` names, and the line in it.
pub fn tokens_file(args: &TokensArgs) -> Option<(&Path, Option<&str>)> {
    let name = args.tokens.strip_prefix('@')?;
    let is_number = |line: &str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let split = name.rsplit_once(':').filter(|(_, line)| is_number(line) && !Path::new(name).exists());
    Some(split.map_or((Path::new(name), None), |(file, line)| (Path::new(file), Some(line))))
}

/// Reads `--tokens` and checks every token against the model.
pub fn tokens(args: &TokensArgs, config: &ModelConfig) -> Result<Vec<Token>, Failure> {
    let usage = |place: &str, problem: String| Failure::Usage(format!("{place}: {problem}"));
    let file = tokens_file(args);
    let place = file.map_or("--tokens".into(), |_| format!("--tokens {}", args.tokens));
    let text = file.map_or(Ok(args.tokens.clone()), |(path, _)| read_tokens(path))?;
    let sequence = one_sequence(&text, file.and_then(|(_, line)| line), args);
    let words = sequence.and_then(words).map_err(|problem| usage(&place, problem))?;
    let token = |(position, word): (usize, &str)| {
        let token: usize = word
            .parse()
            .map_err(|_| usage(&place, format!("`{word}` at position {position} is not a token")))?;
        let last = config.d_vocab - 1;
        let outside =
            || usage(&place, format!("token {token} at position {position}: the model's are 0 to {last}"));
        if token > last { Err(outside()) } else { Ok(token as Token) }
    };
    let tokens = words.into_iter().enumerate().map(token).collect::<Result<Vec<_>, _>>()?;
    match tokens.len() {
        0 => Err(usage(&place, "no tokens".into())),
        n if n > config.n_ctx => {
            Err(usage(&place, format!("{n} tokens: the model takes at most {}", config.n_ctx)))
        }
        _ => Ok(tokens),
    }
}

/// The text of a file, or of standard input.
fn read_tokens(path: &Path) -> Result<String, Failure> {
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(FileError::at("open", path))?)
    };
    let mut text = String::new();
    source.take(MAX_TOKENS_FILE + 1).read_to_string(&mut text).map_err(FileError::at("read", path))?;
    if text.len() as u64 > MAX_TOKENS_FILE {
        return Err(Failure::Failed(format!("{}: longer than {MAX_TOKENS_FILE} bytes", path.display())));
    }
    // The mark that some editors put at the start of a file.
    Ok(text.trim_start_matches('\u{feff}').into())
}

/// The one sequence that is meant: a line is a sequence, or the whole if no line has more than one token.
fn one_sequence<'a>(text: &'a str, line: Option<&str>, args: &TokensArgs) -> Result<&'a str, String> {
    let has_tokens = |line: &&str| line.contains(|c: char| c != ',' && !c.is_whitespace());
    if let Some(line) = line {
        let chosen = line.parse().ok().and_then(|n: usize| text.lines().nth(n.checked_sub(1)?));
        return chosen
            .filter(has_tokens)
            .ok_or_else(|| format!("no sequence in line {line} of {}", text.lines().count()));
    }
    let count = text.lines().filter(has_tokens).count();
    let is_column = text
        .lines()
        .all(|line| line.trim().trim_end_matches(',').parse::<usize>().is_ok() || line.trim().is_empty());
    match args.tokens.strip_prefix('@') {
        _ if count <= 1 || is_column => Ok(text),
        None => Err(format!("{count} lines: give one sequence")),
        Some(_) => {
            Err(format!("{count} sequences, one a line: choose one by its line, as {}:1", args.tokens))
        }
    }
}

/// What stands between commas or white space. A comma separates two tokens; at the end of a line it may be the last.
fn words(text: &str) -> Result<Vec<&str>, String> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut parts = line.split(',').peekable();
        while let Some(part) = parts.next() {
            if part.trim().is_empty() && parts.peek().is_some() {
                return Err(format!("no token before a comma, at position {}", words.len()));
            }
            words.extend(part.split_whitespace());
        }
    }
    Ok(words)
}

/// Sequences to average over: the tensor `tokens`, `[sequences, pos]`, of a safetensors file.
pub fn sequences(path: &Path, config: &ModelConfig) -> Result<Dataset, Failure> {
    let bytes = read_bounded(path)?;
    let invalid = |problem: String| Failure::Failed(format!("{}: {problem}", path.display()));
    let unfit = |problem: String| Failure::Usage(format!("{}: {problem}", path.display()));
    let file = Container::parse(&bytes).map_err(|problem| invalid(problem.to_string()))?;
    let tensor = file.tensors.get("tokens").ok_or_else(|| invalid("no tensor `tokens`".into()))?;
    let &[_, len] = tensor.shape() else {
        return Err(invalid(format!("`tokens` has shape {:?}, not [sequences, positions]", tensor.shape())));
    };
    let width = match tensor.dtype() {
        Dtype::U8 => 1,
        Dtype::I32 => 4,
        Dtype::I64 => 8,
        other => return Err(invalid(format!("`tokens` is {other:?}, not U8, I32 or I64"))),
    };
    if len == 0 || len > config.n_ctx || tensor.data().is_empty() {
        return Err(unfit(format!(
            "`tokens` has shape {:?}: the model takes 1 to {} positions",
            tensor.shape(),
            config.n_ctx
        )));
    }
    let tokens = tensor.data().chunks_exact(width).map(|bytes| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(wide))
            .ok()
            .filter(|&token| token < config.d_vocab)
            .map(|token| token as Token)
    });
    let tokens: Option<Vec<Token>> = tokens.collect();
    let tokens =
        tokens.ok_or_else(|| unfit(format!("`tokens` holds one outside 0 to {}", config.d_vocab - 1)))?;
    let sequences: Vec<Vec<Token>> = tokens.chunks(len).map(<[Token]>::to_vec).collect();
    Ok(Dataset::from_sequences(unlabelled(config.shape()), &sequences))
}

/// The settings of the run that weights belong to: those said, then those of the run that the file lies in, then those of
/// the task's recipe.
pub fn settings_of(weights: &Path, args: &SettingsArgs, model: &ModelConfig) -> Result<RunConfig, Failure> {
    let said = said(args)?;
    let invalid = |error: RunConfigError| match &args.config {
        Some(path) => Failure::Usage(format!("{}: {error}", path.display())),
        None => Failure::Usage(error.to_string()),
    };
    let around =
        run_around(weights, model).filter(|run| said.task().is_none_or(|task| task == run.task.name));
    let run = around.map_or_else(|| said.run(), |run| said.over(&run)).map_err(invalid)?;
    let run = RunConfig { model: model.clone(), ..run };
    // A task that nobody named need not be that of these weights.
    if said.task().is_some() || run.task.task(model.shape()).is_ok() {
        run.validate().map_err(invalid)?;
    }
    Ok(run)
}

/// The settings of the run that a file of weights lies in, whatever name or link leads to it, or of the one that a link
/// to it lies in, if they are of this model.
fn run_around(weights: &Path, model: &ModelConfig) -> Option<RunConfig> {
    let absolute = [weights.canonicalize(), std::path::absolute(weights)];
    let folders = absolute.iter().flatten().flat_map(|path| path.ancestors().skip(1).take(2));
    let fits = |config: &RunConfig| config.model.shape() == model.shape();
    let mut configs = folders.filter_map(|folder| read_config(&folder.join("config.toml")).ok());
    configs.find(fits)
}

/// The task that weights were trained for, as far as the run that they lie in tells; without labels where it does not fit.
pub fn task_of(run: &RunConfig) -> Arc<dyn Task> {
    run.task.task(run.model.shape()).unwrap_or_else(|_| unlabelled(run.model.shape()))
}

/// The data of that task.
pub fn dataset_of(run: &RunConfig) -> Dataset {
    Dataset::generate(task_of(run), &run.task, run.seed)
}

/// A run directory and the settings asked for, with what is there already.
pub struct Requested {
    /// The directory.
    pub path: PathBuf,
    /// The settings: those of the run found there where none are given.
    pub config: RunConfig,
    /// Whether a run was found there.
    pub found: bool,
}

/// What may become of the length of a run.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// It stays.
    Fixed,
    /// More steps make the run longer, in the way that is given, else in the one that suits the end of its schedule.
    Extensible(Option<Extend>),
}

/// Settles where a run lives and with which settings: `--seed` and `--epochs` override `--set`, which overrides `--config`,
/// which overrides the run's own, or the task's recipe where there is no run yet. `length` says whether a run found there
/// may be made longer.
pub fn requested(args: &RunArgs, length: Length) -> Result<Requested, Failure> {
    args.device.check()?;
    let SettingsArgs { task, config, set } = &args.settings;
    if let Some(path) = config.as_deref().filter(|_| task.is_none() && set.is_empty()) {
        // A file by itself must be a run: a mistake is told with its place.
        read_config(path)?;
    }
    let said = said(&args.settings)?;
    let RunConfig { seed, task, .. } = RunConfig::default();
    let (seed, task) =
        (args.seed.or(said.seed()).unwrap_or(seed), said.task().unwrap_or(&task.name).to_owned());
    let path = args.run.clone().unwrap_or_else(|| Path::new("runs").join(format!("{task}-{seed}")));
    let found = run_dir::settings_of(&path)?;
    let is_this = |found: &&RunConfig| said.task().is_none_or(|task| task == found.task.name);
    let goes_on = found.as_ref().filter(|_| args.settings.config.is_none()).filter(is_this);
    let config = goes_on.map_or_else(|| said.run(), |found| said.over(found));
    let usage = |error: RunConfigError| Failure::Usage(error.to_string());
    let mut config = config.map_err(usage)?;
    config.model = config.model.canonical();
    config.seed = args.seed.unwrap_or(config.seed);
    if let Some(epochs) = args.epochs {
        (config.train.epochs, config.train.steps) = (epochs, 0);
    }
    config.validate().map_err(usage)?;
    if let Some(theirs) = &found {
        if config.train.extended.is_empty() {
            config.train.extended.clone_from(&theirs.train.extended);
        }
        let longer = match length {
            Length::Fixed => None,
            Length::Extensible(how) => theirs.extended_to(&config, how),
        };
        match longer {
            Some(longer) => config = longer,
            None => refuse_contradictions(&path, theirs, &config)?,
        }
    }
    Ok(Requested { path, config, found: found.is_some() })
}

/// What the command line says of model, task and training.
pub fn said(args: &SettingsArgs) -> Result<Settings, Failure> {
    let mut said = args.config.as_deref().map(read_settings).transpose()?.unwrap_or_default();
    let task = args.task.as_ref().map(|task| format!("task.name={task:?}"));
    for assignment in args.set.iter().chain(&task) {
        said.set(assignment).map_err(|error| Failure::Usage(format!("--set {assignment}: {error}")))?;
    }
    Ok(said)
}
