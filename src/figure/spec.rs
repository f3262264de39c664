//! The definition of a figure.

use super::Dim;

/// A question: one row of `headcount show --list`, of the help overlay and of the README's glossary.
#[derive(Debug, PartialEq)]
pub struct Spec {
    /// Its name in tables, files and on the command line.
    pub name: &'static str,
    /// The unit; empty for a pure number or a name.
    pub unit: &'static str,
    /// The formula in one line.
    pub definition: &'static str,
    /// The paper, library or notebook of the definition; empty for our own.
    pub source: &'static str,
    /// The value at chance, or of a component without the effect; empty if there is none.
    pub baseline: &'static str,
    /// The dimensions.
    pub axes: &'static [Dim],
}

impl Spec {
    /// An empty spec: each question sets only its own fields.
    pub const BARE: Self = Self { name: "", unit: "", definition: "", source: "", baseline: "", axes: &[] };

    /// Definition, unit, baseline and source as a paragraph.
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
