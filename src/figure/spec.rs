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
    /// What chance gives, or a component that does nothing of the kind; empty where there is no such value.
    pub baseline: &'static str,
    /// What it is an array over.
    pub axes: &'static [Dim],
}

impl Spec {
    /// Nothing said: a question names only what it has.
    pub const BARE: Self = Self { name: "", unit: "", definition: "", source: "", baseline: "", axes: &[] };

    /// Definition, unit, baseline and source in a paragraph.
    pub fn words(&self) -> String {
        let said = |before: &str, what: &str, after: &str| match what {
            "" => String::new(),
            what => format!("{before}{what}{after}"),
        };
        let unit = said(", in ", self.unit, "");
        let baseline = said("; baseline: ", self.baseline, "");
        format!("{}{unit}{baseline}{}", self.definition, said(" (", self.source, ")"))
    }
}
