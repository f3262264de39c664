//! Bringing what is kept for the circuits view up to date.

use std::sync::Arc;

use super::super::App;
use super::{CircuitMap, Drive, OfHead, PathsOf};
use crate::analysis::NeuronDirections;
use crate::analysis::circuits::{paths, qk_over_positions};
use crate::model::Snapshot;

/// Paths that are kept.
const PATHS: usize = 64;

/// Paths of a layer that can be ranked while she waits for a key.
const MOST_PATHS: usize = 1 << 20;

impl App {
    /// Brings what is kept up to date, if it is in view.
    pub(in crate::app) fn refresh_circuits(&mut self) {
        if self.studies.circuits().is_none() {
            return;
        }
        if self.options.model.has_mlp() {
            self.refresh_drive();
            self.refresh_paths();
        }
        if self.circuits.map == CircuitMap::QkPositions {
            self.refresh_positions();
        }
    }

    fn refresh_drive(&mut self) {
        let (Some((study, _)), Some(head)) = (self.studies.circuits(), self.head_circuits()) else { return };
        let of = (Arc::clone(&study.request.snapshot), head.id);
        let is_kept = |kept: &Drive| Arc::ptr_eq(&kept.of.0, &of.0) && kept.of.1 == of.1;
        if self.circuits.drive.as_ref().is_some_and(is_kept) {
            return;
        }
        let values = head.ov_neuron_centred(self.options.model.d_vocab);
        let d_mlp = self.options.model.d_mlp;
        let largest = |neuron: usize| {
            values.iter().skip(neuron).step_by(d_mlp).fold(0.0, |most: f32, x| most.max(x.abs()))
        };
        let mut order: Vec<(f32, usize)> = (0..d_mlp).map(|neuron| (largest(neuron), neuron)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let order = order.into_iter().map(|(_, neuron)| neuron).collect();
        self.circuits.drive = Some(Drive { of, values, order });
    }

    fn refresh_positions(&mut self) {
        let Some((study, _)) = self.studies.circuits() else { return };
        let of = (Arc::clone(&study.request.snapshot), self.cursor.head_id());
        let is_kept = |kept: &OfHead| Arc::ptr_eq(&kept.0, &of.0) && kept.1 == of.1;
        if self.circuits.positions.as_ref().is_some_and(|(kept, _)| is_kept(kept)) {
            return;
        }
        let folded = self.circuits.folded.of(&of.0);
        let values = qk_over_positions(&folded.weights, of.1);
        self.circuits.positions = Some((of, values));
    }

    fn refresh_paths(&mut self) {
        let probe = self.probe.as_deref().filter(|probe| !probe.is_empty());
        let (Some((study, _)), Some(probe)) = (self.studies.circuits(), probe) else { return };
        if self.paths_of_layer() > MOST_PATHS {
            return;
        }
        let (layer, position) = (self.cursor.layer, self.position_in(probe));
        let target = self.target_at(probe, position);
        let of = PathsOf {
            circuits: Arc::clone(&study.request.snapshot),
            generation: probe.request.generation,
            layer,
            position,
            target,
        };
        if self.circuits.paths.as_ref().is_some_and(|(kept, _)| kept.is_same(&of)) {
            return;
        }
        self.refresh_directions(&of.circuits);
        let (Some((_, found)), Some(probe), Some((_, directions))) =
            (self.studies.circuits(), self.probe.as_deref(), &self.circuits.directions)
        else {
            return;
        };
        let ranked = paths(found, directions, probe, (layer, position), target, PATHS);
        self.circuits.paths = Some((of, ranked));
    }

    fn refresh_directions(&mut self, of: &Arc<Snapshot>) {
        if !self.circuits.directions.as_ref().is_some_and(|(kept, _)| Arc::ptr_eq(kept, of)) {
            let folded = self.circuits.folded.of(of);
            self.circuits.directions = Some((Arc::clone(of), NeuronDirections::new(&folded.weights)));
        }
    }
}
