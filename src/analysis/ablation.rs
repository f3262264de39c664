//! The effect of an ablation on one sequence, or on a set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::scores::Scores;
use crate::model::{Interventions, ModelConfig, PatternKind, Positions};
use crate::number::{count, percent};
use crate::task::{Class, Example, Task, Token, Vocabulary};

/// A head or neuron: its number if all are in one layer, else `LAYER.NUMBER`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// In [`AblationOutcome::layer`].
    Number(usize),
    /// With its own layer.
    InLayer(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::InLayer(place) => place.fmt(f),
        }
    }
}

/// The layer of all interventions; `None` if they are in several.
fn layer_of(of: &Interventions) -> Option<usize> {
    let heads = of.heads.iter().chain(of.patterns.keys()).map(|id| id.layer);
    let layers: BTreeSet<usize> = heads.chain(of.neurons.iter().map(|id| id.layer)).collect();
    layers.first().copied().filter(|_| layers.len() == 1)
}

/// Something of one sequence, or of each of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Each<T> {
    /// Of the only sequence.
    One(T),
    /// By sequence.
    All(Vec<T>),
}

impl<T> Each<T> {
    fn of(mut all: Vec<T>, is_one: bool) -> Self {
        match all.pop() {
            Some(one) if is_one => Self::One(one),
            last => Self::All(all.into_iter().chain(last).collect()),
        }
    }
}

/// One ablation of one sequence or of a set, with everything needed to run it again.
#[derive(Clone, Debug, Serialize)]
pub struct AblationOutcome {
    /// Mean cross-entropy over targets without interventions, in nats; `None` without targets.
    pub loss_before: Option<f32>,
    /// The same with interventions.
    pub loss_after: Option<f32>,
    /// Share of correct predictions without interventions.
    pub accuracy_before: Option<f32>,
    /// The same with interventions.
    pub accuracy_after: Option<f32>,
    /// Number of sequences.
    pub sequences: usize,
    /// Number of targets.
    pub targets: usize,
    /// The sequence, if it is one alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Token>,
    /// Labels; `None` at a position without a target.
    pub labels: Each<Vec<Option<Class>>>,
    /// By position; `None` where a logit is NaN.
    pub predictions_before: Each<Vec<Option<Class>>>,
    /// By position; `None` where a logit is NaN.
    pub predictions_after: Each<Vec<Option<Class>>>,
    /// Positions whose prediction changed.
    pub changed: Each<Vec<usize>>,
    /// Names of the classes, if they have any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Neurons switched off.
    pub neurons: Vec<Place>,
    /// Heads switched off.
    pub heads: Vec<Place>,
    /// Heads with a replaced pattern, and the replacement.
    pub patterns: BTreeMap<Place, PatternKind>,
    /// Other edits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<String>,
    /// The layer of all interventions; `None` if they are in several.
    pub layer: Option<usize>,
    /// The replacement of ablated values.
    pub kind: &'static str,
    /// The origin of the replacement in words, unless it is zero.
    pub mean_over: Option<String>,
    /// The positions of the interventions, as requested; `None` for all.
    pub positions: Option<String>,
    /// Number of values replaced.
    pub cells: usize,
    /// The sequences in words, if they are a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// Optimiser steps taken, if known.
    pub step: Option<usize>,
    /// `trained` or `folded`.
    pub weights: &'static str,
    /// Origin of the weights.
    pub weights_file: String,
    /// The task that names tokens and classes.
    #[serde(skip)]
    pub task: Arc<dyn Task>,
}

impl AblationOutcome {
    /// Compares the scores of sequences without and with interventions, which are at `positions_of` each sequence. One sequence alone has its lists by position,
    /// a set by sequence and position.
    pub fn new(
        config: &ModelConfig,
        (interventions, positions_of): (&Interventions, &dyn Fn(usize) -> Positions),
        (task, examples, is_one): (&Arc<dyn Task>, &[Example<'_>], bool),
        [before, after]: [Scores; 2],
    ) -> Self {
        let layer = layer_of(interventions);
        let place = |of: usize, number: usize| match layer {
            Some(_) => Place::Number(number),
            None => Place::InLayer(format!("{of}.{number}")),
        };
        let changed = |(before, after): (&Vec<_>, &Vec<_>)| {
            let pairs = before.iter().zip(after).enumerate();
            pairs.filter(|(_, (a, b))| a != b).map(|(position, _)| position).collect()
        };
        let changed = before.predictions.iter().zip(&after.predictions).map(changed).collect();
        let patterns = interventions.patterns.iter();
        let cells_of = |(at, one): (usize, &Example<'_>)| {
            let edits = Interventions { positions: positions_of(at), ..interventions.clone() };
            edits.cells(config, (one.tokens(), &config.visible_keys(one.tokens())))
        };
        Self {
            loss_before: before.loss,
            loss_after: after.loss,
            accuracy_before: before.accuracy,
            accuracy_after: after.accuracy,
            sequences: examples.len(),
            targets: examples.iter().map(Example::scored).sum(),
            tokens: examples.first().filter(|_| is_one).map_or_else(Vec::new, |one| one.tokens().into()),
            labels: Each::of(examples.iter().map(|example| example.targets().into()).collect(), is_one),
            changed: Each::of(changed, is_one),
            predictions_before: Each::of(before.predictions, is_one),
            predictions_after: Each::of(after.predictions, is_one),
            classes: match task.outputs() {
                Vocabulary::Names(names) => Some(names.clone()),
                Vocabulary::Numbers(_) => None,
            },
            neurons: interventions.neurons.iter().map(|id| place(id.layer, id.neuron)).collect(),
            heads: interventions.heads.iter().map(|id| place(id.layer, id.head)).collect(),
            patterns: patterns.map(|(id, &kind)| (place(id.layer, id.head), kind)).collect(),
            edits: interventions.list.iter().map(ToString::to_string).collect(),
            layer,
            kind: "zero",
            mean_over: None,
            positions: None,
            cells: examples.iter().enumerate().map(cells_of).sum(),
            over: None,
            step: None,
            weights: "trained",
            weights_file: String::new(),
            task: Arc::clone(task),
        }
    }
}

/// `neurons 93, 103`; `None` for an empty list.
fn listed(noun: &str, of: &[Place]) -> Option<String> {
    let numbers: Vec<String> = of.iter().map(Place::to_string).collect();
    let plural = if of.len() == 1 { "" } else { "s" };
    (!of.is_empty()).then(|| format!("{noun}{plural} {}", numbers.join(", ")))
}

fn attends(kind: PatternKind) -> &'static str {
    match kind {
        PatternKind::Uniform => "uniformly",
        PatternKind::Identity => "to the query itself",
        PatternKind::Previous => "to the position before",
    }
}

impl fmt::Display for AblationOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_edits(f)?;
        if let Some(over) = &self.over {
            writeln!(f, "over {over}")?;
        }
        writeln!(f, "{} replaced", count(self.cells, "value"))?;
        if let (Some(before), Some(after)) = (self.loss_before, self.loss_after) {
            writeln!(f, "loss     {before:.4} -> {after:.4} nats a position")?;
        }
        if let (Some(before), Some(after)) = (self.accuracy_before, self.accuracy_after) {
            writeln!(f, "accuracy {} -> {}", percent(before.into()), percent(after.into()))?;
        }
        self.write_changes(f)
    }
}

impl AblationOutcome {
    fn write_edits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let its = if self.neurons.len() + self.heads.len() == 1 { "its" } else { "their" };
        let noun = if self.kind == "resample" { "values in" } else { "mean over" };
        let value = self.mean_over.as_ref().map_or("zero".into(), |over| format!("{its} {noun} {over}"));
        let layer = self.layer.map_or(String::new(), |layer| format!(", layer {layer}"));
        let step = self.step.map_or(String::new(), |step| format!(", step {step}"));
        writeln!(f, "{} ({} weights){step}{layer}", self.weights_file, self.weights)?;
        let at = self.positions.as_ref().map_or(String::new(), |at| format!(" at positions {at}"));
        let ablated = [listed("neuron", &self.neurons), listed("head", &self.heads)];
        let ablated: Vec<String> = ablated.into_iter().flatten().collect();
        if !ablated.is_empty() {
            writeln!(f, "{}{at} set to {value}", ablated.join(" and "))?;
        }
        self.patterns
            .iter()
            .try_for_each(|(head, kind)| writeln!(f, "head {head}{at} attends {}", attends(*kind)))?;
        self.edits.iter().try_for_each(|edit| writeln!(f, "{edit}"))
    }

    fn write_changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = |changed: usize, of: usize| format!("{changed} of {} changed", count(of, "prediction"));
        let (changed, before, after, labels) =
            match (&self.changed, &self.predictions_before, &self.predictions_after, &self.labels) {
                (Each::One(changed), Each::One(before), Each::One(after), Each::One(labels)) => {
                    (changed, before, after, labels)
                }
                (Each::All(changed), Each::All(before), ..) => {
                    let all = before.iter().map(Vec::len).sum();
                    return writeln!(f, "{}", outcome(changed.iter().map(Vec::len).sum(), all));
                }
                _ => return Ok(()),
            };
        writeln!(f, "{}", outcome(changed.len(), before.len()))?;
        let class = |class: Class| self.task.outputs().name(class);
        for &position in changed {
            let [before, after] = [before, after].map(|row| row[position].map_or("NaN".into(), class));
            let token = self.task.vocabulary().name(self.tokens[position]);
            let label = labels[position].map_or("-".into(), class);
            writeln!(f, "  position {position:3}  token {token}  label {label}  output {before} -> {after}")?;
        }
        Ok(())
    }
}
