//! The standing curves: what a researcher asks of every run.

use std::sync::Arc;

use super::App;
use super::ablation::Ablation;
use super::curves::{Curve, Place, Source};
use super::event::Command;
use super::settings::{RunPanel, Settings, TrackerNumber};
use crate::inquiry::WeightForm;
use crate::model::PatternKind;
use crate::task::Split;

/// Classes, situations and heads with curves of their own.
const MOST: usize = 16;

/// The attention scores of a head.
const SCORES: [&str; 3] = ["induction_score", "previous_score", "duplicate_score"];

impl App {
    /// Shows accuracies, curves, or births; without any curves, adds the standing ones.
    pub(super) fn next_run_panel(&mut self) {
        self.settings.run_panel = match self.settings.run_panel {
            RunPanel::Accuracies => RunPanel::Curves,
            RunPanel::Curves if self.has_births() => RunPanel::Births,
            RunPanel::Curves | RunPanel::Births => RunPanel::Accuracies,
        };
        match self.settings.run_panel {
            RunPanel::Curves if self.curves.is_empty() => self.add_standing(),
            RunPanel::Accuracies | RunPanel::Curves => {}
            RunPanel::Births => self.add_births(),
        }
    }

    /// Adds the standing curves and asks for their points.
    pub(crate) fn stand_curves(&mut self) -> Vec<Command> {
        self.add_standing();
        self.next_point()
    }

    fn add_standing(&mut self) {
        let clean = Place {
            ablation: Ablation::default(),
            settings: Settings::default(),
            form: WeightForm::Trained,
            ..Place::of(self)
        };
        if self.has_data() {
            self.add_uniform(&clean);
            self.add_progress(&clean);
            self.add_accuracies(&clean);
        }
        self.add_scores(&clean);
        self.add_damage(&clean);
    }

    fn add(&mut self, place: &Place, panel: &str, column: &str, lead: &[usize], label: String) {
        let Some((view, entry)) = Self::panel_called(panel) else { return };
        let curve = Curve::new(entry, Source::Column(column.into()), lead.to_vec(), label);
        self.curves.add(Place { view, ..place.clone() }, curve);
    }

    /// Loss and accuracy over the validation set, by class and by situation.
    fn add_accuracies(&mut self, place: &Place) {
        for column in ["loss", "accuracy"] {
            self.add(place, "accuracies", column, &[0], format!("validation {column}"));
        }
        let task = Arc::clone(self.options.dataset.task());
        let classes = task.outputs().len();
        for class in (0..classes).filter(|_| classes <= MOST) {
            let name = task.outputs().name(class as crate::task::Class);
            self.add(place, "classes", "accuracy", &[class], format!("accuracy, class {name}"));
        }
        let groups =
            task.situations().iter().flat_map(|one| one.values.iter().map(|value| (one.name, value)));
        for (at, (name, value)) in groups.enumerate().take(MOST) {
            for column in ["accuracy", "loss"] {
                self.add(place, "situations", column, &[at], format!("{column}, {name} {value}"));
            }
        }
        let dataset = Arc::clone(&self.options.dataset);
        let (examples, longest) = (dataset.examples(Split::Validation), dataset.longest(Split::Validation));
        let is_scored =
            |at: usize| examples.iter().any(|example| example.targets().get(at).is_some_and(Option::is_some));
        // Of many positions those that double: the first ones differ most.
        let is_shown = |at: usize| longest <= MOST || at.count_ones() < 2 || at == longest - 1;
        for position in (0..longest).filter(|at| is_shown(*at) && is_scored(*at)) {
            self.add(place, "position_accuracies", "loss", &[position], format!("loss, position {position}"));
        }
    }

    /// What the newest snapshot's trackers of each class cost the class.
    fn add_damage(&mut self, place: &Place) {
        if self.of_tracker_sets(TrackerNumber::Damage).is_none() {
            return;
        }
        let settings = Settings { tracker_sets: Some(TrackerNumber::Damage), ..Settings::default() };
        let place = Place { settings, ..place.clone() };
        for class in 0..self.task().outputs().len() {
            let name = self.task().outputs().name(class as crate::task::Class);
            self.add(&place, "tracker_costs", "loss", &[class], format!("damage of trackers, class {name}"));
        }
    }

    /// The accuracy with every head's attention made uniform.
    fn add_uniform(&mut self, place: &Place) {
        let mut ablation = Ablation::default();
        let heads = self.options.model.heads();
        ablation.off.patterns = heads.map(|id| (id, PatternKind::Uniform)).collect();
        let place = Place { ablation, ..place.clone() };
        self.add(&place, "effect", "accuracy", &[1], "accuracy, uniform attention".into());
    }

    /// The progress measures of a task of pairs on a circle.
    fn add_progress(&mut self, place: &Place) {
        if self.of_progress().is_none() {
            return;
        }
        for name in ["restricted_loss", "excluded_loss", "embedding_gini"] {
            self.add(place, "progress", name, &[], name.replace('_', " "));
        }
    }

    /// The attention scores of each head.
    fn add_scores(&mut self, place: &Place) {
        let heads: Vec<_> = self.options.model.heads().collect();
        if heads.len() > MOST || !self.has_data() {
            return;
        }
        for score in SCORES {
            for id in &heads {
                let label = format!("{score} {}.{}", id.layer, id.head);
                self.add(place, "heads", score, &[id.layer, id.head], label);
            }
        }
    }
}
