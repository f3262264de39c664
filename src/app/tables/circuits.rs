//! Tables of the weights alone.

use super::{Datum, Table};
use crate::app::{App, CircuitMap, MapInView, QkScale};
use crate::inquiry::TokenPath;

impl App {
    /// The map in view, every head's figures, and the ranked paths: these first if the cursor is among them.
    pub(in crate::app) fn circuit_tables(&self) -> Vec<Table> {
        let (Some(map), Some((_, heads))) = (self.circuit_map(self.circuits.map), self.studies.circuits())
        else {
            return Vec::new();
        };
        let map = self.map_table(&map);
        let head = |head: &crate::analysis::circuits::HeadCircuits| {
            vec![head.id.layer.into(), head.id.head.into(), head.copying_score.into()]
        };
        let scores =
            Table::new("heads", &["layer", "head", "copying_score"], heads.iter().map(head).collect());
        let singular = heads.iter().flat_map(|head| {
            let pairs = head.qk_singular.iter().zip(&head.ov_singular).enumerate();
            pairs.map(|(at, (qk, ov))| {
                let place: [Datum; 3] = [head.id.layer.into(), head.id.head.into(), at.into()];
                place.into_iter().chain([Datum::from(*qk), Datum::from(*ov)]).collect()
            })
        });
        let columns = ["layer", "head", "index", "qk", "ov"];
        let singular = Table::new("singular_values", &columns, singular.collect());
        let mut tables: Vec<Table> = [map, scores, singular].into_iter().chain(self.path_table()).collect();
        if self.chosen_path().is_some() {
            tables.rotate_right(1);
        }
        tables
    }

    /// Every cell of a map, with what the map is of.
    fn map_table(&self, map: &MapInView<'_>) -> Table {
        let (name, row_name, col_name) = match map.kind {
            CircuitMap::QkTokens => ("qk_tokens", "query_token", "key_token"),
            CircuitMap::QkPositions => ("qk_positions", "query", "key"),
            CircuitMap::OvLogits => ("ov_logits", "token", "logit"),
            CircuitMap::OvNeurons => ("ov_neurons_centred", "token", "neuron"),
        };
        let (head, scale) = (self.cursor.head_id(), self.map_scale(map.kind));
        let cells = (0..map.rows).flat_map(|row| (0..map.cols).map(move |col| (row, col)));
        let cell = |(row, col): (usize, usize)| {
            let value = map.value(row, col)?;
            Some(vec![
                row.into(),
                map.name_of(col).into(),
                value.into(),
                name.to_owned().into(),
                head.layer.into(),
                head.head.into(),
                scale.to_owned().into(),
                map.factor.into(),
            ])
        };
        let columns = [row_name, col_name, "value", "map", "layer", "head", "scale", "factor"];
        Table::new("map", &columns, cells.filter_map(cell).collect())
    }

    /// The factor of a map in words: what its products of weights were divided by.
    fn map_scale(&self, kind: CircuitMap) -> &'static str {
        let is_qk = matches!(kind, CircuitMap::QkTokens | CircuitMap::QkPositions);
        match if is_qk { self.circuits.scale } else { QkScale::Weights } {
            QkScale::Weights => "weights",
            QkScale::HeadAndNorm if self.mean_norm_scale().is_some() => "weights/sqrt(d_head)/mean_norm^2",
            QkScale::Head | QkScale::HeadAndNorm => "weights/sqrt(d_head)",
        }
    }

    fn path_table(&self) -> Option<Table> {
        let row = |path: &TokenPath| {
            vec![
                path.token.into(),
                path.head.layer.into(),
                path.head.head.into(),
                path.neuron.into(),
                path.score.into(),
                path.drive.into(),
                path.contribution.into(),
            ]
        };
        let columns = ["token", "layer", "head", "neuron", "score", "drive", "contribution"];
        Some(Table::new("paths", &columns, self.ranked_paths()?.iter().map(row).collect()))
    }
}
