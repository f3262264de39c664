//! The neurons that track each token, and the effect of ablating them.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::NeuronHook;
use super::controls::{ControlPool, Controls, control, percentile, strongest};
use super::evaluation::{evaluate, means};
use super::hypotheses::{Fitted, Tracker, fit, trackers};
use crate::model::{Interventions, NeuronId, Patch, Weights};
use crate::number::{count, figure, percent, share};
use crate::task::{Class, Dataset, Feature, Split};

/// The neurons that track one class, and the effect of ablating them.
#[derive(Clone, Debug, Serialize)]
pub struct TokenTrackers {
    /// The class.
    pub token: Class,
    /// Strongest first; possibly fewer than requested, or none. Without any, nothing is ablated below.
    pub neurons: Vec<Tracker>,
    /// R² of their summed activation with each feature of the class.
    pub r_squared_of_sum: Vec<(&'static str, f64)>,
    /// The same of the sum of their values before the activation function.
    pub r_squared_of_sum_pre: Vec<(&'static str, f64)>,
    #[serde(skip)]
    features: &'static [Feature],
    /// Accuracy where the class is the label; `None` if it never is.
    pub class_accuracy_before: Option<f64>,
    /// The same with these neurons set to zero.
    pub class_accuracy_after: Option<f64>,
    /// The same with each random set of neurons of similar activity set to zero.
    pub class_accuracy_controls: Vec<f64>,
    /// Mean cross-entropy where the class is the label, in nats; `None` if it never is.
    pub class_loss_before: Option<f64>,
    /// The same with these neurons set to zero.
    pub class_loss_after: Option<f64>,
    /// The same with each random set of neurons of similar activity set to zero.
    pub class_loss_controls: Vec<f64>,
    /// Mean cross-entropy over all targets, in nats.
    pub loss_before: f64,
    /// The same with these neurons set to zero.
    pub loss_after: f64,
    /// The same with the random sets.
    pub controls: Controls,
}

/// Ranks neurons for every class over the validation set and ablates the `top` of each, with `controls` matched random
/// sets to compare.
pub fn token_trackers(
    weights: &Weights,
    data: &Dataset,
    (top, controls, pool): (usize, usize, ControlPool),
    seed: u64,
) -> Vec<TokenTrackers> {
    let (examples, features) = (&data.examples(Split::Validation), data.task().features());
    let task = data.task();
    let (_, activity) = means(weights, examples);
    let found = trackers(weights, examples, task);
    let excluded = if pool == ControlPool::Any { BTreeSet::new() } else { strongest(&found) };
    let before = evaluate(weights, &Patch::default(), examples);
    let ablated = |set: &Interventions| evaluate(weights, &set.patch(weights.config(), None), examples);
    let of_token = |(token, mut ranked): (usize, Vec<Tracker>)| {
        ranked.truncate(top);
        let ids: Vec<NeuronId> =
            ranked.iter().map(|t| NeuronId { layer: t.layer, neuron: t.neuron }).collect();
        let set = Interventions { neurons: ids.iter().copied().collect(), ..Interventions::default() };
        let fitted = |hook| fit(weights, examples, (&ids, hook), token as Class, task);
        let of_sum = |fitted: Vec<Fitted>| {
            features.iter().map(|feature| feature.key).zip(fitted.iter().map(Fitted::r_squared)).collect()
        };
        let after = ablated(&set);
        let mut tried = Controls { planned: controls, pool, ..Controls::default() };
        let (mut class_accuracy_controls, mut class_loss_controls) = (Vec::new(), Vec::new());
        let source = (&activity[..], &excluded);
        let sets = (0..controls as u64).filter_map(|index| control(&set, source, seed, index));
        for (random, ratio) in sets {
            let evaluation = ablated(&random);
            tried.activity_ratios.push(ratio);
            class_accuracy_controls.extend(evaluation.accuracy_by_class[token]);
            class_loss_controls.extend(evaluation.loss_by_class[token]);
            tried.losses.push(evaluation.loss);
            tried.accuracies.push(evaluation.accuracy);
        }
        TokenTrackers {
            token: token as Class,
            features,
            neurons: ranked,
            r_squared_of_sum: of_sum(fitted(NeuronHook::Post)),
            r_squared_of_sum_pre: of_sum(fitted(NeuronHook::Pre)),
            class_accuracy_before: before.accuracy_by_class[token],
            class_accuracy_after: after.accuracy_by_class[token],
            class_accuracy_controls,
            class_loss_before: before.loss_by_class[token],
            class_loss_after: after.loss_by_class[token],
            class_loss_controls,
            loss_before: before.loss,
            loss_after: after.loss,
            controls: tried,
        }
    };
    found.into_iter().enumerate().map(of_token).collect()
}

/// Most hypotheses that a line names.
const BEST: usize = 3;

/// The best fits first: `label .83  leads .71`.
fn fits(features: &[Feature], r_squared: impl Iterator<Item = f64>) -> String {
    let mut fits: Vec<(&Feature, f64)> = features.iter().zip(r_squared).collect();
    fits.sort_by(|a, b| b.1.total_cmp(&a.1));
    let fits = fits.iter().take(BEST).map(|(feature, r2)| format!("{} {:4}", feature.name, share(Some(*r2))));
    fits.collect::<Vec<_>>().join("  ").trim_end().into()
}

impl fmt::Display for TokenTrackers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.neurons.first() else {
            return writeln!(f, "token {}: no neuron of the last layer tracks it", self.token);
        };
        // In the format of `headcount ablate`.
        let ids: Vec<String> = self.neurons.iter().map(|t| t.neuron.to_string()).collect();
        writeln!(f, "token {}: --layer {} --neurons {}", self.token, first.layer, ids.join(","))?;
        for tracker in &self.neurons {
            let [post, pre] = [&tracker.r_squared, &tracker.r_squared_pre]
                .map(|all| fits(self.features, all.iter().copied()));
            writeln!(
                f,
                "  {:5}  {:+.2} on its logit   R²: {post}; before: {pre}",
                tracker.neuron, tracker.effect
            )?;
        }
        let [post, pre] = [&self.r_squared_of_sum, &self.r_squared_of_sum_pre]
            .map(|all| fits(self.features, all.iter().map(|(_, r2)| *r2)));
        writeln!(f, "  their sum              R²: {post}; before the activation: {pre}")?;
        self.write_cost(f)
    }
}

/// `; above 95% of them`
fn higher(controls: &[f64], loss: Option<f64>) -> String {
    let above = loss.and_then(|loss| percentile(controls, loss));
    above.map_or(String::new(), |above| format!("; above {above:.0}% of them"))
}

impl TokenTrackers {
    /// `20 random sets of non-trackers of 1.02 times the activity`
    fn sets(&self) -> String {
        let sets = count(self.class_accuracy_controls.len(), "random set");
        let ratio = self.controls.activity_ratio();
        let ratio = ratio.map_or(String::new(), |ratio| format!(" of {ratio:.2} times the activity"));
        format!("{sets} of {}{ratio}", self.controls.pool.words())
    }

    /// Writes the effect of setting the neurons to zero: on the label of the class, and on all labels.
    fn write_cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let known =
            |value: Option<f64>, text: fn(f64) -> String| value.map_or("(never a label)".into(), text);
        let controls = |values: &[f64], text: fn(f64) -> String| match values {
            [] => "none".into(),
            _ => text(mean(values)),
        };
        writeln!(
            f,
            "  set to zero: accuracy on this label {} -> {} ({}: {})",
            known(self.class_accuracy_before, percent),
            known(self.class_accuracy_after, percent),
            self.sets(),
            controls(&self.class_accuracy_controls, percent),
        )?;
        writeln!(
            f,
            "               loss on this label {} -> {} (random sets: {}{})",
            known(self.class_loss_before, figure),
            known(self.class_loss_after, figure),
            controls(&self.class_loss_controls, figure),
            higher(&self.class_loss_controls, self.class_loss_after),
        )?;
        writeln!(
            f,
            "               loss over all labels {} -> {} (random sets: {}{})",
            figure(self.loss_before),
            figure(self.loss_after),
            controls(&self.controls.losses, figure),
            higher(&self.controls.losses, Some(self.loss_after)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trackers of a token in layer 1, with these neurons.
    fn of(neurons: &[usize]) -> TokenTrackers {
        let shape = crate::task::Shape { n_ctx: 4, d_vocab: 10, d_vocab_out: 10 };
        let features = crate::task::TaskConfig::default().task(shape).unwrap().features();
        let tracker = |&neuron: &usize| {
            let r_squared = vec![0.5; features.len()];
            Tracker { layer: 1, neuron, effect: 2.5, r_squared_pre: r_squared.clone(), r_squared }
        };
        let of_sum: Vec<_> = features.iter().map(|feature| (feature.key, 0.999_7)).collect();
        TokenTrackers {
            token: 3,
            neurons: neurons.iter().map(tracker).collect(),
            r_squared_of_sum_pre: of_sum.clone(),
            r_squared_of_sum: of_sum,
            features,
            class_accuracy_before: Some(0.999_7),
            class_accuracy_after: Some(0.000_2),
            class_accuracy_controls: vec![0.999_6],
            class_loss_before: Some(0.001_23),
            class_loss_after: Some(8.25),
            class_loss_controls: vec![0.001, 0.002],
            loss_before: 0.1,
            loss_after: 0.2,
            controls: Controls {
                planned: 2,
                losses: vec![0.11, 0.13],
                accuracies: vec![1.0, 1.0],
                activity_ratios: vec![0.9, 1.0],
                ..Controls::default()
            },
        }
    }

    #[test]
    fn almost_all_is_not_shown_as_all_nor_almost_nothing_as_nothing() {
        let text = of(&[28]).to_string();
        assert!(
            text.contains("99.9% -> <0.1% (1 random set of non-trackers of 0.95 times the activity: 99.9%)"),
            "{text}"
        );
        assert!(text.contains("leads .999"), "{text}");
    }

    #[test]
    fn the_loss_on_the_label_is_shown_beside_the_loss_over_all() {
        let text = of(&[28]).to_string();
        assert!(
            text.contains("loss on this label 0.00123 -> 8.250 (random sets: 0.00150; above 100% of them)\n"),
            "{text}"
        );
        assert!(
            text.ends_with(
                "loss over all labels 0.1000 -> 0.2000 (random sets: 0.1200; above 100% of them)\n"
            ),
            "{text}"
        );
        let json = serde_json::to_value(of(&[28])).unwrap();
        assert_eq!(json["class_loss_after"], 8.25);
        assert_eq!((&json["loss_after"], &json["class_loss_controls"][1]), (&0.2.into(), &0.002.into()));
    }

    #[test]
    fn neurons_are_listed_as_an_ablation_takes_them() {
        let text = of(&[28, 7]).to_string();
        assert!(text.starts_with("token 3: --layer 1 --neurons 28,7\n"), "{text}");
    }

    #[test]
    fn a_token_without_trackers_is_one_line() {
        assert_eq!(of(&[]).to_string(), "token 3: no neuron of the last layer tracks it\n");
    }
}
