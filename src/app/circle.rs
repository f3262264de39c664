//! The task's circle of tokens: frequencies, and pairs of operands.

use super::App;
use super::cursor::moved;
use super::event::Command;
use super::studies::Asked;
use crate::inquiry::spectra::has_pairs;
use crate::inquiry::{Question, WeightForm};
use crate::task::Cycle;

impl App {
    /// The circle of the task's tokens, if the model reads all of them.
    pub(crate) fn cycle(&self) -> Option<Cycle> {
        let (model, cycle) = (&self.options.model, self.task().facts().cycle?);
        let fits = cycle.len <= model.d_vocab && (!cycle.has_classes || cycle.len <= model.outputs());
        Some(cycle).filter(|_| fits)
    }

    /// Whether the model has neurons to show over all pairs of operands.
    pub(crate) fn has_pairs(&self) -> bool {
        let model = &self.options.model;
        model.has_mlp() && self.cycle().is_some() && has_pairs(self.task(), model)
    }

    /// The question about spectra.
    pub(super) fn of_spectra(&self) -> Option<Asked> {
        let snapshot = self.timeline.current().filter(|_| self.cycle().is_some())?;
        Some((self.subject(snapshot, self.form), Question::Spectra))
    }

    /// The question about progress measures, with the key frequencies of the newest snapshot.
    pub(super) fn of_progress(&self) -> Option<Asked> {
        let fits = self.cycle().is_some() && has_pairs(self.task(), &self.options.model);
        let [current, newest] = [self.timeline.current()?, self.timeline.newest()?]
            .map(|snapshot| self.subject(snapshot, WeightForm::Trained));
        fits.then(|| (current, Question::Progress(Box::new(newest))))
    }

    /// Number of frequencies on the circle.
    pub(crate) fn frequencies(&self) -> usize {
        self.cycle().map_or(0, |cycle| cycle.len / 2)
    }

    /// The frequency under the cursor, from 1.
    pub(crate) fn frequency(&self) -> usize {
        self.circuits.frequency.min(self.frequencies().saturating_sub(1)) + 1
    }

    /// The operands a and b of the sequence on screen, if it has any.
    pub(crate) fn operands(&self) -> Option<[usize; 2]> {
        let len = self.cycle().filter(|cycle| cycle.has_pairs)?.len;
        let operand =
            |at: usize| self.sequence.tokens.get(at).map(|token| usize::from(*token)).filter(|a| *a < len);
        let [a, b] = [operand(0)?, operand(1)?];
        (self.task().input(a * len + b) == *self.sequence.tokens).then_some([a, b])
    }

    /// Shows the sequence with another first (0) or second (1) operand; without operands, that of 0 and 0.
    pub(super) fn move_operand(&mut self, which: usize, by: isize) -> Vec<Command> {
        let Some(cycle) = self.cycle() else { return Vec::new() };
        let mut operands = self.operands().unwrap_or_default();
        operands[which] = moved(operands[which], by, cycle.len);
        let tokens = self.task().input(operands[0] * cycle.len + operands[1]);
        self.sequence.put(tokens);
        self.request_probe()
    }
}
