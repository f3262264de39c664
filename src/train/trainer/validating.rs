//! Evaluates the model between steps.

use super::super::events::{EpochMetrics, TrainEvent};
use super::{TrainError, Trainer};
use crate::analysis::total::over;
use crate::analysis::{Evaluation, Tally};
use crate::model::{Backend, Patch, Sequences, Weights};

/// Tokens of the training sequences that a validation also evaluates, at most: a signal waits for them.
const MOST_TRAINING_TOKENS: usize = 1 << 14;

impl<D: Backend> Trainer<'_, D> {
    /// Evaluates the validation sequences, and some training sequences.
    pub(super) fn validate(&mut self, epoch: usize) -> Result<(), TrainError> {
        let weights = self.finite_weights()?;
        let all = self.validation.len();
        let evaluate = |of, rows: &[usize]| {
            self.evaluate(&weights, of, rows).map_err(|error| self.device_failed(&error))
        };
        let validation = evaluate(&self.validation, &(0..all).collect::<Vec<_>>())?;
        let sample = all.min(MOST_TRAINING_TOKENS / self.training.longest().max(1)).max(1);
        let train_accuracy = evaluate(&self.training, &spread(self.training.len(), sample))?.accuracy;
        let Evaluation { loss, accuracy, .. } = validation;
        self.validation_loss = Some(loss);
        let metrics = EpochMetrics { epoch, step: self.step, validation, train_accuracy };
        let logged = self.setup.run_dir.as_mut().map_or(Ok(()), |dir| dir.log_epoch(&metrics));
        self.note_log(&logged);
        (self.emit)(TrainEvent::Epoch(metrics));
        self.save_if_best(loss);
        let stop = self.setup.config.train.stop_accuracy;
        self.is_accurate = stop > 0.0 && accuracy >= stop;
        if self.is_accurate && self.step < self.end() {
            let text =
                format!("stops: validation accuracy {accuracy:.4} has reached train.stop_accuracy = {stop}");
            (self.emit)(TrainEvent::Notice(text));
        }
        Ok(())
    }

    /// Evaluates sequences on the device, or on the host if that is the device.
    fn evaluate(&self, weights: &Weights, of: &Sequences<D>, rows: &[usize]) -> Result<Evaluation, D::Err> {
        let task = self.setup.dataset.task();
        let mut tally = Tally::new(&self.setup.config.model).with_groups_of(&**task);
        if !D::HAS_MEMORY {
            return Ok(over(tally, weights, &Patch::default(), &of.examples(rows)).evaluation());
        }
        let outputs = self.setup.config.model.outputs();
        for rows in rows.chunks(self.setup.config.batch_size()) {
            let logits = self.optimizer.logits(&self.model, of, rows)?;
            let each = logits.chunks_exact(logits.len() / rows.len());
            of.examples(rows).iter().zip(each).for_each(|(example, logits)| {
                tally.add(&logits[..example.targets().len() * outputs], *example);
            });
        }
        Ok(tally.evaluation())
    }
}

/// At most `wanted` of `len` indices, evenly spaced.
fn spread(len: usize, wanted: usize) -> Vec<usize> {
    let count = len.min(wanted);
    (0..count).map(|index| index * len / count).collect()
}
