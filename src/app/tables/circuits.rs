//! Tables of the weights alone.

use super::{Datum, Table};
use crate::analysis::circuits::TokenPath;
use crate::app::App;

impl App {
    /// The map in view, every head's figures, and the ranked paths: these first if the cursor is among them.
    pub(super) fn circuit_tables(&self) -> Vec<Table> {
        let (Some(map), Some((_, heads))) = (self.circuit_map(self.circuits.map), self.studies.circuits())
        else {
            return Vec::new();
        };
        let cells = (0..map.rows).flat_map(|row| (0..map.cols).map(move |col| (row, col)));
        let cell = |(row, col): (usize, usize)| {
            map.value(row, col).map(|value| vec![row.into(), map.name_of(col).into(), value.into()])
        };
        let map = Table::new("map", &["row", "column", "value"], cells.filter_map(cell).collect());
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
