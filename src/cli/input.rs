//! The input of the commands, checked against the model.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{DataArgs, RunArgs, SettingsArgs, TokensArgs, WeightsArgs};
use super::{Failure, say};
use crate::model::weights_file::{OUTPUTS_KEY, TASK_KEY, VOCABULARY_KEY, metadata_of};
use crate::model::{ModelConfig, Opened, read_weights};
use crate::task::{
    DataSource, Dataset, TargetRule, Task, Token, UNLABELLED, Vocabulary, unlabelled, unlabelled_named,
};
use crate::train::run_dir::{self, read_config, read_settings, refuse_contradictions};
use crate::train::{
    DataError, DataFile, Extend, FileError, RunConfig, RunConfigError, RunMetadata, Settings,
};

/// Longest text of a sequence that a model accepts.
const MAX_TOKENS_FILE: u64 = 1 << 20;

/// Opens weights, a file or those of a run, and their step; warnings go to stderr.
pub fn weights(args: &WeightsArgs) -> Result<(PathBuf, Option<usize>, Opened), Failure> {
    let (file, step) = file_of(args)?;
    if let (Some(run), Some(step)) = (&args.run, step) {
        say(&format!("headcount: step {step} of {}", run.display()));
    }
    let opened = opened(&file, &args.settings)?;
    Ok((file, step, opened))
}

/// The weights file, or the run's file nearest to the step, and that step.
pub fn file_of(args: &WeightsArgs) -> Result<(PathBuf, Option<usize>), Failure> {
    match (&args.weights, &args.run) {
        (Some(file), _) => Ok((file.clone(), None)),
        (None, Some(run)) => {
            let nothing =
                || Failure::Usage(format!("--run {}: no run with a checkpoint is there", run.display()));
            let (step, file) = run_dir::nearest_file(run, args.step)?.ok_or_else(nothing)?;
            Ok((file, Some(step)))
        }
        (None, None) => Err(Failure::Usage("give --weights FILE or --run DIR".into())),
    }
}

/// Like [`weights`], with the other contents of the file.
pub fn opened(weights: &Path, settings: &SettingsArgs) -> Result<Opened, Failure> {
    let opened = completed(weights, settings)?;
    opened.notes.iter().for_each(|note| say(&format!("headcount: {}: {note}", weights.display())));
    Ok(opened)
}

/// Opens weights; `args` complete their settings.
pub fn completed(weights: &Path, args: &SettingsArgs) -> Result<Opened, Failure> {
    let place = args.config.as_ref().map_or("--set".into(), |path| path.display().to_string());
    let given = said(args)?.model(&place);
    Ok(read_weights(weights, Some(&given))?)
}

/// The file of `--tokens`, and the line in it.
pub fn tokens_file(args: &TokensArgs) -> Option<(&Path, Option<&str>)> {
    let name = args.tokens.strip_prefix('@')?;
    let is_number = |line: &str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let split = name.rsplit_once(':').filter(|(_, line)| is_number(line) && !Path::new(name).exists());
    Some(split.map_or((Path::new(name), None), |(file, line)| (Path::new(file), Some(line))))
}

/// Reads `--tokens`, by name or by number, and checks every token against the model.
pub fn tokens(args: &TokensArgs, config: &ModelConfig, names: &Vocabulary) -> Result<Vec<Token>, Failure> {
    tokens_of("--tokens", args, config, names)
}

/// Reads a sequence given with an option like `--tokens`.
pub fn tokens_of(
    option: &str,
    args: &TokensArgs,
    config: &ModelConfig,
    names: &Vocabulary,
) -> Result<Vec<Token>, Failure> {
    let usage = |place: &str, problem: String| Failure::Usage(format!("{place}: {problem}"));
    let file = tokens_file(args);
    let place = file.map_or(option.into(), |_| format!("{option} {}", args.tokens));
    let text = file.map_or(Ok(args.tokens.clone()), |(path, _)| read_tokens(path))?;
    let sequence = one_sequence(&text, file.and_then(|(_, line)| line), args);
    let words = sequence.and_then(words).map_err(|problem| usage(&place, problem))?;
    let token = |(position, word): (usize, &str)| {
        let known = names.parse(word).map(usize::from).or_else(|| word.parse().ok());
        let token: usize =
            known.ok_or_else(|| usage(&place, format!("`{word}` at position {position} is not a token")))?;
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

/// Reads the text of a file, or of standard input.
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
    // A byte order mark, which some editors add.
    Ok(text.trim_start_matches('\u{feff}').into())
}

/// The requested sequence: one line, or the whole text if no line has more than one token.
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

/// The words between commas or white space. A comma separates two tokens, or ends a line.
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

/// The sequences of `--data` or `--mean-over`, checked against the model.
pub fn data(path: &Path, rule: Option<TargetRule>, config: &ModelConfig) -> Result<Dataset, Failure> {
    Ok(DataFile::read(path, rule)?.dataset(path, config)?)
}

/// The settings of the run that weights belong to: the given ones, then those of the run that contains the file, then
/// those of the task's recipe. Without labels if nothing names the task.
pub fn settings_of(weights: &Path, args: &SettingsArgs, model: &ModelConfig) -> Result<RunConfig, Failure> {
    match known_settings_of(weights, args, model)? {
        Some(known) => Ok(known),
        None => completed_settings(None, args, model),
    }
}

/// Like [`settings_of`]; `None` if neither a setting nor the run names the task of the weights.
pub fn known_settings_of(
    weights: &Path,
    args: &SettingsArgs,
    model: &ModelConfig,
) -> Result<Option<RunConfig>, Failure> {
    let said = said(args)?;
    let around = run_around(weights, model).or_else(|| run_told(weights, model));
    let around = around.filter(|run| said.task().is_none_or(|task| task == run.task.name));
    let is_known = around.is_some() || said.task().is_some();
    is_known.then(|| completed_settings(around, args, model)).transpose()
}

/// The given settings over those of a run, or over those of the task's recipe.
fn completed_settings(
    run: Option<RunConfig>,
    args: &SettingsArgs,
    model: &ModelConfig,
) -> Result<RunConfig, Failure> {
    let said = said(args)?;
    let invalid = |error: RunConfigError| match &args.config {
        Some(path) => Failure::Usage(format!("{}: {error}", path.display())),
        None => Failure::Usage(error.to_string()),
    };
    let is_known = run.is_some() || said.task().is_some();
    let run = run.map_or_else(|| said.run(), |run| said.over(&run)).map_err(invalid)?;
    let mut run = RunConfig { model: model.clone(), ..run };
    if !is_known {
        UNLABELLED.clone_into(&mut run.task.name);
    }
    // A default task may not be the task of these weights.
    if said.task().is_some() || run.task.task(model.shape()).is_ok() {
        run.validate().map_err(invalid)?;
    }
    Ok(run)
}

/// The settings of the run directory that contains a weights file, or a link to the file, if they fit this model.
fn run_around(weights: &Path, model: &ModelConfig) -> Option<RunConfig> {
    let absolute = [weights.canonicalize(), std::path::absolute(weights)];
    let folders = absolute.iter().flatten().flat_map(|path| path.ancestors().skip(1).take(2));
    let fits = |config: &RunConfig| config.model.shape() == model.shape();
    let mut configs = folders.filter_map(|folder| read_config(&folder.join("config.toml")).ok());
    configs.find(fits)
}

/// The run settings stored in a weights file, or those of the recipe of the task that it names, if the task fits this
/// model.
fn run_told(weights: &Path, model: &ModelConfig) -> Option<RunConfig> {
    let stored = || {
        let json = RunMetadata::KEYS.iter().find_map(|key| metadata_of(weights, key))?;
        let RunMetadata { seed, task } = serde_json::from_str(&json).ok()?;
        Some(RunConfig { seed, task, ..RunConfig::default() })
    };
    let named = || {
        let mut settings = Settings::default();
        settings.set(&format!("task.name={:?}", metadata_of(weights, TASK_KEY)?)).ok()?;
        settings.run().ok()
    };
    let run = RunConfig { model: model.clone(), ..stored().or_else(named)? };
    (run.task.data.is_some() || run.task.task(model.shape()).is_ok()).then_some(run)
}

/// The task of the weights, from their run's settings; without labels if the task does not fit or its file is gone.
pub fn task_of(run: &RunConfig) -> Arc<dyn Task> {
    let of_file = run.task.data.as_ref().and_then(|_| run.dataset().ok());
    let task = of_file.map(|data| Arc::clone(data.task())).or_else(|| run.task.task(run.model.shape()).ok());
    task.unwrap_or_else(|| unlabelled(run.model.shape()))
}

/// Like [`task_of`]; a task without labels has the names of tokens and classes that the weights file gives.
pub fn named_task_of(run: &RunConfig, weights: &Path) -> Arc<dyn Task> {
    let task = task_of(run);
    if task.name() != UNLABELLED {
        return task;
    }
    let names = |key| serde_json::from_str(&metadata_of(weights, key)?).ok();
    unlabelled_named(run.model.shape(), [VOCABULARY_KEY, OUTPUTS_KEY].map(names))
}

/// The data of the task.
///
/// # Errors
/// When the data file of the run is gone or has changed.
pub fn dataset_of(run: &RunConfig) -> Result<Dataset, Failure> {
    match &run.task.data {
        Some(_) => Ok(run.dataset()?),
        None => Ok(Dataset::generate(task_of(run), &run.task, run.seed)),
    }
}

/// A run directory with the requested settings, and whether a run exists.
pub struct Requested {
    /// The directory.
    pub path: PathBuf,
    /// The settings; without any given, those of the existing run.
    pub config: RunConfig,
    /// Whether a run exists there.
    pub found: bool,
}

/// How the length of an existing run may change.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// It must not change.
    Fixed,
    /// More steps extend the run: as given, or by default as suits the end of its schedule.
    Extensible(Option<Extend>),
}

/// Determines the directory and settings of a run: `--seed` and `--epochs` override `--set`, which overrides
/// `--config`, which overrides the existing run's settings, or the task's recipe for a new run. `length` says whether
/// an existing run may be extended.
pub fn requested(args: &RunArgs, length: Length) -> Result<Requested, Failure> {
    args.device.check()?;
    let SettingsArgs { task, config, set } = &args.settings;
    if let Some(path) = config.as_deref().filter(|_| task.is_none() && set.is_empty()) {
        // A file without other options must be a complete run: report a mistake with its place.
        read_config(path)?;
    }
    let said = said(&args.settings)?;
    let usage = |error: RunConfigError| Failure::Usage(error.to_string());
    let own = own_data(&args.data, &said)?;
    let RunConfig { seed, task, .. } = RunConfig::default();
    let task = own.as_ref().map_or(&task.name, |(file, _)| &file.listing.name);
    let (seed, task) = (args.seed.or(said.seed()).unwrap_or(seed), said.task().unwrap_or(task).to_owned());
    let path = args.run.clone().unwrap_or_else(|| Path::new("runs").join(format!("{task}-{seed}")));
    let mut found = run_dir::settings_of(&path)?;
    let said = match own {
        Some(own) => on_data(said, own, (&path, found.as_mut()), args)?,
        None => said,
    };
    let is_this = |found: &&RunConfig| said.task().is_none_or(|task| task == found.task.name);
    let goes_on = found.as_ref().filter(|_| args.settings.config.is_none()).filter(is_this);
    let config = goes_on.map_or_else(|| said.run(), |found| said.over(found));
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

/// The settings of a run on a data set. An existing run goes on with its own, on the same data: the file may have been
/// moved.
fn on_data(
    mut said: Settings,
    (file, source): (DataFile, DataSource),
    (path, found): (&Path, Option<&mut RunConfig>),
    args: &RunArgs,
) -> Result<Settings, Failure> {
    let completed = said.on_data(&file.listing, &source);
    let Some(theirs) = found.and_then(|found| found.task.data.as_mut()) else { return Ok(completed) };
    let of_run = |error: DataError| Failure::Failed(format!("{}: {error}", path.display()));
    file.unchanged(Path::new(&source.file), theirs).map_err(of_run)?;
    theirs.file.clone_from(&source.file);
    if args.settings.config.is_some() {
        return Ok(completed);
    }
    let place = format!("task.data.file={}", source.file);
    let rule = args.data.targets.map(|_| "task.data.targets=next-token".to_owned());
    for assignment in [place].into_iter().chain(rule) {
        said.set(&assignment).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(said)
}

/// The data set on the command line or in its settings, and its source for a run's settings.
fn own_data(args: &DataArgs, said: &Settings) -> Result<Option<(DataFile, DataSource)>, Failure> {
    let configured = said.data().map_err(|error| Failure::Usage(error.to_string()))?;
    let (path, rule) = match (&args.data, &configured) {
        (Some(path), _) => (path.clone(), args.rule()),
        (None, Some(source)) => (PathBuf::from(&source.file), source.targets),
        (None, None) => return Ok(None),
    };
    let file = DataFile::read(&path, rule)?;
    let file = match configured.filter(|source| args.data.is_none() && !source.crc32.is_empty()) {
        Some(wanted) => file.unchanged(&path, &wanted)?,
        None => file,
    };
    if file.listing.train.is_some() && said.has_task_setting("train_fraction") {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "task.train_fraction: {path} marks its training sequences itself"
        )));
    }
    let source = file.source(&path)?;
    Ok(Some((file, source)))
}

/// The settings of model, task and training on the command line.
pub fn said(args: &SettingsArgs) -> Result<Settings, Failure> {
    let mut said = args.config.as_deref().map(read_settings).transpose()?.unwrap_or_default();
    let task = args.task.as_ref().map(|task| format!("task.name={task:?}"));
    for assignment in args.set.iter().chain(&task) {
        said.set(assignment).map_err(|error| Failure::Usage(format!("--set {assignment}: {error}")))?;
    }
    Ok(said)
}
