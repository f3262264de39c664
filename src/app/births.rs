//! When each class was learnt, and since when neurons track each class: read from curves that are not listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ablation::Ablation;
use super::curves::{Curve, Group, Place, Source};
use super::panels::PanelEntry;
use super::settings::{Settings, TrackerNumber};
use super::{App, Command, RunPanel, ViewId};
use crate::figure::{At, Axis, Column, Dim, Figure, Panel, Spec, Subject, Taken};
use crate::inquiry::tracker_sets::{TRACKER_CHANCE, TRACKER_SCORE};
use crate::inquiry::{Over, WeightForm};

/// When a class was learnt.
pub(crate) static LEARNT_AT: Spec = Spec {
    name: "learnt_at",
    unit: "step",
    definition: "the first kept step with accuracy_by_class of at least 1/2 there and at every later kept step; none where the \
                 newest is below",
    axes: &[Dim::Class],
    ..Spec::BARE
};

/// Since when neurons track a class.
pub(crate) static TRACKED_SINCE: Spec = Spec {
    name: "tracked_since",
    unit: "step",
    definition: "the first kept step from which on tracker_score is at least half that of the newest kept step, and above \
                 tracker_chance; none where the newest is not above chance. A set may score above chance at step 0 already: \
                 it is chosen by what the neurons do at the end",
    axes: &[Dim::Class],
    ..Spec::BARE
};

/// Of more classes there are no births.
const MOST_CLASSES: usize = 256;

/// The panels and columns that births are read from.
const READ: [(&str, &str); 3] =
    [("classes", "accuracy"), ("tracker_scores", "score"), ("tracker_scores", "chance")];

/// The first step from which on all values are such.
fn since(values: &BTreeMap<usize, f64>, is_such: impl Fn(usize, f64) -> bool) -> Option<usize> {
    let lasting = values.iter().rev().take_while(|(step, value)| is_such(**step, **value));
    lasting.last().map(|(step, _)| *step)
}

impl App {
    /// Whether births can be read: of a run with few classes.
    pub(super) fn has_births(&self) -> bool {
        self.has_data() && !self.is_without_step() && self.task().outputs().len() <= MOST_CLASSES
    }

    /// Shows births and asks for what they are read from, if a panel is theirs.
    pub(crate) fn read_births(&mut self, entry: &PanelEntry) -> Vec<Command> {
        if !entry.questions.contains(&&LEARNT_AT) {
            return Vec::new();
        }
        self.settings.run_panel = RunPanel::Births;
        self.add_births();
        self.next_point()
    }

    /// Adds the curves that births are read from, once.
    pub(super) fn add_births(&mut self) {
        if !self.has_births() || self.curves.hidden().is_some() {
            return;
        }
        let settings = Settings { tracker_sets: Some(TrackerNumber::Score), ..Settings::default() };
        let (ablation, form) = (Ablation::default(), WeightForm::Trained);
        let place = Place { view: ViewId::ALL[0], ablation, settings, form, ..Place::of(self) };
        let has_trackers = self.of_tracker_sets(TrackerNumber::Score).is_some();
        let read = &READ[..if has_trackers { READ.len() } else { 1 }];
        let entries = read.iter().filter_map(|(panel, column)| Some((Self::panel_called(panel)?.1, *column)));
        let curves = entries.flat_map(|(entry, column)| {
            (0..self.task().outputs().len()).map(move |class| {
                Curve::new(entry, Source::Column(column.into()), vec![class], String::new())
            })
        });
        let curves = curves.collect();
        self.curves.hide(Group::new(place, curves, false));
    }
}

/// The numbers of the classes by step, in the order of [`READ`].
struct Read<'a> {
    group: &'a Group,
    classes: usize,
}

impl Read<'_> {
    fn points(&self, which: usize, class: usize) -> Option<&BTreeMap<usize, f64>> {
        self.group.curves.get(which * self.classes + class).map(|curve| &curve.points)
    }

    fn learnt_at(&self, class: usize) -> Option<usize> {
        since(self.points(0, class)?, |_, accuracy| accuracy >= 0.5)
    }

    fn tracked_since(&self, class: usize) -> Option<usize> {
        let (scores, chance) = (self.points(1, class)?, self.points(2, class)?);
        let half = scores.last_key_value()?.1 / 2.0;
        since(scores, |step, score| score >= half && chance.get(&step).is_some_and(|chance| score > *chance))
    }

    fn newest(&self, which: usize, class: usize) -> Option<f64> {
        let value = self.points(which, class)?.last_key_value()?.1;
        Some(*value).filter(|value| value.is_finite())
    }
}

/// The classes in the order in which they were learnt; `None` before the first snapshot is read.
pub(crate) fn panel(app: &App) -> Option<Panel> {
    let (group, classes) = (app.curves.hidden()?, app.task().outputs().len());
    let steps: Vec<usize> = group.curves.first()?.points.keys().copied().collect();
    let (first, last) = (*steps.first()?, *steps.last()?);
    let read = Read { group, classes };
    let subject = app.subject(app.timeline.newest()?, WeightForm::Trained).over(Over::Validation);
    let taken = Taken::Over(Box::new([steps.len(), first, last]));
    let (over, newest) = (
        Arc::new(Subject { taken, ..subject.clone() }),
        Arc::new(Subject { taken: Taken::At(last), ..subject }),
    );
    let axis = Axis::classes(app.options.dataset.task());
    let (known, parts) = (group.curves.iter().map(|curve| curve.points.len()).min()?, app.curve_steps());
    let whole = |spec, of: &dyn Fn(usize) -> Option<usize>| {
        let values: Vec<Option<usize>> = (0..classes).map(of).collect();
        Figure::new(spec, vec![axis.clone()], &over, move |at| values[at[0]].into()).partial(known, parts)
    };
    let number = |spec, which: usize| {
        let values: Vec<Option<f64>> = (0..classes).map(|class| read.newest(which, class)).collect();
        Figure::new(spec, vec![axis.clone()], &newest, move |at| values[at[0]].into())
    };
    let mut figures = vec![whole(&LEARNT_AT, &|class| read.learnt_at(class))];
    if group.curves.len() > classes {
        figures.push(whole(&TRACKED_SINCE, &|class| read.tracked_since(class)));
        figures.extend([number(&TRACKER_SCORE, 1), number(&TRACKER_CHANCE, 2)]);
    }
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by_key(|class| read.learnt_at(*class).unwrap_or(usize::MAX));
    let column = |figure: &Arc<Figure>| Column::new(figure.spec.name, figure, [At::Lead(0)]);
    Some(Panel::new("births", [axis.clone()]).ordered(order).and(figures.iter().map(column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_again_is_not_learnt_before() {
        let values = BTreeMap::from([(0, 0.6), (1, 0.1), (2, 0.7), (4, 0.5), (8, 0.9)]);
        assert_eq!(since(&values, |_, value| value >= 0.5), Some(2));
        assert_eq!(since(&values, |step, value| step > 3 && value >= 0.8), Some(8));
        assert_eq!(since(&values, |_, value| value > 0.9), None);
        assert_eq!(since(&BTreeMap::from([(3, f64::NAN)]), |_, value| value >= 0.5), None);
    }
}
