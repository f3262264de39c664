//! What a figure means.

use super::Dim;

/// A question: one row of `headcount show --list`, of the help overlay and of the README's glossary.
#[derive(Debug, PartialEq)]
pub struct Spec {
    /// Its name in tables, files and on the command line.
    pub name: &'static str,
    /// What it is measured in; empty for a pure number or a name.
    pub unit: &'static str,
    /// The formula in one line.
    pub definition: &'static str,
    /// The paper, library or notebook whose definition it is; empty for our own.
    pub source: &'static str,
    /// The value of a component that does nothing of the kind; empty where there is none.
    pub chance: &'static str,
    /// What it is an array over.
    pub axes: &'static [Dim],
}

impl Spec {
    /// Definition, unit, chance level and source in a paragraph.
    pub fn words(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(", in {}", self.unit) };
        let chance =
            if self.chance.is_empty() { String::new() } else { format!("; baseline: {}", self.chance) };
        let source = if self.source.is_empty() { String::new() } else { format!(" ({})", self.source) };
        format!("{}{unit}{chance}{source}", self.definition)
    }
}
