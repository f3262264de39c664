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

/// A panel on screen.
pub(crate) struct PanelInView {
    /// Its numbers; less those of the remembered subject while another is in view.
    pub(crate) panel: Panel,
    /// Why they are no difference then.
    pub(crate) as_it_is: Option<String>,
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

    /// The known panels of the current view as on screen, the focused one first.
    pub(crate) fn panels(&self) -> Vec<Panel> {
        self.panels_in_view().into_iter().map(|shown| shown.panel).collect()
    }

    /// The same, and which of them have no difference to the remembered subject.
    pub(crate) fn panels_in_view(&self) -> Vec<PanelInView> {
        let room = self.view.room();
        let entries = room.panels.iter();
        let mut panels: Vec<PanelInView> = entries.filter_map(|entry| self.in_view(entry)).collect();
        let focused = (room.focus)(self);
        panels.sort_by_key(|shown| shown.panel.name != focused);
        panels
    }

    fn in_view(&self, entry: &'static PanelEntry) -> Option<PanelInView> {
        let panel = (entry.build)(self)?;
        let Some(other) = self.compared() else { return Some(PanelInView { panel, as_it_is: None }) };
        if panel.is_over_steps() {
            return Some(PanelInView { panel, as_it_is: Some("over all steps".into()) });
        }
        let difference = match (entry.build)(other) {
            Some(theirs) => panel.minus(&theirs).map_err(|why| why.to_string()),
            None if other.inquiry_failure.is_some() => Err("no answer there".into()),
            None if other.is_pending() => Err("computing".into()),
            None => Err("not known there".into()),
        };
        Some(match difference {
            Ok(panel) => PanelInView { panel, as_it_is: None },
            Err(why) => PanelInView { panel, as_it_is: Some(why) },
        })
    }
}
