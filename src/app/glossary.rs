//! All panels and all questions.

use std::fmt::Write;

use super::panels::PanelEntry;
use super::views::ViewId;
use crate::figure::Spec;

/// Every panel with its view.
pub(crate) fn entries() -> impl Iterator<Item = (ViewId, &'static PanelEntry)> {
    ViewId::ALL.iter().flat_map(|view| view.room().panels.iter().map(move |entry| (*view, entry)))
}

/// Every question once, with the first panel that shows it.
pub(crate) fn questions() -> Vec<(ViewId, &'static PanelEntry, &'static Spec)> {
    let mut found: Vec<(ViewId, &'static PanelEntry, &'static Spec)> = Vec::new();
    for (view, entry) in entries() {
        for spec in entry.questions {
            if !found.iter().any(|(.., known)| known.name == spec.name) {
                found.push((view, entry, spec));
            }
        }
    }
    found
}

/// What each number means, for the README, in Markdown.
pub fn glossary() -> String {
    let mut out = String::from("| view | question | what it is |\n|---|---|---|\n");
    for (view, _, spec) in questions() {
        let words = spec.words().replace('|', "\\|");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {} | `{}` | {words} |", view.title(), spec.name);
    }
    out
}
