//! The effect of an ablation on one sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Pass;
use crate::model::{AblationKind, Interventions, ModelConfig, PatternKind};
use crate::number::{count, percent};
use crate::task::{Class, Example, Token};

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

/// One ablation of one sequence, with everything needed to run it again.
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
    /// The sequence.
    pub tokens: Vec<Token>,
    /// Its labels; `None` at a position without a target.
    pub labels: Vec<Option<Class>>,
    /// By position; `None` where a logit is NaN.
    pub predictions_before: Vec<Option<Class>>,
    /// By position; `None` where a logit is NaN.
    pub predictions_after: Vec<Option<Class>>,
    /// Positions whose prediction changed.
    pub changed: Vec<usize>,
    /// Neurons switched off.
    pub neurons: Vec<Place>,
    /// Heads switched off.
    pub heads: Vec<Place>,
    /// Heads with a replaced pattern, and the replacement.
    pub patterns: BTreeMap<Place, PatternKind>,
    /// The layer of all interventions; `None` if they are in several.
    pub layer: Option<usize>,
    /// The replacement of ablated values.
    pub kind: AblationKind,
    /// The set of the mean, if the replacement is one.
    pub mean_over: Option<String>,
    /// Number of values replaced.
    pub cells: usize,
    /// `trained` or `folded`.
    pub weights: &'static str,
    /// Origin of the weights.
    pub weights_file: String,
}

impl AblationOutcome {
    /// Compares two passes over one sequence.
    pub fn new(
        config: &ModelConfig,
        interventions: &Interventions,
        example: Example<'_>,
        [before, after]: [&Pass; 2],
    ) -> Self {
        let layer = layer_of(interventions);
        let place = |of: usize, number: usize| match layer {
            Some(_) => Place::Number(number),
            None => Place::InLayer(format!("{of}.{number}")),
        };
        let (tokens, labels) = (example.tokens(), example.targets());
        let pairs = before.predictions.iter().zip(&after.predictions);
        Self {
            loss_before: before.loss(),
            loss_after: after.loss(),
            accuracy_before: before.accuracy(labels),
            accuracy_after: after.accuracy(labels),
            tokens: tokens.into(),
            labels: labels.into(),
            changed: pairs.enumerate().filter(|(_, (a, b))| a != b).map(|(position, _)| position).collect(),
            predictions_before: before.predictions.clone(),
            predictions_after: after.predictions.clone(),
            neurons: interventions.neurons.iter().map(|id| place(id.layer, id.neuron)).collect(),
            heads: interventions.heads.iter().map(|id| place(id.layer, id.head)).collect(),
            patterns: interventions
                .patterns
                .iter()
                .map(|(id, &kind)| (place(id.layer, id.head), kind))
                .collect(),
            layer,
            kind: interventions.kind,
            mean_over: None,
            cells: interventions.cells(config, &before.activations.keys),
            weights: "trained",
            weights_file: String::new(),
        }
    }
}

/// `neurons 93, 103`; `None` for an empty list.
fn listed(noun: &str, of: &[Place]) -> Option<String> {
    let numbers: Vec<String> = of.iter().map(Place::to_string).collect();
    let plural = if of.len() == 1 { "" } else { "s" };
    (!of.is_empty()).then(|| format!("{noun}{plural} {}", numbers.join(", ")))
}

fn output(prediction: Option<Class>) -> String {
    prediction.map_or("NaN".into(), |token| token.to_string())
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
        let its = if self.neurons.len() + self.heads.len() == 1 { "its" } else { "their" };
        let value = match (self.kind, &self.mean_over) {
            (AblationKind::Zero, _) => "zero".to_owned(),
            (AblationKind::Mean, None) => format!("{its} mean"),
            (AblationKind::Mean, Some(over)) => format!("{its} mean over {over}"),
        };
        let layer = self.layer.map_or(String::new(), |layer| format!(", layer {layer}"));
        writeln!(f, "{} ({} weights){layer}", self.weights_file, self.weights)?;
        let ablated = [listed("neuron", &self.neurons), listed("head", &self.heads)];
        let ablated: Vec<String> = ablated.into_iter().flatten().collect();
        if !ablated.is_empty() {
            writeln!(f, "{} set to {value}", ablated.join(" and "))?;
        }
        for (head, kind) in &self.patterns {
            writeln!(f, "head {head} attends {}", attends(*kind))?;
        }
        writeln!(f, "{} replaced", count(self.cells, "value"))?;
        if let (Some(before), Some(after)) = (self.loss_before, self.loss_after) {
            writeln!(f, "loss     {before:.4} -> {after:.4} nats a position")?;
        }
        if let (Some(before), Some(after)) = (self.accuracy_before, self.accuracy_after) {
            writeln!(f, "accuracy {} -> {}", percent(before.into()), percent(after.into()))?;
        }
        writeln!(f, "{} of {} changed", self.changed.len(), count(self.tokens.len(), "prediction"))?;
        for &position in &self.changed {
            let [before, after] =
                [&self.predictions_before, &self.predictions_after].map(|row| output(row[position]));
            let token = self.tokens[position];
            let label = self.labels[position].map_or("-".into(), |label| label.to_string());
            writeln!(f, "  position {position:3}  token {token}  label {label}  output {before} -> {after}")?;
        }
        Ok(())
    }
}
