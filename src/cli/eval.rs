//! `headcount eval`: loss and accuracy of weights over a set of sequences.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::args::EvalArgs;
use super::edits::{self, EditsOverSet};
use super::measured::Measured;
use super::output::{print, print_text};
use super::{Failure, afford};
use crate::analysis::Tally;
use crate::analysis::evaluation::Count;
use crate::analysis::total::over_each;
use crate::model::Patch;
use crate::number::{count, percent};
use crate::task::{Situation, Split, Task, Vocabulary};

/// Targets of one class, at one position or in one group of a situation.
#[derive(Default, Serialize)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    /// Of a class that has one, or of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    targets: usize,
    loss: Option<f64>,
    accuracy: Option<f64>,
}

impl Group {
    fn of(count: Count) -> Self {
        let (loss, accuracy) = (count.mean_loss(), count.share());
        Self { targets: count.targets(), loss, accuracy, ..Self::default() }
    }
}

#[derive(Serialize)]
struct Report {
    loss: Option<f64>,
    accuracy: Option<f64>,
    accuracy_last: Option<f64>,
    sequences: usize,
    targets: usize,
    step: Option<usize>,
    task: String,
    over: String,
    weights: &'static str,
    weights_file: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<String>,
    by_class: Vec<Group>,
    by_position: Vec<Group>,
    /// Of each situation of the task, as `by_` and its name.
    #[serde(flatten)]
    by_situation: BTreeMap<String, Vec<Group>>,
    /// Groups that the text lists.
    #[serde(skip)]
    by: Vec<By>,
}

/// What targets are grouped by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Class,
    Position,
    Situation(&'static str),
}

impl By {
    fn parse(name: &str, task: &dyn Task) -> Result<Self, Failure> {
        let situations = task.situations();
        match (name, situations.iter().find(|situation| situation.name == name)) {
            ("class", _) => Ok(Self::Class),
            ("position", _) => Ok(Self::Position),
            (_, Some(situation)) => Ok(Self::Situation(situation.name)),
            _ => {
                let names = situations.iter().map(|situation| situation.name);
                let names: Vec<&str> = ["class", "position"].into_iter().chain(names).collect();
                let (last, first) = names.split_last().unwrap_or((&"", &[]));
                let all = format!("{} and {last}", first.join(", "));
                Err(Failure::Usage(format!("--by: no `{name}`: {} has {all}", task.name())))
            }
        }
    }
}

pub fn run(args: &EvalArgs) -> Result<(), Failure> {
    let measured = Measured::open(&args.measured)?;
    let (dataset, over_words) = measured.dataset(&args.measured.data)?;
    let task = dataset.task();
    let by = args.by.iter().map(|name| By::parse(name, &**task)).collect::<Result<_, _>>()?;
    let examples = dataset.examples(Split::Validation);
    afford::over_set("eval", measured.config(), (1, 0))?;
    let tally = Tally::new(measured.config()).with_situations(task.situations());
    let list = args.edits.as_deref().map(|path| edits::read(path, measured.config(), &**task));
    let list = list.transpose()?.unwrap_or_default();
    let from = (&dataset, &over_words[..]);
    let edits = EditsOverSet::new(&list, &measured.weights, &examples, from, (true, measured.run.seed))?;
    let patch_of = |index: usize| edits.patch(index, Cow::Owned(Patch::default()));
    let tally = over_each(tally, &measured.weights, &patch_of, &examples);
    let all = tally.all();
    if all.targets() == 0 {
        let asked = "no position has a target: give tensor `targets`, or --targets next-token";
        return Err(Failure::Usage(format!("{over_words}: {asked}")));
    }
    let number = |value: f64| value.is_finite().then_some(value);
    let name = |class: usize| match task.outputs() {
        Vocabulary::Names(names) => names.get(class).cloned(),
        Vocabulary::Numbers(_) => None,
    };
    let classes = tally.by_class().iter().enumerate();
    let positions = tally.by_position().iter().enumerate();
    let report = Report {
        loss: all.mean_loss(),
        accuracy: all.share(),
        accuracy_last: number(tally.evaluation().accuracy_last),
        sequences: tally.sequences(),
        targets: all.targets(),
        step: measured.step,
        task: task.name().into(),
        over: over_words,
        weights: "trained",
        weights_file: measured.place.clone(),
        edits: list.iter().map(ToString::to_string).collect(),
        by_class: classes
            .map(|(at, one)| Group { class: Some(at), name: name(at), ..Group::of(*one) })
            .collect(),
        by_position: positions.map(|(at, one)| Group { position: Some(at), ..Group::of(*one) }).collect(),
        by_situation: by_situation(task.situations(), &tally),
        by,
    };
    if args.json {
        print(&serde_json::to_string(&report).map_err(|error| Failure::Failed(error.to_string()))?)
    } else {
        print_text(report.to_string().trim_end())
    }
}

/// The groups of each situation.
fn by_situation(situations: &[Situation], tally: &Tally) -> BTreeMap<String, Vec<Group>> {
    let groups = |(situation, counts): (&Situation, &Vec<Count>)| {
        let group =
            |(name, count): (&&str, &Count)| Group { name: Some((*name).into()), ..Group::of(*count) };
        (format!("by_{}", situation.name), situation.values.iter().zip(counts).map(group).collect())
    };
    situations.iter().zip(tally.by_situation()).map(groups).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map_or(String::new(), |step| format!(", step {step}"));
        writeln!(f, "{} ({} weights){step}", self.weights_file, self.weights)?;
        let (sequences, targets) = (count(self.sequences, "sequence"), count(self.targets, "target"));
        writeln!(f, "{}: {} ({sequences}, {targets})", self.task, self.over)?;
        self.edits.iter().try_for_each(|edit| writeln!(f, "edited   {edit}"))?;
        if let (Some(loss), Some(accuracy)) = (self.loss, self.accuracy) {
            writeln!(f, "loss     {loss:.4} nats a target\naccuracy {}", percent(accuracy))?;
        }
        for by in &self.by {
            let (noun, groups) = match by {
                By::Class => ("class", &self.by_class),
                By::Position => ("position", &self.by_position),
                By::Situation(name) => (*name, &self.by_situation[&format!("by_{name}")]),
            };
            let width = groups.iter().map(|group| group.name().width()).max().unwrap_or(0);
            groups.iter().try_for_each(|group| group.write((noun, width), f))?;
        }
        Ok(())
    }
}

impl Group {
    /// Its name, or else its number.
    fn name(&self) -> String {
        let number = || self.class.or(self.position).map_or(String::new(), |number| number.to_string());
        self.name.clone().unwrap_or_else(number)
    }

    fn write(&self, (noun, width): (&str, usize), f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let gap = width - name.width();
        let loss = self.loss.map_or("-".into(), |loss| format!("{loss:.4}"));
        let accuracy = self.accuracy.map_or("-".into(), percent);
        let targets = count(self.targets, "target");
        writeln!(f, "{noun} {:gap$}{name}  loss {loss:>8}  accuracy {accuracy:>6}  {targets}", "")
    }
}
