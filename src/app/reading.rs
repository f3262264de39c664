//! Reads the points of curves, one snapshot after another.
//!
//! A second app, which nobody sees, stands where the user stood and looks at a snapshot. Its questions have the lowest
//! priority; once all are answered, the cells are read from its panels.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::curves::{Curve, Like};
use super::event::{Command, Event};
use super::panels::PanelEntry;
use super::{App, RunPanel, Timeline};
use crate::figure::Panel;
use crate::inquiry::{Answer, AskedBy};
use crate::model::Snapshot;
use crate::train::CurvePoint;

/// Generations of the questions of curves.
const GENERATIONS: Range<u64> = 1 << 40..1 << 41;

/// A checksum of weights.
fn checksum(snapshot: &Snapshot) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    snapshot.weights.values.iter().for_each(|x| hasher.update(&x.to_le_bytes()));
    hasher.finalize()
}

impl App {
    /// An app that knows points of earlier sessions.
    #[must_use]
    pub fn with_points(mut self, points: impl IntoIterator<Item = CurvePoint>) -> Self {
        self.curves.known =
            points.into_iter().map(|point| ((point.of, point.weights), point.value)).collect();
        self
    }

    /// Whether a question is one of a curve.
    pub(super) fn is_of_curve(generation: u64) -> bool {
        GENERATIONS.contains(&generation)
    }

    /// The snapshots that curves have points at: while training, those that stay.
    fn snapshots_of_curves(&self) -> Vec<&Arc<Snapshot>> {
        if self.is_training() { self.timeline.settled().collect() } else { self.timeline.all().collect() }
    }

    /// How many snapshots curves have points at.
    pub(super) fn curve_steps(&self) -> usize {
        self.snapshots_of_curves().len()
    }

    /// How many points are known, and how many there will be.
    pub(crate) fn curve_progress(&self) -> [usize; 2] {
        let snapshots = self.snapshots_of_curves();
        let known = |curve: &Curve| {
            snapshots.iter().filter(|snapshot| curve.points.contains_key(&snapshot.step)).count()
        };
        [self.curves.all().map(known).sum(), self.curves.all().count() * snapshots.len()]
    }

    /// Asks for the next point of a curve, unless one is being read.
    pub(super) fn next_point(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        while self.curves.reading.is_none()
            && let Some((at, snapshot)) = self.curves.next(&self.snapshots_of_curves())
        {
            if self.recall(at, &snapshot) {
                continue;
            }
            let mut reader = self.curves.reader.take().unwrap_or_else(|| {
                let mut reader = Box::new(Self::new(self.options.clone()).0);
                reader.generation = GENERATIONS.start;
                reader
            });
            let group = &self.curves.groups[at];
            group.place.put(&mut reader, Timeline::at(&snapshot, self.snapshots_of_curves()));
            let entries: Vec<&'static PanelEntry> = group.curves.iter().map(|curve| curve.entry).collect();
            let mut asked = reader.look_again();
            for entry in entries {
                asked.extend(reader.bring_into_view(entry));
            }
            self.curves.reading = Some((at, snapshot));
            self.curves.reader = Some(reader);
            commands.extend(self.of_reader(asked));
        }
        commands
    }

    /// Takes the points of a snapshot from those known; false unless all are.
    fn recall(&mut self, at: usize, snapshot: &Arc<Snapshot>) -> bool {
        let (curves, known) = (&self.curves.groups[at].curves, &self.curves.known);
        if known.is_empty() || curves.iter().any(|curve| curve.identity().is_none()) {
            return false;
        }
        let weights = checksum(snapshot);
        let values = curves.iter().map(|curve| known.get(&(curve.identity()?, weights)).copied());
        let Some(values) = values.collect::<Option<Vec<_>>>() else { return false };
        let group = &mut self.curves.groups[at];
        for (curve, value) in group.curves.iter_mut().zip(values) {
            curve.points.insert(snapshot.step, value.unwrap_or(f64::NAN));
        }
        group.read.insert(snapshot.step);
        true
    }

    /// The reader's questions, at their priority; then, once all are answered, the points.
    fn of_reader(&mut self, commands: Vec<Command>) -> Vec<Command> {
        let mut asks = Vec::new();
        for command in commands {
            if let Command::Ask(mut inquiry) = command {
                inquiry.by = AskedBy::Curve;
                if let Some(controls) = inquiry.question.controls_mut() {
                    *controls = 0;
                }
                asks.push(Command::Ask(inquiry));
            }
        }
        let is_done = |reader: &App| reader.is_answered() && !reader.is_waiting();
        if asks.is_empty() && self.curves.reader.as_deref().is_some_and(is_done) {
            asks.extend(self.read_points());
        }
        asks
    }

    /// Hands an answer to the reader.
    pub(super) fn curve_answer(&mut self, answer: Answer) -> Vec<Command> {
        let Some(reader) = self.curves.reader.as_mut().filter(|_| self.curves.reading.is_some()) else {
            return Vec::new();
        };
        let commands = reader.update(Event::Answer(Box::new(answer)));
        self.of_reader(commands)
    }

    /// Leaves out a point that cannot be computed.
    pub(super) fn curve_failed(&mut self) {
        let Some((at, snapshot)) = self.curves.reading.take() else { return };
        let group = &mut self.curves.groups[at];
        for curve in &mut group.curves {
            curve.points.insert(snapshot.step, f64::NAN);
        }
        group.read.insert(snapshot.step);
    }

    /// Reads the cells of the snapshot before the reader.
    fn read_points(&mut self) -> Option<Command> {
        let (at, snapshot) = self.curves.reading.take()?;
        let reader = self.curves.reader.take()?;
        let weights = checksum(&snapshot);
        let mut points = Vec::new();
        let mut panels: HashMap<&str, Option<Panel>> = HashMap::new();
        let group = self.curves.groups.get_mut(at)?;
        for curve in &mut group.curves {
            let panel = panels.entry(curve.entry.name).or_insert_with(|| (curve.entry.build)(&reader));
            let column = panel.as_ref().and_then(|panel| curve.column(panel));
            let value = column.as_ref().and_then(|column| column.at(&curve.lead).decimal());
            if let Some(column) = &column
                && curve.becomes(Like::new(column, &curve.lead))
            {
                group.read.clear();
            }
            curve.points.insert(snapshot.step, value.unwrap_or(f64::NAN));
            let Some(of) = column.map(|column| column.identity(&curve.lead)) else { continue };
            points.push(CurvePoint { of, step: snapshot.step, weights, value });
        }
        group.read.insert(snapshot.step);
        self.curves.reader = Some(reader);
        self.dirty |= self.settings.run_panel != RunPanel::Accuracies && self.view.room().is_of_run;
        self.curves.known.extend(points.iter().map(|point| ((point.of, point.weights), point.value)));
        (!points.is_empty()).then_some(Command::KeepPoints(points))
    }
}
