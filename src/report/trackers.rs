//! Which neurons answer for which token, and what their loss costs.

use std::fmt;

use serde::Serialize;

use crate::analysis::evaluation::{Controls, control, means};
use crate::analysis::hypotheses::{Tracker, fit, trackers};
use crate::analysis::{Hypothesis, evaluate};
use crate::model::{Interventions, NeuronId, Patch, Weights};
use crate::task::{Example, Token};

/// The neurons that answer for one token.
#[derive(Clone, Debug, Serialize)]
pub struct TokenTrackers {
    /// The token.
    pub token: Token,
    /// The strongest, first.
    pub neurons: Vec<Tracker>,
    /// R² of their summed activation with each hypothesis of the token.
    pub r_squared_of_sum: Vec<(Hypothesis, f64)>,
    /// Accuracy where the token is the label; `None` where it never is.
    pub class_accuracy_before: Option<f64>,
    /// The same with these neurons set to zero.
    pub class_accuracy_after: Option<f64>,
    /// The same with each random set of neurons of like activity set to zero.
    pub class_accuracy_controls: Vec<f64>,
    /// Mean cross-entropy over all positions, in nats.
    pub loss_before: f64,
    /// The same with these neurons set to zero.
    pub loss_after: f64,
    /// The same with the random sets.
    pub controls: Controls,
}

/// Ranks neurons for every token over `examples` and ablates the `top` of each, beside `controls` matched random sets.
pub fn token_trackers(
    weights: &Weights,
    examples: &[Example<'_>],
    (top, controls): (usize, usize),
    seed: u64,
) -> Vec<TokenTrackers> {
    let (_, activity) = means(weights, examples);
    let before = evaluate(weights, &Patch::default(), examples);
    let ablated = |set: &Interventions| evaluate(weights, &set.patch(weights.config(), None), examples);
    let of_token = |(token, mut ranked): (usize, Vec<Tracker>)| {
        ranked.truncate(top);
        let ids: Vec<NeuronId> =
            ranked.iter().map(|t| NeuronId { layer: t.layer, neuron: t.neuron }).collect();
        let set = Interventions { neurons: ids.iter().copied().collect(), ..Interventions::default() };
        let r_squared = fit(weights, examples, &ids, token as Token);
        let after = ablated(&set);
        let mut tried = Controls { planned: controls, ..Controls::default() };
        let mut class_accuracy_controls = Vec::new();
        for random in (0..controls as u64).filter_map(|index| control(&set, &activity, seed, index)) {
            let evaluation = ablated(&random);
            class_accuracy_controls.extend(evaluation.accuracy_by_class[token]);
            tried.losses.push(evaluation.loss);
            tried.accuracies.push(evaluation.accuracy);
        }
        TokenTrackers {
            token: token as Token,
            neurons: ranked,
            r_squared_of_sum: Hypothesis::ALL.into_iter().zip(r_squared).collect(),
            class_accuracy_before: before.accuracy_by_class[token],
            class_accuracy_after: after.accuracy_by_class[token],
            class_accuracy_controls,
            loss_before: before.loss,
            loss_after: after.loss,
            controls: tried,
        }
    };
    trackers(weights, examples).into_iter().enumerate().map(of_token).collect()
}

impl fmt::Display for TokenTrackers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: Option<f64>| {
            share.map_or("(never a label)".into(), |share| format!("{:.1} %", 100.0 * share))
        };
        let ids: Vec<String> = self.neurons.iter().map(|t| t.neuron.to_string()).collect();
        writeln!(f, "token {}: neurons {}", self.token, ids.join(", "))?;
        for tracker in &self.neurons {
            let fits = Hypothesis::ALL.iter().zip(tracker.r_squared);
            let fits: Vec<String> =
                fits.map(|(hypothesis, r2)| format!("{} {r2:.2}", hypothesis.name())).collect();
            writeln!(
                f,
                "  {:5}  {:+.2} on its logit   R²: {}",
                tracker.neuron,
                tracker.effect,
                fits.join("  ")
            )?;
        }
        let fits =
            self.r_squared_of_sum.iter().map(|(hypothesis, r2)| format!("{} {r2:.2}", hypothesis.name()));
        writeln!(f, "  their sum              R²: {}", fits.collect::<Vec<_>>().join("  "))?;
        let n = self.class_accuracy_controls.len();
        let control = (n > 0).then(|| self.class_accuracy_controls.iter().sum::<f64>() / n as f64);
        writeln!(
            f,
            "  set to zero: accuracy on this label {} -> {} ({n} random sets of like activity: {}), loss {:.4} -> {:.4}",
            percent(self.class_accuracy_before),
            percent(self.class_accuracy_after),
            control.map_or("none".into(), |share| percent(Some(share))),
            self.loss_before,
            self.loss_after,
        )
    }
}
