//! The panels of the views: the numbers on screen, complete, each with its subject.

use std::sync::Arc;

use super::App;
use crate::figure::{Panel, Spec};
use crate::inquiry::Probe;

/// A panel of a view, under its name in `headcount show` and in files.
#[derive(Debug)]
pub(crate) struct PanelEntry {
    /// Name, unique over all views.
    pub(crate) name: &'static str,
    /// The question that it answers, in words.
    pub(crate) says: &'static str,
    /// The questions that its columns answer.
    pub(crate) questions: &'static [&'static Spec],
    /// Changes the view's settings so that the panel's questions are asked.
    pub(crate) open: fn(&mut App),
    /// The panel at the cursor; `None` until its numbers are known, or if there are none.
    pub(crate) build: fn(&App) -> Option<Panel>,
}

/// A panel whose questions are asked whenever its view is shown: name, words, questions, and how it is built. A macro,
/// so that the list of questions is static.
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
    /// The last answer, if any.
    pub(crate) fn answered(&self) -> Option<&Arc<Probe>> {
        self.probe.as_ref().filter(|probe| !probe.is_empty())
    }

    /// Whether any panel of the current view has numbers. Checked from the last panel: the first ones sort long lists.
    pub(crate) fn has_numbers(&self) -> bool {
        self.view.room().panels.iter().rev().any(|entry| (entry.build)(self).is_some())
    }

    /// The known panels of the current view, the focused one first.
    pub(crate) fn panels(&self) -> Vec<Panel> {
        let room = self.view.room();
        let mut panels: Vec<Panel> = room.panels.iter().filter_map(|entry| (entry.build)(self)).collect();
        let focused = (room.focus)(self);
        panels.sort_by_key(|panel| panel.name != focused);
        panels
    }
}
