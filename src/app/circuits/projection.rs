//! Which vectors are projected, and on which directions.

use std::sync::Arc;

use super::super::studies::Asked;
use super::App;
use super::{Plot, moved};
use crate::inquiry::{Answer, Projected, Question, Vectors};

impl App {
    /// The vectors on screen: activations are those after the cursor's layer.
    pub(crate) fn vectors(&self) -> Vectors {
        match self.circuits.vectors {
            Vectors::ResidPost(_) => Vectors::ResidPost(self.cursor.layer),
            weights => weights,
        }
    }

    /// The vectors along directions, if they are known.
    pub(crate) fn projection(&self) -> Option<(&Answer, &Arc<Projected>)> {
        self.studies.projection(self.vectors())
    }

    /// Shows other vectors.
    pub(in crate::app) fn show_vectors(&mut self, of: Vectors) {
        (self.circuits.plot, self.circuits.vectors, self.circuits.pair) = (Plot::Projection, of, 0);
    }

    /// The question about them.
    pub(in crate::app) fn of_projection(&self) -> Option<Asked> {
        let snapshot = self.timeline.current()?;
        let subject = self.subject(snapshot, self.form);
        let subject =
            if matches!(self.vectors(), Vectors::ResidPost(_)) { self.of_validation()? } else { subject };
        Some((subject, Question::Projection(self.vectors())))
    }

    /// Number of pairs of directions.
    pub(crate) fn pairs(&self) -> usize {
        self.projection().map_or(0, |(_, found)| found.projection.directions.len() / 2)
    }

    /// The pair of directions on screen.
    pub(crate) fn pair(&self) -> usize {
        self.circuits.pair.min(self.pairs().saturating_sub(1))
    }

    /// Every kind of vectors that this model has.
    fn all_vectors(&self) -> Vec<Vectors> {
        let has_positions = self.options.model.positional_embedding_type.has_weight();
        let positions = has_positions.then_some(Vectors::Positions);
        let activations = self.has_data().then_some(Vectors::ResidPost(self.cursor.layer));
        [Vectors::Embed].into_iter().chain(positions).chain([Vectors::Unembed]).chain(activations).collect()
    }

    pub(super) fn move_vectors(&mut self, by: isize) {
        let all = self.all_vectors();
        let at = all.iter().position(|one| *one == self.vectors()).unwrap_or_default();
        self.show_vectors(all[moved(at, by, all.len())]);
    }
}
