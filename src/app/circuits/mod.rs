//! The circuits view's maps and paths.

mod map;

use std::sync::Arc;

use super::App;
use super::cursor::moved;
use super::event::Notice;
use crate::analysis::circuits::{HeadCircuits, HeadDrive};
use crate::figure::Factor;
use crate::inquiry::TokenPath;
use crate::model::{AttentionDirection, Normalization};

pub(crate) use map::{CircuitMap, MapInView, QkScale};

/// The view's settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circuits {
    pub(crate) map: CircuitMap,
    pub(crate) scale: QkScale,
    /// Whether the cursor moved last in the ranked paths, rather than in the map.
    in_paths: bool,
}

/// Larger maps of all heads are not computed, in bytes: a failed allocation ends the program.
const MOST_MAP_BYTES: u128 = 2 << 30;

impl App {
    /// Bytes of all heads' maps over the vocabulary, `[d_vocab, d_vocab | d_vocab_out | d_mlp]`, if too large to
    /// compute.
    pub(crate) fn circuits_too_large(&self) -> Option<u128> {
        let model = &self.options.model;
        let [heads, d_vocab, width] =
            [model.n_layers * model.n_heads, model.d_vocab, model.d_vocab + model.outputs() + model.d_mlp]
                .map(|n| n as u128);
        Some(4 * heads * d_vocab * width).filter(|bytes| *bytes > MOST_MAP_BYTES)
    }

    /// The circuits of the head under the cursor.
    pub(crate) fn head_circuits(&self) -> Option<&HeadCircuits> {
        let (_, found) = self.studies.circuits()?;
        found.get(self.cursor.layer * self.options.model.n_heads + self.cursor.head)
    }

    /// A map, if it is known.
    pub(crate) fn circuit_map(&self, kind: CircuitMap) -> Option<MapInView<'_>> {
        let head = self.head_circuits()?;
        let model = &self.options.model;
        let cursor = &self.cursor;
        let tokens = (cursor.token.min(model.d_vocab - 1), cursor.other.min(model.d_vocab - 1));
        let whole = |rows, cols, cursor, values, factor| MapInView {
            kind,
            rows,
            cols,
            cursor,
            is_causal: model.attention_dir == AttentionDirection::Causal,
            values,
            order: None,
            factor,
        };
        Some(match kind {
            CircuitMap::QkTokens => whole(model.d_vocab, model.d_vocab, tokens, &head.qk, self.qk_factor()),
            CircuitMap::OvLogits => {
                let class = cursor.other.min(model.outputs() - 1);
                whole(model.d_vocab, model.outputs(), (tokens.0, class), &head.ov_logit, 1.0)
            }
            CircuitMap::QkPositions => {
                let (_, values) = self.studies.positions(self.cursor.head_id())?;
                let at = (cursor.position, cursor.key);
                whole(model.n_ctx, model.n_ctx, at, values, self.qk_factor())
            }
            CircuitMap::OvNeurons => {
                let HeadDrive { values, order, .. } = &**self.studies.drive(self.cursor.head_id())?.1;
                let col = order.iter().position(|neuron| *neuron == cursor.neuron).unwrap_or_default();
                let map = whole(model.d_vocab, model.d_mlp, (tokens.0, col), values, 1.0);
                MapInView { order: Some(order), ..map }
            }
        })
    }

    /// Factor of the product of query and key.
    fn qk_factor(&self) -> f32 {
        let by_head = self.options.model.score_scale();
        match self.circuits.scale {
            QkScale::Weights => 1.0,
            QkScale::Head => by_head,
            QkScale::HeadAndNorm => by_head / self.mean_norm_scale().unwrap_or(1.0).powi(2),
        }
    }

    /// The same scale as a divisor for a panel's columns.
    pub(super) fn qk_scale(&self) -> Factor {
        let name = match self.circuits.scale {
            QkScale::Weights => "1",
            QkScale::HeadAndNorm if self.mean_norm_scale().is_some() => "1/sqrt(d_head)/mean_norm^2",
            QkScale::Head | QkScale::HeadAndNorm => "1/sqrt(d_head)",
        };
        let by = f64::from(self.qk_factor());
        Factor { name, value: Arc::new(move |_| by) }
    }

    /// Mean layer norm scale before the cursor's layer over the current sequence; `None` without norms.
    pub(crate) fn mean_norm_scale(&self) -> Option<f32> {
        let has_norms = self.options.model.normalization_type != Normalization::None;
        let probe = self.probe.as_deref().filter(|probe| has_norms && !probe.is_empty())?;
        let scale = &probe.clean.activations.blocks[self.cursor.layer].ln1.scale;
        Some(scale.iter().sum::<f32>() / scale.len() as f32)
    }

    /// The neurons that a token drives most through the head under the cursor, strongest first.
    pub(crate) fn driven_by(&self, token: usize, most: usize) -> Vec<(usize, f32)> {
        let Some((_, drive)) = self.studies.drive(self.cursor.head_id()) else { return Vec::new() };
        let values = &drive.values;
        let d_mlp = self.options.model.d_mlp;
        let Some(row) = values.get(token * d_mlp..(token + 1) * d_mlp) else { return Vec::new() };
        let mut driven: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
        driven.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        driven.truncate(most);
        driven
    }

    /// Paths through the cursor's layer to the target at the cursor's position; `None` until known, or if there are too
    /// many to rank at every key.
    pub(crate) fn ranked_paths(&self) -> Option<&[TokenPath]> {
        self.studies.paths().map(|(_, paths)| paths.as_slice())
    }

    /// Rank of the path under the cursor, while the cursor moves among paths.
    pub(crate) fn chosen_path(&self) -> Option<usize> {
        let is_here = |path: &TokenPath| {
            (usize::from(path.token), path.head, path.neuron)
                == (self.cursor.token, self.cursor.head_id(), self.cursor.neuron)
        };
        self.ranked_paths().filter(|_| self.circuits.in_paths)?.iter().position(is_here)
    }

    /// Moves the cursor to another path: to its token, head and neuron.
    pub(super) fn move_path(&mut self, by: isize) {
        let to = self.chosen_path().map(|at| moved(at, by, self.ranked_paths().map_or(0, <[_]>::len)));
        let Some(&path) = self.ranked_paths().and_then(|paths| paths.get(to.unwrap_or(0))) else {
            let why = if self.is_ranking() {
                "still ranking paths: again in a moment"
            } else {
                "there is no path here"
            };
            self.say(Notice::info(why));
            return;
        };
        let cursor = &mut self.cursor;
        (cursor.token, cursor.layer, cursor.head) = (path.token.into(), path.head.layer, path.head.head);
        (cursor.neuron, cursor.neuron_is_chosen) = (path.neuron, true);
        self.writer_follows_head();
        self.circuits.in_paths = true;
    }

    /// Number of paths through a layer.
    pub(crate) fn paths_of_layer(&self) -> usize {
        let model = &self.options.model;
        model.n_heads.saturating_mul(model.d_vocab).saturating_mul(model.d_mlp)
    }

    /// Returns the cursor from the paths to the map.
    pub(super) fn leave_paths(&mut self) {
        self.circuits.in_paths = false;
    }

    pub(super) fn move_circuit_column(&mut self, by: isize) {
        self.circuits.in_paths = false;
        let model = &self.options.model;
        let other = |len| moved(self.cursor.other, by, len);
        match self.circuits.map {
            CircuitMap::QkPositions => self.move_key(by),
            CircuitMap::OvNeurons => self.move_along_driven(by),
            CircuitMap::OvLogits => self.cursor.other = other(model.outputs()),
            CircuitMap::QkTokens => self.cursor.other = other(model.d_vocab),
        }
    }

    pub(super) fn move_circuit_row(&mut self, by: isize) {
        self.circuits.in_paths = false;
        match self.circuits.map {
            CircuitMap::QkPositions => self.move_position(by),
            _ => self.cursor.token = moved(self.cursor.token, by, self.options.model.d_vocab),
        }
    }

    /// Shows the next map and returns the cursor to it.
    pub(super) fn next_circuit_map(&mut self) {
        self.circuits.in_paths = false;
        self.circuits.map = self.next_map();
    }

    /// The next map; a model without neurons has no map of neurons.
    fn next_map(&self) -> CircuitMap {
        let next = self.circuits.map.next();
        let skipped = next == CircuitMap::OvNeurons && !self.options.model.has_mlp();
        if skipped { next.next() } else { next }
    }

    fn move_along_driven(&mut self, by: isize) {
        let Some((_, drive)) = self.studies.drive(self.cursor.head_id()) else { return };
        let order = &drive.order;
        let at = order.iter().position(|neuron| *neuron == self.cursor.neuron).unwrap_or_default();
        if let Some(neuron) = order.get(moved(at, by, order.len())) {
            self.cursor.neuron = *neuron;
            self.cursor.neuron_is_chosen = true;
        }
    }
}
