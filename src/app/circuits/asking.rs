//! The questions of the view of circuits.

use super::{CircuitMap, HeadFacts};
use crate::app::App;
use crate::app::studies::Asked;
use crate::inquiry::{PathsTo, Probe, Question, Subject, WeightForm};

/// Most paths of a layer that are ranked while the user waits.
const MOST_PATHS: usize = 1 << 20;

impl App {
    /// The questions about the weights alone: all heads' circuits, and what else the view shows of them, of the same weights.
    pub(crate) fn of_circuits(&self) -> Vec<Asked> {
        let Some(snapshot) = self.timeline.current() else { return Vec::new() };
        let (folded, id) = (self.subject(snapshot, WeightForm::Folded), self.cursor.head_id());
        let known = self.studies.circuits().map(|(circuits, _)| &circuits.inquiry.subject);
        let by = known.unwrap_or(&folded);
        let mut asks = vec![(by.clone(), Question::Maps(id)), (folded.clone(), Question::Circuits)];
        if known.is_none() {
            return asks;
        }
        if self.circuits.map == CircuitMap::QkPositions {
            asks.push((by.clone(), Question::Positions(id)));
        }
        let model = &self.options.model;
        match self.circuits.map {
            CircuitMap::Direct => asks.push((by.clone(), Question::DirectPath)),
            map if map.is_of_queries() => asks.push((by.clone(), Question::Quadrants(id))),
            _ => {}
        }
        match self.circuits.facts {
            HeadFacts::Circuits => {}
            HeadFacts::Copying => asks.push((by.clone(), Question::Copying)),
            HeadFacts::Composition if model.n_layers < 2 => {}
            HeadFacts::Composition => asks.push((by.clone(), Question::Composition)),
        }
        if model.has_mlp() {
            asks.push((by.clone(), Question::Drive(id)));
            let probe = self.probe.as_deref().filter(|probe| !probe.is_empty());
            let probe = probe.filter(|_| self.paths_of_layer() <= MOST_PATHS);
            let paths =
                probe.map(|probe| ((*probe.subject).clone(), Question::Paths(self.paths_to(probe, by))));
            asks.extend(paths);
        }
        asks
    }

    fn paths_to(&self, probe: &Probe, ranked_by: &Subject) -> PathsTo {
        let position = self.position_in(probe);
        let (layer, target) = (self.cursor.layer, self.target_at(probe, position));
        PathsTo { ranked_by: ranked_by.clone(), layer, position, target }
    }
}
