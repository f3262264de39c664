//! Curves: cells of panels over all kept snapshots.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use super::ablation::Ablation;
use super::circuits::Circuits;
use super::cursor::Cursor;
use super::panels::PanelEntry;
use super::sequence::Sequence;
use super::settings::Settings;
use super::views::ViewId;
use super::{App, Studies, Timeline};
use crate::analysis::phases::{Phase, phases};
use crate::figure::{Axis, Column, Dim, Panel, over_steps};
use crate::inquiry::WeightForm;
use crate::inquiry::progress::KEYS;
use crate::inquiry::tracker_sets::SETS;
use crate::model::Snapshot;
use crate::number::figure;

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
pub(super) struct Like {
    identity: u64,
    /// The number at one step, without what else its answer holds.
    one: Column,
    /// What the newest snapshot chose: key frequencies, or sets of neurons.
    chosen: Option<String>,
}

impl Like {
    pub(super) fn new(column: &Column, lead: &[usize]) -> Self {
        let chosen = column.figure.about.iter().find(|(name, _)| [KEYS, SETS].contains(name));
        let chosen = chosen.map(|(_, chosen)| chosen.clone());
        Self { identity: column.identity(lead), one: column.cell(lead), chosen }
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

    /// Whether the number is a loss, and positive at all steps.
    pub(crate) fn is_positive_loss(&self) -> bool {
        let is_loss = self.like.as_ref().is_some_and(|like| like.one.figure.spec.unit == "nats");
        is_loss && self.points.values().all(|value| value.is_nan() || *value > 0.0)
    }

    /// The points as a column over these steps.
    fn over(&self, steps: &[usize]) -> Option<Column> {
        let values: Vec<Option<f64>> = steps.iter().map(|step| self.points.get(step).copied()).collect();
        let one = Panel::new(CURVES, []).with(self.like.as_ref()?.one.clone());
        let value = move |step: usize, _, _: &[usize]| values[step].filter(|value| value.is_finite());
        let column = over_steps(&one, steps, value).columns.pop()?;
        Some(column.called(&self.label))
    }

    /// The number's identity without the step, once a point is read.
    pub(super) fn identity(&self) -> Option<u64> {
        self.like.as_ref().map(|like| like.identity)
    }

    /// Takes note of what the number is. Measured with other key frequencies or sets, earlier points are of another
    /// number: returns true then, without them.
    pub(super) fn becomes(&mut self, like: Like) -> bool {
        let is_another = self.like.as_ref().is_some_and(|known| known.chosen != like.chosen);
        if is_another {
            self.points.clear();
            self.like = None;
        }
        self.like.get_or_insert(like);
        is_another
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.entry.name, &self.source, &self.lead) == (other.entry.name, &other.source, &other.lead)
    }

    /// The column that holds the cell.
    pub(super) fn column(&self, panel: &Panel) -> Option<Column> {
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

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.view == other.view
            && self.sequence.tokens == other.sequence.tokens
            && self.ablation.off == other.ablation.off
            && (self.cursor, self.form) == (other.cursor, other.form)
            && self.settings == other.settings
            && self.circuits == other.circuits
    }
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
    pub(super) fn put(&self, app: &mut App, timeline: Timeline) {
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
    /// Steps at which all of them are read.
    pub(super) read: BTreeSet<usize>,
    /// Whether they are in the list of curves: births are read from others.
    is_listed: bool,
}

impl Group {
    pub(super) fn new(place: Place, curves: Vec<Curve>, is_listed: bool) -> Self {
        Self { place, curves, read: BTreeSet::new(), is_listed }
    }
}

/// All curves.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    pub(crate) groups: Vec<Group>,
    /// The app that looks at one snapshot after another.
    pub(super) reader: Option<Box<App>>,
    /// Group and snapshot that are being read.
    pub(super) reading: Option<(usize, Arc<Snapshot>)>,
    /// Points of this and of earlier sessions, by number and weights.
    pub(super) known: HashMap<(u64, u32), Option<f64>>,
    /// The selected curve.
    pub(crate) selected: usize,
}

impl Curves {
    /// All listed curves in order, each with the index of its group.
    fn listed(&self) -> impl Iterator<Item = (usize, &Curve)> {
        let groups = self.groups.iter().enumerate().filter(|(_, group)| group.is_listed);
        groups.flat_map(|(at, group)| group.curves.iter().map(move |curve| (at, curve)))
    }

    /// All listed curves in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Curve> {
        self.listed().map(|(_, curve)| curve)
    }

    /// The selected curve, with the index of its group.
    pub(crate) fn under_cursor(&self) -> Option<(usize, &Curve)> {
        self.listed().take(self.selected + 1).last()
    }

    /// Whether none is listed.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// The curves that are not listed.
    pub(super) fn hidden(&self) -> Option<&Group> {
        self.groups.iter().find(|group| !group.is_listed)
    }

    /// Adds curves that are not listed, to be read before the others.
    pub(super) fn hide(&mut self, group: Group) {
        self.reading = None;
        self.groups.insert(0, group);
    }

    /// Adds a curve at a place. Returns false if it is there.
    pub(crate) fn add(&mut self, place: Place, curve: Curve) -> bool {
        // The point that is being read lacks it.
        self.reading = None;
        match self.groups.iter_mut().find(|group| group.place == place) {
            Some(group) if group.curves.iter().any(|known| known.is_like(&curve)) => return false,
            Some(group) => {
                group.curves.push(curve);
                group.read.clear();
            }
            None => self.groups.push(Group::new(place, vec![curve], true)),
        }
        true
    }

    /// Adds the curves of a place.
    pub(crate) fn add_all(&mut self, place: Place, curves: Vec<Curve>) {
        self.reading = None;
        self.groups.push(Group::new(place, curves, true));
    }

    /// Removes the selected curve.
    pub(crate) fn remove(&mut self) {
        let (mut at, selected) = (0, self.selected);
        for group in self.groups.iter_mut().filter(|group| group.is_listed) {
            group.curves.retain(|_| {
                at += 1;
                at != selected + 1
            });
        }
        self.reading = None;
        self.groups.retain(|group| !group.curves.is_empty());
        self.selected = selected.min(at.saturating_sub(2));
    }

    /// Group and snapshot of the next point to read. What births are read from comes first, then the selected curve, then the
    /// group that lacks most points: one that is read anew, its key frequencies having changed, does not delay the others. In
    /// a group, the point where the known steps are furthest apart.
    pub(super) fn next(&self, snapshots: &[&Arc<Snapshot>]) -> Option<(usize, Arc<Snapshot>)> {
        let missing =
            |group: &Group| snapshots.iter().filter(|snapshot| !group.read.contains(&snapshot.step)).count();
        let selected = self.under_cursor().map(|(at, _)| at);
        let unread = self.groups.iter().enumerate().map(|(at, group)| (at, group, missing(group)));
        let (at, group, _) = unread
            .filter(|(.., missing)| *missing > 0)
            .min_by_key(|(at, group, missing)| (group.is_listed, Some(*at) != selected, Reverse(*missing)))?;
        let known: Vec<bool> = snapshots.iter().map(|snapshot| group.read.contains(&snapshot.step)).collect();
        let distance = |at: usize| (0..known.len()).filter(|to| known[*to]).map(|to| at.abs_diff(to)).min();
        let missing = (0..known.len()).filter(|at| !known[*at]);
        let next = missing.max_by_key(|at| distance(*at).unwrap_or(usize::MAX))?;
        Some((at, Arc::clone(snapshots[next])))
    }
}
