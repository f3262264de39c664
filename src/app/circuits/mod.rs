//! The circuits view's maps and paths.

mod asking;
mod map;
mod projection;

use std::sync::Arc;

use super::App;
use super::cursor::moved;
use super::event::Notice;
use crate::analysis::circuits::HeadDrive;
use crate::analysis::quadrants::has_quadrants;
use crate::figure::Factor;
use crate::inquiry::{TokenPath, Vectors};
use crate::model::{AttentionDirection, Normalization};

pub(crate) use map::{CircuitMap, HeadFacts, MapInView, Plot, QkScale};

/// The view's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Circuits {
    pub(crate) plot: Plot,
    pub(crate) map: CircuitMap,
    /// Index of the frequency under the cursor.
    pub(super) frequency: usize,
    /// The vectors that are projected; the layer is the cursor's.
    vectors: Vectors,
    /// The pair of directions on screen.
    pair: usize,
    pub(crate) scale: QkScale,
    pub(crate) facts: HeadFacts,
    /// Whether the cursor moved last in the ranked paths, rather than in the map.
    in_paths: bool,
}

impl App {
    /// A map, if it is known.
    pub(crate) fn circuit_map(&self, kind: CircuitMap) -> Option<MapInView<'_>> {
        let (model, cursor, id) = (&self.options.model, &self.cursor, self.cursor.head_id());
        let token = cursor.token.min(model.d_vocab - 1);
        let other = |len: usize| cursor.other.min(len - 1);
        let known = || self.studies.maps(id);
        let whole = |values, cursor, factor| MapInView {
            kind,
            cursor,
            is_causal: model.attention_dir == AttentionDirection::Causal,
            values,
            order: None,
            factor,
        };
        Some(match kind {
            CircuitMap::QkTokens => whole(&known()?.1.qk, (token, other(model.d_vocab)), self.qk_factor()),
            CircuitMap::OvLogits => whole(&known()?.1.ov_logit, (token, other(model.outputs())), 1.0),
            CircuitMap::QkPositions => {
                whole(self.studies.positions(id)?.1, (cursor.position, cursor.key), self.qk_factor())
            }
            CircuitMap::QkTokenPosition => {
                let (_, found) = self.studies.quadrants(id)?;
                whole(&found.token_position, (token, cursor.position), self.qk_factor())
            }
            CircuitMap::QkPositionToken => {
                let (_, found) = self.studies.quadrants(id)?;
                whole(&found.position_token, (cursor.position, other(model.d_vocab)), self.qk_factor())
            }
            CircuitMap::Direct => whole(self.studies.direct_path()?.1, (token, other(model.outputs())), 1.0),
            CircuitMap::OvNeurons => {
                let HeadDrive { values, order, .. } = &**self.studies.drive(id)?.1;
                let col = order.iter().position(|neuron| *neuron == cursor.neuron).unwrap_or_default();
                MapInView { order: Some(order), ..whole(values, (token, col), 1.0) }
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
        if token >= drive.values.rows() {
            return Vec::new();
        }
        let mut driven: Vec<(usize, f32)> =
            drive.values.block(token..token + 1).into_iter().enumerate().collect();
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
        match self.circuits.plot {
            Plot::Map => self.move_map_column(by),
            Plot::Spectra => self.circuits.frequency = moved(self.circuits.frequency, by, self.frequencies()),
            Plot::Projection => self.circuits.pair = moved(self.pair(), by, self.pairs()),
        }
    }

    fn move_map_column(&mut self, by: isize) {
        let model = &self.options.model;
        let other = |len| moved(self.cursor.other, by, len);
        match self.circuits.map {
            CircuitMap::QkPositions => self.move_key(by),
            CircuitMap::QkTokenPosition => self.move_position(by),
            CircuitMap::OvNeurons => self.move_along_driven(by),
            CircuitMap::OvLogits | CircuitMap::Direct => self.cursor.other = other(model.outputs()),
            CircuitMap::QkTokens | CircuitMap::QkPositionToken => {
                self.cursor.other = other(model.d_vocab);
            }
        }
    }

    pub(super) fn move_circuit_row(&mut self, by: isize) {
        self.circuits.in_paths = false;
        if self.circuits.plot == Plot::Projection {
            self.move_vectors(by);
            return;
        }
        match self.circuits.map {
            CircuitMap::QkPositions | CircuitMap::QkPositionToken => self.move_position(by),
            _ => self.cursor.token = moved(self.cursor.token, by, self.options.model.d_vocab),
        }
    }

    /// Shows the next map, or returns to the maps, and the cursor to it.
    pub(super) fn next_circuit_map(&mut self) {
        self.circuits.in_paths = false;
        if self.circuits.plot == Plot::Map {
            self.circuits.map = self.next_map();
        }
        self.circuits.plot = Plot::Map;
    }

    /// Shows the spectra of a circle of tokens, then projections, then the maps again.
    pub(super) fn next_plot(&mut self) {
        self.circuits.plot = match self.circuits.plot {
            Plot::Map if self.cycle().is_some() => Plot::Spectra,
            Plot::Map | Plot::Spectra => Plot::Projection,
            Plot::Projection => Plot::Map,
        };
    }

    /// The next map that the model has: of neurons, or of vectors of positions, if there are any.
    fn next_map(&self) -> CircuitMap {
        let model = &self.options.model;
        let exists = |map: &CircuitMap| match map {
            CircuitMap::OvNeurons => model.has_mlp(),
            CircuitMap::QkTokenPosition | CircuitMap::QkPositionToken => has_quadrants(model),
            _ => true,
        };
        let mut following = std::iter::successors(Some(self.circuits.map.next()), |map| Some(map.next()));
        following.find(exists).unwrap_or_default()
    }

    /// The biases' terms of the map's cell under the cursor: `b_Q.k`, `q.b_K` and `b_Q.b_K`, in the map's scale; `None` until
    /// known.
    pub(crate) fn bias_terms(&self, kind: CircuitMap) -> Option<[f32; 3]> {
        let (_, found) = self.studies.quadrants(self.cursor.head_id())?;
        let (row, col) = self.circuit_map(kind)?.cursor;
        let is_query_token = matches!(kind, CircuitMap::QkTokens | CircuitMap::QkTokenPosition);
        let is_key_token = matches!(kind, CircuitMap::QkTokens | CircuitMap::QkPositionToken);
        let of = |is_token: bool, which: usize| {
            let biases = if is_token { &found.token_bias } else { &found.position_bias };
            &biases[which]
        };
        let key = of(is_key_token, 0).get(col)?;
        let query = of(is_query_token, 1).get(row)?;
        Some([*key, *query, found.both_biases].map(|x| x * self.qk_factor()))
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
