//! The cells under the cursor, to pin as curves.

use std::collections::BTreeMap;

use super::curves::{Curve, Fixed, Place, Source, phase_words};
use super::event::{Command, Notice};
use super::panels::PanelEntry;
use super::picker::PickerKind;
use super::{App, RunPanel, ViewId};
use crate::analysis::phases::Phase;
use crate::figure::{Axis, Column, Dim, Panel};
use crate::inquiry::logits::{PREDICTION, TOKEN};

/// Entries of an axis without a cursor that are listed.
const MOST_ENTRIES: usize = 32;

/// Cells that are listed.
const MOST_CELLS: usize = 512;

/// The name of a cell: its question, and the entries that it reads.
pub(crate) fn label(column: &Column, lead: &[usize]) -> String {
    let entries = column.entries(lead);
    let dims: Vec<Dim> = column.figure.axes.iter().map(|axis| axis.dim).collect();
    let told = dims.iter().zip(&entries).filter(|(_, entry)| !["clean", ""].contains(&entry.as_str()));
    // A head or neuron is told by its numbers, other entries with their axis: `0.1 query 64 key 0`.
    let is_of_layer = dims.iter().any(|dim| [Dim::Head, Dim::Neuron].contains(dim));
    let text = |(dim, entry): (&Dim, &String)| match dim {
        Dim::Head | Dim::Neuron if dims.contains(&Dim::Layer) => format!(".{entry}"),
        Dim::Edits => format!(" {entry}"),
        Dim::Layer if is_of_layer => format!(" {entry}"),
        _ => format!(" {} {entry}", dim.name().replace('_', " ")),
    };
    let entries: String = told.map(text).collect();
    let entries = entries.trim_start();
    let name = column.figure.spec.name;
    let name = column.factor().map_or_else(|| name.to_owned(), |factor| format!("{name} {factor}"));
    let edited = if column.figure.of.edits.is_empty() { "" } else { ", edited" };
    if entries.is_empty() { format!("{name}{edited}") } else { format!("{name} {entries}{edited}") }
}

impl App {
    /// Starts the choice of a cell.
    pub(super) fn pick_cell(&mut self) -> Vec<Command> {
        if self.is_without_step() {
            return self.say(Notice::info("these weights have no steps: curves are those of a run"));
        }
        self.pick_from(PickerKind::Curve);
        Vec::new()
    }

    /// Pins one of the cells under the cursor.
    pub(super) fn pin(&mut self, at: usize) -> Vec<Command> {
        let Some(curve) = self.cells_here().into_iter().nth(at) else { return Vec::new() };
        let label = curve.label.clone();
        self.settings.run_panel = RunPanel::Curves;
        let place = Place::of(self);
        let said = if self.curves.add(place, curve) { "its curve stands in view 1" } else { "is pinned" };
        let at = self.curves.all().position(|curve| curve.label == label);
        self.curves.selected = at.unwrap_or_default();
        self.say(Notice::info(format!("{label}: {said}")))
    }

    /// The cells under the cursor, those of the focused panel first.
    pub(super) fn cells_here(&self) -> Vec<Curve> {
        let mut entries: Vec<&'static PanelEntry> = self.view.room().panels.iter().collect();
        let focused = (self.view.room().focus)(self);
        entries.sort_by_key(|entry| entry.name != focused);
        let cells = entries.into_iter().flat_map(|entry| self.cells_of(entry));
        cells.take(MOST_CELLS).collect()
    }

    fn cells_of(&self, entry: &'static PanelEntry) -> Vec<Curve> {
        let Some(panel) = (entry.build)(self).filter(|panel| !panel.is_over_steps()) else {
            return Vec::new();
        };
        let rows = self.rows_here(&panel);
        let cells = panel.columns.iter().flat_map(|column| rows.iter().map(move |lead| (column, lead)));
        let is_name = |column: &Column| [TOKEN.name, PREDICTION.name].contains(&column.figure.spec.name);
        let numbers = cells.filter(|(column, lead)| !is_name(column) && column.at(lead).number().is_some());
        let curve = |(column, lead): (&Column, &Vec<usize>)| {
            Curve::new(entry, Source::Column(column.name.clone()), lead.clone(), label(column, lead))
        };
        numbers.map(curve).collect()
    }

    /// The rows of a panel at the cursor: every row on axes without a cursor.
    fn rows_here(&self, panel: &Panel) -> Vec<Vec<usize>> {
        let has_layer = panel.lead.iter().any(|axis| axis.dim == Dim::Layer);
        let mut rows = vec![Vec::new()];
        for axis in &panel.lead {
            let entries = self.entries_here(axis, has_layer);
            rows = rows
                .iter()
                .flat_map(|row: &Vec<usize>| {
                    entries.iter().map(move |entry| row.iter().copied().chain([*entry]).collect())
                })
                .collect();
        }
        rows
    }

    fn entries_here(&self, axis: &Axis, has_layer: bool) -> Vec<usize> {
        match self.entry_here(axis, has_layer) {
            Some(at) => (at < axis.len()).then_some(at).into_iter().collect(),
            None => (0..axis.len().min(MOST_ENTRIES)).collect(),
        }
    }

    /// The entries of a panel's leading axes at the cursor, the first ones of axes without a cursor; `None` outside them.
    pub(crate) fn lead_here(&self, panel: &Panel) -> Option<Vec<usize>> {
        let has_layer = panel.lead.iter().any(|axis| axis.dim == Dim::Layer);
        let entry = |axis: &Axis| {
            let at = self.entry_here(axis, has_layer).unwrap_or_default();
            (at < axis.len()).then_some(at)
        };
        panel.lead.iter().map(entry).collect()
    }

    /// The cursor's entry on an axis, if the axis has a cursor.
    fn entry_here(&self, axis: &Axis, has_layer: bool) -> Option<usize> {
        let cursor = &self.cursor;
        Some(match axis.dim {
            Dim::Layer => cursor.layer,
            Dim::Head | Dim::LaterHead | Dim::EarlierHead if !has_layer => {
                cursor.layer * self.options.model.n_heads + cursor.head
            }
            Dim::Head => cursor.head,
            Dim::Neuron => cursor.neuron,
            Dim::Position | Dim::Query => cursor.position,
            Dim::Key => cursor.key,
            Dim::Token | Dim::QueryToken => cursor.token,
            Dim::Component => cursor.component,
            Dim::Frequency => self.frequency() - 1,
            _ => return None,
        })
    }

    /// Pins every cell of a panel, or of a figure that it shows, in order; asks for their points.
    pub(crate) fn pin_panel(
        &mut self,
        entry: &'static PanelEntry,
        cells: &Panel,
        figure: Option<&(&'static str, Fixed)>,
    ) -> Vec<Command> {
        let whole = cells.clone().all_rows();
        let of_column = |column: &Column| {
            let source = match figure {
                Some((name, fixed)) => Source::Figure(name, fixed.clone()),
                None => Source::Column(column.name.clone()),
            };
            let curve = |row: usize| {
                let lead = whole.lead_of(row);
                let label = label(column, &lead);
                Curve::new(entry, source.clone(), lead, label)
            };
            (0..whole.len()).map(curve).collect::<Vec<_>>()
        };
        let curves = whole.columns.iter().flat_map(of_column).collect();
        self.curves.add_all(Place::of(self), curves);
        self.next_point()
    }

    /// The points of all pinned cells, in order.
    pub(crate) fn pinned_points(&self) -> Vec<BTreeMap<usize, f64>> {
        self.curves.all().map(|curve| curve.points.clone()).collect()
    }

    /// The phase changes of all curves, by step.
    pub(crate) fn phase_lines(&self) -> Vec<String> {
        let of = |curve: &Curve| {
            let line = |phase: &Phase| {
                (phase.at, format!("step {}: {} {}", phase.at, curve.label, phase_words(phase)))
            };
            curve.phases().iter().map(line).collect::<Vec<_>>()
        };
        let mut lines: Vec<(usize, String)> = self.curves.all().flat_map(of).collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Shows the curves in view 1.
    pub(crate) fn show_curves(&mut self) {
        (self.view, self.settings.run_panel) = (ViewId::ALL[0], RunPanel::Curves);
    }

    /// The view and the panel of a name.
    pub(crate) fn panel_called(name: &str) -> Option<(ViewId, &'static PanelEntry)> {
        super::glossary::entries().find(|(_, entry)| entry.name == name)
    }
}
