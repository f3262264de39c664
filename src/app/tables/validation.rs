//! Tables of the run and of the validation set.

use super::{Datum, Table};
use crate::analysis::Evaluation;
use crate::app::App;
use crate::inquiry::{AblationReport, Probe};

impl App {
    /// The losses of the run, and the last accuracies; none where nothing trains.
    pub(in crate::app) fn train_tables(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        let series = [("train", &self.history.train_loss), ("validation", &self.history.validation_loss)];
        let rows = series.into_iter().flat_map(|(name, series)| {
            series.points().map(move |(step, bucket)| {
                let name = Datum::from(name.to_owned());
                // Measured in f32: more digits would be noise.
                let [mean, min, max] =
                    [bucket.mean(), Some(bucket.min), Some(bucket.max)].map(|x| x.map(|x| x as f32));
                vec![name, step.into(), mean.into(), min.into(), max.into()]
            })
        });
        let rows: Vec<Vec<Datum>> = rows.collect();
        if !rows.is_empty() {
            tables.push(Table::new("losses", &["series", "step", "mean", "min", "max"], rows));
        }
        tables.extend(self.validation().map(|(validation, _)| classes(validation, None)));
        tables
    }

    /// The figures with and without what is off, here and over the validation set; none while nothing is off.
    pub(in crate::app) fn ablation_tables(&self, probe: &Probe) -> Vec<Table> {
        let Some(after) = &probe.ablated else { return Vec::new() };
        let before = &probe.clean;
        let accuracy = |pass: &crate::analysis::Pass| pass.accuracy(&probe.targets);
        let mut rows = vec![vec![
            "sequence".to_owned().into(),
            1_usize.into(),
            before.loss().into(),
            after.loss().into(),
            accuracy(before).into(),
            accuracy(after).into(),
        ]];
        let report = self.ablation_figures().map(|(_, report)| report);
        rows.extend(report.into_iter().flat_map(over_validation));
        let columns = ["set", "sequences", "loss_before", "loss_after", "accuracy_before", "accuracy_after"];
        let position = |at: usize| -> Vec<Datum> {
            vec![
                at.into(),
                probe.tokens()[at].into(),
                probe.label(at).into(),
                before.predictions[at].into(),
                after.predictions[at].into(),
                (before.predictions[at] != after.predictions[at]).into(),
                before.losses[at].into(),
                after.losses[at].into(),
            ]
        };
        let by_position = [
            "position",
            "token",
            "label",
            "prediction_before",
            "prediction_after",
            "changed",
            "loss_before",
            "loss_after",
        ];
        let positions = Table::new("positions", &by_position, (0..probe.len()).map(position).collect());
        let by_class = report.map(|report| classes(&report.before, report.after.as_ref()));
        [Table::new("figures", &columns, rows), positions].into_iter().chain(by_class).collect()
    }
}

/// The validation set, and each random set that it is compared with.
fn over_validation(report: &AblationReport) -> Vec<Vec<Datum>> {
    let row = |name: &str, after: Option<(f64, f64)>| {
        vec![
            name.to_owned().into(),
            report.before.sequences.into(),
            report.before.loss.into(),
            after.map(|after| after.0).into(),
            report.before.accuracy.into(),
            after.map(|after| after.1).into(),
        ]
    };
    let mut rows = vec![row("validation", report.after.as_ref().map(|after| (after.loss, after.accuracy)))];
    if let Some(controls) = &report.controls {
        let random = controls.losses.iter().zip(&controls.accuracies);
        rows.extend(random.map(|(loss, accuracy)| row("random neurons", Some((*loss, *accuracy)))));
    }
    rows
}

fn classes(before: &Evaluation, after: Option<&Evaluation>) -> Table {
    let row = |(class, before): (usize, &Option<f64>)| {
        let after = after.and_then(|after| after.accuracy_by_class.get(class).copied().flatten());
        vec![class.into(), (*before).into(), after.into()]
    };
    let rows = before.accuracy_by_class.iter().enumerate().map(row).collect();
    Table::new("classes", &["class", "accuracy_before", "accuracy_after"], rows)
}
