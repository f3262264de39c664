//! Dose-response: `headcount ablate --scale` and `--value`, the same heads and neurons at one strength after another.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::Failure;
use super::args::AblateArgs;
use super::edits::EditsOverSet;
use super::output::{print, print_text};
use crate::analysis::Tally;
use crate::analysis::controls::{control, strongest};
use crate::analysis::dose::{Dose, at_dose};
use crate::analysis::evaluation::means;
use crate::analysis::hypotheses::trackers;
use crate::analysis::total::over_each;
use crate::model::{Interventions, Patch, Weights};
use crate::number::percent;
use crate::task::{Dataset, Example, Split};

/// Loss and accuracy over the sequences.
#[derive(Serialize)]
struct Score {
    loss: Option<f64>,
    accuracy: Option<f64>,
}

/// One strength, with the random sets at the same strength.
#[derive(Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f32>,
    #[serde(flatten)]
    score: Score,
    random: Vec<Score>,
}

#[derive(Serialize)]
struct Report {
    edits: Vec<String>,
    over: String,
    sequences: usize,
    clean: Score,
    doses: Vec<Row>,
    weights_file: String,
    step: Option<usize>,
}

/// What is measured.
pub struct Measurement<'a> {
    pub weights: &'a Weights,
    pub data: &'a Dataset,
    pub examples: &'a [Example<'a>],
    /// The heads and neurons.
    pub edits: &'a Interventions,
    /// Weights and sequences in words.
    pub place: (&'a str, String),
    pub step: Option<usize>,
    pub seed: u64,
}

impl Measurement<'_> {
    /// Measures every dose, and prints them.
    pub fn run(&self, args: &AblateArgs) -> Result<(), Failure> {
        let scales = args.scale.iter().map(|scale| Dose::Scale(*scale));
        let values = args.value.iter().map(|value| Dose::Value(*value));
        let random = self.random_sets(args.controls);
        let row = |dose: Dose| -> Result<Row, Failure> {
            let model = (self.weights.config(), &**self.data.task());
            let at = |edits: &Interventions| {
                let dosed = at_dose(edits, dose, args.positions.as_ref(), model);
                self.score(&dosed.map_err(Failure::Usage)?)
            };
            let random = random.iter().map(at).collect::<Result<_, _>>()?;
            let [scale, value] = match dose {
                Dose::Scale(scale) => [Some(scale), None],
                Dose::Value(value) => [None, Some(value)],
            };
            Ok(Row { scale, value, score: at(self.edits)?, random })
        };
        let heads = self.edits.heads.iter().map(|id| format!("head {}.{}", id.layer, id.head));
        let neurons = self.edits.neurons.iter().map(|id| format!("neuron {}.{}", id.layer, id.neuron));
        let report = Report {
            edits: heads.chain(neurons).collect(),
            over: self.place.1.clone(),
            sequences: self.examples.len(),
            clean: self.score(&Interventions::default())?,
            doses: scales.chain(values).map(row).collect::<Result<_, _>>()?,
            weights_file: self.place.0.into(),
            step: self.step,
        };
        if args.json {
            print(&serde_json::to_string(&report).map_err(|error| Failure::Failed(error.to_string()))?)
        } else {
            print_text(report.text().trim_end())
        }
    }

    /// Random sets of as many neurons of the same layers, alike in activity; none without neurons.
    fn random_sets(&self, count: usize) -> Vec<Interventions> {
        if self.edits.neurons.is_empty() || count == 0 {
            return Vec::new();
        }
        let (_, activity) = means(self.weights, self.examples);
        let strongest = strongest(&trackers(self.weights, self.examples, self.data.task()));
        let drawn = |excluded: &BTreeSet<_>| -> Option<Vec<Interventions>> {
            let draw = |set| control(self.edits, (&activity, excluded), self.seed, set).map(|(set, _)| set);
            (0..count as u64).map(draw).collect()
        };
        // In a small model every neuron tracks some class.
        drawn(&strongest).or_else(|| drawn(&BTreeSet::new())).unwrap_or_default()
    }

    fn score(&self, edits: &Interventions) -> Result<Score, Failure> {
        let c = self.weights.config();
        let list =
            EditsOverSet::new(&edits.list, self.weights, self.examples, (self.data, ""), (true, self.seed))?;
        let patch_of = |index: usize| list.patch(index, Cow::Owned(Patch::default()));
        let all = over_each(Tally::new(c), self.weights, &patch_of, self.examples).all();
        Ok(Score { loss: all.mean_loss(), accuracy: all.share() })
    }
}

impl Report {
    fn text(&self) -> String {
        let mut out = format!("{}\n{}\nover {}\n", self.weights_file, self.edits.join(", "), self.over);
        let is_scale = self.doses.first().is_some_and(|dose| dose.scale.is_some());
        let name = if is_scale { "scale" } else { "value" };
        let has_random = self.doses.iter().any(|dose| !dose.random.is_empty());
        let random = if has_random { "  random sets: loss, accuracy" } else { "" };
        let _ = writeln!(out, "{name:>8}  {:>8}  accuracy{random}", "loss");
        let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.4}"));
        let share = |value: Option<f64>| value.map_or("-".into(), percent);
        let mean = |of: &[Score], part: fn(&Score) -> Option<f64>| {
            let values: Vec<f64> = of.iter().filter_map(part).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let line = |dose: String, score: &Score, random: &[Score]| {
            let [loss, accuracy] = [number(score.loss), share(score.accuracy)];
            let means = (mean(random, |one| one.loss), mean(random, |one| one.accuracy));
            let random = match means {
                (Some(loss), accuracy) => format!("  {:>17.4}  {:>8}", loss, share(accuracy)),
                _ => String::new(),
            };
            format!("{dose:>8}  {loss:>8}  {accuracy:>8}{random}\n")
        };
        out += &line("clean".into(), &self.clean, &[]);
        for dose in &self.doses {
            let at = dose.scale.or(dose.value).unwrap_or_default();
            out += &line(at.to_string(), &dose.score, &dose.random);
        }
        out
    }
}

/// Refuses what has no dose.
pub fn check(args: &AblateArgs, edits: &Interventions) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Usage(format!("--scale and --value: {why}")));
    match () {
        () if edits.heads.is_empty() && edits.neurons.is_empty() => refuse("give --heads or --neurons"),
        () if !edits.patterns.is_empty() || !edits.list.is_empty() => {
            refuse("of --heads and --neurons alone, without --pattern and --edits")
        }
        () if args.kind != super::args::AblationKindArg::Zero || args.mean_over.is_some() => {
            refuse("they say what the values become: without --kind")
        }
        () if args.folded => refuse("not with --folded"),
        () => Ok(()),
    }
}

/// Whether an ablation is measured at several doses.
pub fn is_asked(args: &AblateArgs) -> bool {
    !(args.scale.is_empty() && args.value.is_empty())
}

/// The sequences that are measured: the only one of `--tokens` too.
pub fn words(words: Option<&String>, data: &Dataset) -> String {
    let count = crate::number::count(data.len(Split::Validation), "sequence");
    words.map_or_else(|| "one sequence".into(), |words| format!("{words} ({count})"))
}
