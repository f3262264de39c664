//! `headcount patch`: what each activation of one sequence does in the pass of another.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{PatchArgs, Receiver, TokensArgs};
use super::edits::{self, EditsOverSet};
use super::measured::Measured;
use super::output::{self, print, print_text};
use super::{Failure, afford, input};
use crate::analysis::Pass;
use crate::analysis::patching::{By, Grid, Pair, Plan, Runs};
use crate::analysis::path_patching::Paths;
use crate::model::weights_file::encode_tensors;
use crate::model::{Becomes, Hook, ModelConfig, NamedTensor, Patch};
use crate::number::count;
use crate::task::{Class, Dataset, Example, Split, Targets, Task, Token};

pub fn run(args: &PatchArgs) -> Result<(), Failure> {
    let measured = Measured::open(&args.measured)?;
    let pairs = pairs(args, &measured)?;
    let question = Question::of(args, measured.config())?;
    let list = args.edits.as_deref().map(|path| edits::read(path, measured.config(), &*measured.task()));
    let list = list.transpose()?.unwrap_or_default();
    let targets: Vec<Targets> = pairs.iter().map(|pair| Targets::none(pair.clean.len())).collect();
    let rows = pairs.iter().zip(&targets).flat_map(|(pair, targets)| {
        [&pair.clean, &pair.corrupted].map(|tokens| Example::new(tokens, targets))
    });
    let rows: Vec<Example<'_>> = rows.collect();
    let (data, name) = if list.iter().any(|edit| edit.needs_data() || edit.becomes == Becomes::Resample) {
        measured.dataset(&args.measured.data)?
    } else {
        (Dataset::from_sequences(measured.task(), &[]), String::new())
    };
    let from = (&data, &name[..]);
    let edits = EditsOverSet::new(&list, &measured.weights, &rows, from, (false, measured.run.seed))?;
    let grids = pairs.iter().enumerate().map(|(at, pair)| {
        let patches = [2 * at, 2 * at + 1].map(|row| edits.patch(row, Cow::default()).into_owned());
        question.grid(&measured, pair, &Runs::edited(&measured.weights, pair, patches))
    });
    let nothing = || Failure::Usage("no pair of sequences".into());
    let mut grid = Grid::mean(grids).ok_or_else(nothing)?;
    if args.normalize {
        let is_flat = || Failure::Usage("--normalize: the metric of both runs is the same".into());
        grid = grid.normalized().ok_or_else(is_flat)?;
    }
    let edits = list.iter().map(ToString::to_string).collect();
    let answer = Answer { args, measured: &measured, question, edits, pairs: &pairs, grid };
    match &args.out {
        Some(out) => answer.write(out),
        None if args.json => print(&answer.json().to_string()),
        None => print_text(&answer.text()),
    }
}

/// A grid of sites, or of paths.
#[derive(Clone, Copy)]
enum Question {
    Sites(Plan),
    Paths(Paths),
}

impl Question {
    fn of(args: &PatchArgs, c: &ModelConfig) -> Result<Self, Failure> {
        let (metric, direction) = (args.metric, args.direction);
        let has = |option: &str, hook: Hook| {
            let lacks = || Failure::Usage(format!("{option} {}: the model has no MLP", hook.site()));
            if hook.is_in(c) { Ok(hook) } else { Err(lacks()) }
        };
        if let (Some(from), Some(to)) = (args.from, args.to) {
            let to = match to {
                Receiver::Logits => None,
                Receiver::Hook(hook) => Some(has("--to", hook)?),
            };
            let from = has("--from", from)?;
            return Ok(Self::Paths(Paths {
                from,
                to,
                freezes_mlps: !args.recompute_mlps,
                metric,
                direction,
            }));
        }
        let site = has("--site", args.site)?;
        let default = if site.is_of_heads() { By::Index } else { By::Position };
        let by = args.by.unwrap_or(default);
        if by != By::Position && site.indices(c) == 1 && !site.is_of_heads() {
            let why = "belongs to no head: give --by position";
            return Err(Failure::Usage(format!("--site {}: {why}", site.site())));
        }
        Ok(Self::Sites(Plan { site, by, metric, direction }))
    }

    fn grid(self, measured: &Measured, pair: &Pair, runs: &Runs) -> Grid {
        match self {
            Self::Sites(plan) => plan.grid(&measured.weights, pair, runs),
            Self::Paths(paths) => paths.grid(&measured.weights, pair, runs),
        }
    }

    /// Names of the axes of the grid.
    fn axes(self) -> Vec<&'static str> {
        let index = |hook: Hook| if hook.is_of_heads() { "head" } else { "neuron" };
        match self {
            Self::Sites(Plan { by: By::Index, site, .. }) => vec!["layer", index(site)],
            Self::Sites(Plan { by: By::Position, .. }) => vec!["layer", "position"],
            Self::Sites(Plan { by: By::IndexPosition, site, .. }) => vec!["layer", index(site), "position"],
            Self::Paths(Paths { to: None, .. }) => vec!["layer", "head"],
            Self::Paths(_) => vec!["layer", "head", "receiver_layer", "receiver_head"],
        }
    }

    fn by(self) -> &'static str {
        match self {
            Self::Sites(plan) => plan.by.name(),
            Self::Paths(_) => By::Index.name(),
        }
    }
}

/// The sequences to compare: typed, or rows 0 and 1, 2 and 3 and so on of a file.
fn pairs(args: &PatchArgs, measured: &Measured) -> Result<Vec<Pair>, Failure> {
    let (config, data) = (measured.config(), &args.measured.data);
    let Some((clean, corrupted)) = args.clean.as_ref().zip(args.corrupted.as_ref()) else {
        if data.data.is_none() {
            let asked = "nothing to compare: give --clean T --corrupted T, or --data FILE";
            return Err(Failure::Usage(asked.into()));
        }
        let (set, name) = measured.dataset(data)?;
        let rows = set.examples(Split::Validation);
        let pairs = rows.chunks_exact(2).map(|rows| pair(args, measured, &**set.task(), [rows[0], rows[1]]));
        let alone = || Failure::Usage(format!("{name}: {} sequences are no pairs", rows.len()));
        return if rows.len() % 2 == 0 { pairs.collect() } else { Err(alone()) };
    };
    let task = measured.task();
    let read = |option, tokens: &String| {
        let args = TokensArgs { tokens: tokens.clone() };
        input::tokens_of(option, &args, config, task.vocabulary())
    };
    let [clean, corrupted] = [read("--clean", clean)?, read("--corrupted", corrupted)?];
    let targets = [task.targets(&clean), task.targets(&corrupted)];
    let rows = [Example::new(&clean, &targets[0]), Example::new(&corrupted, &targets[1])];
    Ok(vec![pair(args, measured, &*task, rows)?])
}

/// A pair with its position and answers, as requested or from the targets and predictions.
fn pair(
    args: &PatchArgs,
    measured: &Measured,
    task: &dyn Task,
    [clean, corrupted]: [Example<'_>; 2],
) -> Result<Pair, Failure> {
    let (len, other) = (clean.tokens().len(), corrupted.tokens().len());
    if len != other {
        let why = format!("{other} tokens: the clean sequence has {len}");
        return Err(Failure::Usage(format!("--corrupted: {why}")));
    }
    afford::patch(measured.config(), len)?;
    let scored = clean.targets().iter().rposition(Option::is_some);
    let position = args.position.or(scored).unwrap_or(len - 1);
    if position >= len {
        return Err(Failure::Usage(format!("--position: no position {position}: there are {len}")));
    }
    let class = |option: &str, given: &Option<String>, example: Example<'_>| {
        if let Some(name) = given {
            return named_class(option, name, measured.config(), task);
        }
        let run = || Pass::run(&measured.weights, example, &Patch::default()).predictions[position];
        let unknown = || Failure::Failed(format!("{option}: the logits there are not numbers"));
        example.targets()[position].or_else(run).ok_or_else(unknown)
    };
    let answer = class("--answer", &args.answer, clean)?;
    let wrong = class("--wrong", &args.wrong, corrupted)?;
    let tokens = |of: Example<'_>| -> Vec<Token> { of.tokens().to_vec() };
    Ok(Pair { clean: tokens(clean), corrupted: tokens(corrupted), position, answer, wrong })
}

/// A class by name or number.
fn named_class(option: &str, name: &str, c: &ModelConfig, task: &dyn Task) -> Result<Class, Failure> {
    let number = task.outputs().parse(name).or_else(|| name.parse().ok());
    let unknown = || Failure::Usage(format!("{option}: `{name}` is not a class of the model"));
    number.filter(|class| usize::from(*class) < c.outputs()).ok_or_else(unknown)
}

/// The grid, and what it is of.
struct Answer<'a> {
    args: &'a PatchArgs,
    measured: &'a Measured,
    question: Question,
    edits: Vec<String>,
    pairs: &'a [Pair],
    grid: Grid,
}

/// Nested lists of these sizes.
fn nested(values: &[f32], shape: &[usize]) -> Value {
    let number =
        |value: &f32| serde_json::Number::from_f64(f64::from(*value)).map_or(Value::Null, Value::from);
    match shape {
        [] | [_] => values.iter().map(number).collect(),
        [first, rest @ ..] => {
            values.chunks(values.len() / first.max(&1)).map(|part| nested(part, rest)).collect()
        }
    }
}

impl Answer<'_> {
    fn about(&self) -> Value {
        let args = self.args;
        let mut about = json!({
            "by": self.question.by(),
            "axes": self.question.axes(),
            "metric": args.metric.name(),
            "direction": args.direction.name(),
            "normalized": args.normalize,
            "clean_value": self.grid.clean,
            "corrupted_value": self.grid.corrupted,
            "pairs": self.pairs.len(),
            "weights": self.measured.place,
            "step": self.measured.step,
            "task": self.measured.task().name(),
        });
        match self.question {
            Question::Sites(plan) => about["site"] = plan.site.site().into(),
            Question::Paths(paths) => {
                about["site"] = paths.from.site().into();
                about["to"] = paths.to.map_or("logits", Hook::site).into();
                about["mlps"] = if paths.freezes_mlps { "frozen" } else { "recomputed" }.into();
            }
        }
        if !self.edits.is_empty() {
            about["edits"] = json!(self.edits);
        }
        if let [pair] = self.pairs {
            about["clean"] = json!(pair.clean);
            about["corrupted"] = json!(pair.corrupted);
            about["position"] = pair.position.into();
            about["answer"] = pair.answer.into();
            about["wrong"] = pair.wrong.into();
        }
        about
    }

    fn json(&self) -> Value {
        let mut all = self.about();
        all["values"] = nested(&self.grid.values, &self.grid.shape);
        all
    }

    fn write(&self, out: &Path) -> Result<(), Failure> {
        let about = self.about();
        let metadata = about.as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let metadata = metadata.map(|(key, value)| (key.clone(), text(value))).collect();
        let (shape, values) = (self.grid.shape.clone(), self.grid.values.clone());
        output::write(out, &encode_tensors(&[NamedTensor { name: "values".into(), shape, values }], metadata))
    }

    fn text(&self) -> String {
        let (about, task) = (self.about(), self.measured.task());
        let word = |key: &str| about[key].as_str().unwrap_or_default().to_owned();
        let to =
            about["to"].as_str().map_or(String::new(), |to| format!(" through {to}, MLPs {}", word("mlps")));
        let over = match self.pairs {
            [pair] => {
                let name = |class: Class| task.outputs().name(class);
                format!("position {}: {} or {}", pair.position, name(pair.answer), name(pair.wrong))
            }
            pairs => format!("mean over {}", count(pairs.len(), "pair")),
        };
        let into =
            if word("direction") == "denoise" { "clean into corrupted" } else { "corrupted into clean" };
        let scale = if self.args.normalize { "; 0: corrupted, 1: clean" } else { "" };
        let (axes, shape) = (self.question.axes(), &self.grid.shape);
        let width = shape[shape.len() - 1];
        let line = |first: String, cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:>9}")).collect();
            format!("{first:>24}{}", cells.concat())
        };
        let heading = line(axes[axes.len() - 1].into(), (0..width).map(|at| at.to_string()).collect());
        let row = |(row, values): (usize, &[f32])| {
            line(place(row, &axes, shape), values.iter().map(|value| format!("{value:.3}")).collect())
        };
        let rows: Vec<String> = self.grid.values.chunks(width.max(1)).enumerate().map(row).collect();
        let edits: Vec<String> =
            self.edits.iter().map(|edit| format!("both runs edited: {edit}\n")).collect();
        let edits = edits.concat();
        format!(
            "{edits}{}{to}, {into}; {}, {over}\nclean {:.3}, corrupted {:.3}{scale}\n{heading}\n{}",
            word("site"),
            word("metric"),
            self.grid.clean,
            self.grid.corrupted,
            rows.join("\n"),
        )
    }
}

/// `layer 1 head 2`: the place of a row on all axes but the last.
fn place(mut row: usize, axes: &[&str], shape: &[usize]) -> String {
    let mut words = Vec::new();
    for (axis, len) in axes.iter().zip(shape).rev().skip(1) {
        words.push(format!("{} {}", axis.trim_start_matches("receiver_"), row % len));
        row /= len;
    }
    words.reverse();
    words.join(" ")
}
