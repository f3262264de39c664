//! The panels of the views: the numbers on screen, whole, each with what it is of.

use std::sync::Arc;

use super::App;
use crate::figure::{Panel, Spec};
use crate::inquiry::Probe;

/// A panel of a view, as `headcount show` and files name it.
pub(crate) struct PanelEntry {
    /// One name over all views.
    pub(crate) name: &'static str,
    /// What it answers.
    pub(crate) says: &'static str,
    /// The questions that its columns answer.
    pub(crate) questions: &'static [&'static Spec],
    /// Sets the view so that what the panel needs is asked.
    pub(crate) open: fn(&mut App),
    /// The panel at the cursor; `None` while its numbers are not known, or where there are none.
    pub(crate) build: fn(&App) -> Option<Panel>,
}

/// A panel whose numbers are asked whenever its view is in front: name, what it answers, its questions, and how it is
/// built. A macro, so that the list of questions lives as long as the program.
macro_rules! panel {
    ($name:literal, $says:literal, [$($question:ident),*], $build:expr $(,)?) => {
        $crate::app::panels::panel!($name, $says, [$($question),*], $build, opened_by: |_| {})
    };
    ($name:literal, $says:literal, [$($question:ident),*], $build:expr, opened_by: $open:expr $(,)?) => {
        PanelEntry { name: $name, says: $says, questions: &[$(&$question),*], open: $open, build: $build }
    };
}
pub(crate) use panel;

impl App {
    /// The answer at hand, if there is any.
    pub(crate) fn answered(&self) -> Option<&Arc<Probe>> {
        self.probe.as_ref().filter(|probe| !probe.is_empty())
    }

    /// Whether any panel of the view in front has numbers. From the last one on: the first ones sort long lists.
    pub(crate) fn has_numbers(&self) -> bool {
        self.view.room().panels.iter().rev().any(|entry| (entry.build)(self).is_some())
    }

    /// The panels of the view in front whose numbers are known, the focused one first.
    pub(crate) fn panels(&self) -> Vec<Panel> {
        let room = self.view.room();
        let mut panels: Vec<Panel> = room.panels.iter().filter_map(|entry| (entry.build)(self)).collect();
        let focused = (room.focus)(self);
        panels.sort_by_key(|panel| panel.name != focused);
        panels
    }
}
