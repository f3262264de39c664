//! Curves: cells of panels over all kept snapshots, computed as the panels themselves are.
//!
//! A second app, which nobody sees, stands where the user stood and looks at one snapshot after another. Its questions
//! have the lowest priority; once all are answered, the cells are read from its panels.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::ablation::Ablation;
use super::circuits::Circuits;
use super::cursor::Cursor;
use super::event::{Command, Event};
use super::panels::PanelEntry;
use super::sequence::Sequence;
use super::settings::Settings;
use super::views::ViewId;
use super::{App, Studies, Timeline};
use crate::analysis::phases::{Phase, phases};
use crate::figure::{Axis, Column, Dim, Panel, over_steps};
use crate::inquiry::progress::KEYS;
use crate::inquiry::{Answer, AskedBy, Question, WeightForm};
use crate::model::Snapshot;
use crate::number::figure;
use crate::train::{CurvePoint, is_spaced};

/// Generations of questions from here on are those of curves.
const FIRST_GENERATION: u64 = 1 << 40;

/// Entries at which a figure is sliced.
pub(crate) type Fixed = Vec<(Dim, usize)>;

/// What a cell is read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// The panel's column with this name.
    Column(String),
    /// A figure of the panel, with this name, whole but for the fixed entries.
    Figure(&'static str, Fixed),
}

/// What a number is, without the step.
#[derive(Clone)]
struct Like {
    identity: u64,
    /// The number at one step, without what else its answer holds.
    one: Column,
    /// The key frequencies that it was measured with, if any.
    keys: Option<String>,
}

impl Like {
    fn new(column: &Column, lead: &[usize]) -> Self {
        let keys = column.figure.about.iter().find(|(name, _)| *name == KEYS);
        let keys = keys.map(|(_, keys)| keys.clone());
        Self { identity: column.identity(lead), one: column.cell(lead), keys }
    }
}

impl fmt::Debug for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one.name)
    }
}

/// A cell of a panel, and its numbers by step.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) entry: &'static PanelEntry,
    pub(crate) source: Source,
    /// Entries of the row on the leading axes.
    pub(crate) lead: Vec<usize>,
    pub(crate) label: String,
    /// What the number is, once a point is read.
    like: Option<Like>,
    pub(crate) points: BTreeMap<usize, f64>,
}

impl Curve {
    /// A curve without points yet.
    pub(crate) fn new(entry: &'static PanelEntry, source: Source, lead: Vec<usize>, label: String) -> Self {
        Self { entry, source, lead, label, like: None, points: BTreeMap::new() }
    }

    /// Where the number rises or falls out of its noise.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let points = self.points.iter().map(|(step, value)| (*step, *value));
        phases(&points.filter(|point| point.1.is_finite()).collect::<Vec<_>>())
    }

    /// The points as a column over these steps.
    fn over(&self, steps: &[usize]) -> Option<Column> {
        let values: Vec<Option<f64>> = steps.iter().map(|step| self.points.get(step).copied()).collect();
        let one = Panel::new(CURVES, []).with(self.like.as_ref()?.one.clone());
        let value = move |step: usize, _, _: &[usize]| values[step].filter(|value| value.is_finite());
        let column = over_steps(&one, steps, value).columns.pop()?;
        Some(column.called(&self.label))
    }

    /// Takes note of what the number is. Measured with other key frequencies, earlier points are of another number.
    fn becomes(&mut self, like: Like) {
        if self.like.as_ref().is_some_and(|known| known.keys != like.keys) {
            self.points.clear();
            self.like = None;
        }
        self.like.get_or_insert(like);
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.entry.name, &self.source, &self.lead) == (other.entry.name, &other.source, &other.lead)
    }

    /// The column that holds the cell.
    fn column(&self, panel: &Panel) -> Option<Column> {
        match &self.source {
            Source::Column(name) => panel.column(&[name]).cloned(),
            Source::Figure(name, fixed) => sliced(panel, name, fixed)?.columns.pop(),
        }
    }
}

/// A phase change in words.
pub(crate) fn phase_words(phase: &Phase) -> String {
    let [before, after] = [phase.before, phase.after].map(figure);
    format!("{before} -> {after} between {} and {}", phase.from, phase.to)
}

/// The panel of all curves.
const CURVES: &str = "curves";

/// All curves by step.
pub(crate) fn panel(app: &App) -> Option<Panel> {
    let steps: BTreeSet<usize> = app.curves.all().flat_map(|curve| curve.points.keys().copied()).collect();
    let steps: Vec<usize> = steps.into_iter().collect();
    let columns: Vec<Column> = app.curves.all().filter_map(|curve| curve.over(&steps)).collect();
    (!columns.is_empty()).then(|| Panel::new(CURVES, [Axis::steps(steps)]).and(columns))
}

/// The figure of a panel with this name, without the fixed entries.
pub(crate) fn sliced(panel: &Panel, name: &str, fixed: &[(Dim, usize)]) -> Option<Panel> {
    let figure = panel.columns.iter().map(|column| &column.figure).find(|figure| figure.spec.name == name)?;
    Some(Panel::of_figure(figure, fixed))
}

/// Where the user stands: what determines the panels beside the snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) view: ViewId,
    pub(crate) cursor: Cursor,
    pub(crate) settings: Settings,
    pub(crate) sequence: Sequence,
    pub(crate) ablation: Ablation,
    pub(crate) form: WeightForm,
    pub(crate) circuits: Circuits,
}

impl Place {
    /// Where the app is.
    pub(crate) fn of(app: &App) -> Self {
        Self {
            view: app.view,
            cursor: app.cursor,
            settings: app.settings.clone(),
            sequence: app.sequence.clone(),
            ablation: app.ablation.clone(),
            form: app.form,
            circuits: app.circuits.clone(),
        }
    }

    /// Puts an app there, before a snapshot, with nothing known.
    fn put(&self, app: &mut App, timeline: Timeline) {
        let place = self.clone();
        (app.view, app.cursor, app.settings) = (place.view, place.cursor, place.settings);
        (app.sequence, app.ablation, app.form) = (place.sequence, place.ablation, place.form);
        (app.circuits, app.studies, app.tracked) = (place.circuits, Studies::default(), Arc::default());
        (app.probe, app.shown) = (None, 0);
        app.timeline = timeline;
    }
}

/// Curves of the same place: their points are read at once.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) place: Place,
    pub(crate) curves: Vec<Curve>,
}

/// All curves.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    pub(crate) groups: Vec<Group>,
    /// The app that looks at one snapshot after another.
    reader: Option<Box<App>>,
    /// Group and snapshot that are being read.
    reading: Option<(usize, Arc<Snapshot>)>,
    /// Points of this and of earlier sessions, by number and weights.
    known: HashMap<(u64, u32), Option<f64>>,
    /// The selected curve.
    pub(crate) selected: usize,
}

impl Curves {
    /// All curves in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Curve> {
        self.groups.iter().flat_map(|group| &group.curves)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a curve at a place. Returns false if it is there.
    pub(crate) fn add(&mut self, place: Place, curve: Curve) -> bool {
        // The point that is being read lacks it.
        self.reading = None;
        let same = format!("{place:?}");
        match self.groups.iter_mut().find(|group| format!("{:?}", group.place) == same) {
            Some(group) if group.curves.iter().any(|known| known.is_like(&curve)) => return false,
            Some(group) => group.curves.push(curve),
            None => self.groups.push(Group { place, curves: vec![curve] }),
        }
        true
    }

    /// Adds curves of a place that are not there yet.
    pub(crate) fn extend(&mut self, place: &Place, curves: impl IntoIterator<Item = Curve>) {
        self.reading = None;
        match self.groups.last_mut().filter(|group| format!("{:?}", group.place) == format!("{place:?}")) {
            Some(group) => group.curves.extend(curves),
            None => self.groups.push(Group { place: place.clone(), curves: curves.into_iter().collect() }),
        }
    }

    /// Removes the selected curve.
    pub(crate) fn remove(&mut self) {
        let (mut at, selected) = (0, self.selected);
        for group in &mut self.groups {
            group.curves.retain(|_| {
                at += 1;
                at != selected + 1
            });
        }
        self.reading = None;
        self.groups.retain(|group| !group.curves.is_empty());
        self.selected = selected.min(at.saturating_sub(2));
    }

    /// Group and snapshot of the next point to read: in each group, where the known steps are furthest apart.
    fn next(&self, snapshots: &[&Arc<Snapshot>]) -> Option<(usize, Arc<Snapshot>)> {
        self.groups.iter().enumerate().find_map(|(at, group)| {
            let is_known = |snapshot: &&Arc<Snapshot>| {
                group.curves.iter().all(|curve| curve.points.contains_key(&snapshot.step))
            };
            let known: Vec<bool> = snapshots.iter().map(is_known).collect();
            let distance =
                |at: usize| (0..known.len()).filter(|to| known[*to]).map(|to| at.abs_diff(to)).min();
            let missing = (0..known.len()).filter(|at| !known[*at]);
            let next = missing.max_by_key(|at| distance(*at).unwrap_or(usize::MAX))?;
            Some((at, Arc::clone(snapshots[next])))
        })
    }
}

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
        generation >= FIRST_GENERATION
    }

    /// The snapshots that curves have points at: while training, those that stay.
    fn snapshots_of_curves(&self) -> Vec<&Arc<Snapshot>> {
        let stays = |snapshot: &&Arc<Snapshot>| !self.is_training() || is_spaced(snapshot.step);
        self.timeline.all().filter(stays).collect()
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
            if self.remember(at, &snapshot) {
                continue;
            }
            let mut reader = self.curves.reader.take().unwrap_or_else(|| {
                let mut reader = Box::new(Self::new(self.options.clone()).0);
                reader.generation = FIRST_GENERATION;
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
    fn remember(&mut self, at: usize, snapshot: &Arc<Snapshot>) -> bool {
        let (curves, known) = (&self.curves.groups[at].curves, &self.curves.known);
        if known.is_empty() || curves.iter().any(|curve| curve.like.is_none()) {
            return false;
        }
        let weights = checksum(snapshot);
        let values = curves.iter().map(|curve| known.get(&(curve.like.as_ref()?.identity, weights)).copied());
        let Some(values) = values.collect::<Option<Vec<_>>>() else { return false };
        for (curve, value) in self.curves.groups[at].curves.iter_mut().zip(values) {
            curve.points.insert(snapshot.step, value.unwrap_or(f64::NAN));
        }
        true
    }

    /// The reader's questions, at their priority; then, once all are answered, the points.
    fn of_reader(&mut self, commands: Vec<Command>) -> Vec<Command> {
        let mut asks = Vec::new();
        for command in commands {
            if let Command::Ask(mut inquiry) = command {
                inquiry.by = AskedBy::Curve;
                if let Question::Ablation { controls, .. } = &mut inquiry.question {
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
        for curve in &mut self.curves.groups[at].curves {
            curve.points.insert(snapshot.step, f64::NAN);
        }
    }

    /// Reads the cells of the snapshot before the reader.
    fn read_points(&mut self) -> Option<Command> {
        let (at, snapshot) = self.curves.reading.take()?;
        let reader = self.curves.reader.take()?;
        let weights = checksum(&snapshot);
        let mut points = Vec::new();
        let mut panels: HashMap<&str, Option<Panel>> = HashMap::new();
        for curve in &mut self.curves.groups.get_mut(at)?.curves {
            let panel = panels.entry(curve.entry.name).or_insert_with(|| (curve.entry.build)(&reader));
            let column = panel.as_ref().and_then(|panel| curve.column(panel));
            let value = column.as_ref().and_then(|column| column.at(&curve.lead).decimal());
            if let Some(column) = &column {
                curve.becomes(Like::new(column, &curve.lead));
            }
            curve.points.insert(snapshot.step, value.unwrap_or(f64::NAN));
            let Some(of) = column.map(|column| column.identity(&curve.lead)) else { continue };
            points.push(CurvePoint { of, step: snapshot.step, weights, value });
        }
        self.curves.reader = Some(reader);
        self.dirty |= self.shows_curves() && self.view.room().is_of_run;
        self.curves.known.extend(points.iter().map(|point| ((point.of, point.weights), point.value)));
        (!points.is_empty()).then_some(Command::KeepPoints(points))
    }
}
