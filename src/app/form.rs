//! The form of the weights, and a check that folding does not change the predictions.

use super::App;
use super::event::{Command, Notice};
use crate::analysis::logits::log_sum_exp;
use crate::inquiry::{Probe, WeightForm};
use crate::model::ModelConfig;

impl App {
    pub(super) fn switch_form(&mut self) -> Vec<Command> {
        self.form = WeightForm::of(!self.form.is_folded());
        self.say(Notice::info(self.form.words()));
        self.look_again()
    }

    /// Whether an answer is about the explored model; folding changes only the norms' weights.
    pub(super) fn is_of_this_model(&self, probe: &Probe) -> bool {
        let model = &self.options.model;
        let shape = ModelConfig { normalization_type: model.normalization_type, ..probe.config().clone() };
        shape == *model
    }

    /// Reports how much folding changed when `probe` is the first answer in the other form.
    pub(super) fn say_what_folding_changed(&mut self, probe: &Probe) {
        let before = self.probe.as_deref().filter(|before| {
            let (a, b) = (&before.subject, &probe.subject);
            a.form != b.form && a.over == b.over && a.step() == b.step()
        });
        let Some(before) = before else { return };
        let change = largest_change(before, probe);
        let words = probe.subject.form.words();
        self.say(Notice::info(format!("{words}: log-probabilities changed by at most {change:.1e}")));
    }
}

/// Largest difference between the log-probabilities of two answers without edits.
fn largest_change(before: &Probe, after: &Probe) -> f32 {
    let differences = (0..before.len()).flat_map(|position| {
        let (a, b) = (before.clean.logits(position), after.clean.logits(position));
        let (of_a, of_b) = (log_sum_exp(a), log_sum_exp(b));
        a.iter().zip(b).map(move |(a, b)| ((a - of_a) - (b - of_b)).abs())
    });
    // NaN must not be lost in the maximum.
    differences.fold(0.0, |worst, x| if x > worst || x.is_nan() { x } else { worst })
}
