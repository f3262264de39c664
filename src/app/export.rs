//! The numbers of the current view for the clipboard and files: at full precision, unlike the screen.

use serde::Serialize;

use super::App;
use super::event::{Command, Export, Notice};
use crate::figure::{Panel, csv, json};
use crate::model::{AblationKind, EditRule, EditTable, HeadId, ModelConfig, NeuronId, PatternKind};
use crate::task::{Class, Token};

/// The interventions, for recomputing the numbers.
#[derive(Serialize)]
struct Off<'a> {
    heads: Vec<&'a HeadId>,
    neurons: Vec<&'a NeuronId>,
    patterns: Vec<(&'a HeadId, &'a PatternKind)>,
    kind: AblationKind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<&'a EditTable>,
}

/// The state of the screen and its numbers.
#[derive(Serialize)]
struct Whole<'a, T> {
    view: &'static str,
    task: &'a str,
    seed: u64,
    config: &'a ModelConfig,
    weights: &'static str,
    weights_file: Option<&'a str>,
    step: usize,
    sequence: String,
    tokens: &'a [Token],
    labels: &'a [Option<Class>],
    position: usize,
    key: usize,
    layer: usize,
    head: usize,
    neuron: usize,
    target: String,
    off: Off<'a>,
    tables: T,
}

impl App {
    pub(super) fn copy(&mut self) -> Vec<Command> {
        let Some(panel) = self.panels().into_iter().next() else { return self.no_numbers() };
        if self.is_awaited() {
            return self.not_yet();
        }
        let (rows, name) = (panel.len(), panel.name);
        self.say(Notice::info(format!("{rows} rows of {name} sent to the terminal's clipboard")));
        vec![Command::Copy(csv(&panel))]
    }

    pub(super) fn export(&mut self) -> Vec<Command> {
        let panels = self.panels();
        let Some(first) = panels.first() else { return self.no_numbers() };
        if self.is_awaited() {
            return self.not_yet();
        }
        match self.whole(first, &panels) {
            Ok((name, json)) => vec![Command::Export(Export { name, csv: csv(first), json })],
            Err(error) => self.say(Notice::error(format!("cannot export: {error}"))),
        }
    }

    /// Whether numbers on screen are about to change.
    fn is_awaited(&self) -> bool {
        let is_pending = |app: &Self| !app.is_answered() || app.is_evaluating();
        is_pending(self) || self.compared().is_some_and(Self::is_pending)
    }

    fn no_numbers(&mut self) -> Vec<Command> {
        self.say(Notice::info("there are no numbers here yet"))
    }

    /// The numbers on screen do not yet belong to the question that the file would name.
    fn not_yet(&mut self) -> Vec<Command> {
        self.say(Notice::info("still computing: again in a moment"))
    }

    /// Prefix of the file names, and the JSON text; weights and step are those of the focused panel's first column.
    fn whole(&self, first: &Panel, panels: &[Panel]) -> serde_json::Result<(String, String)> {
        let probe = self.probe.as_deref();
        let of = first.columns.first().map(|column| &column.figure.of);
        let step = of.map_or(self.trainer.step, |of| of.step());
        let weights = of.map_or(self.form, |of| of.form).word();
        let off = &self.ablation.off;
        let whole = Whole {
            view: self.view.title(),
            task: &self.options.title,
            seed: self.options.seed,
            config: &self.options.model,
            weights,
            weights_file: match &self.options.mode {
                super::Mode::Exploring { weights } => Some(weights),
                super::Mode::Live => None,
            },
            step,
            sequence: self.sequence.source.to_string(),
            tokens: probe.map_or(&[], |probe| probe.tokens()),
            labels: probe.map_or(&[], |probe| &probe.targets),
            position: self.cursor.position,
            key: self.cursor.key,
            layer: self.cursor.layer,
            head: self.cursor.head,
            neuron: self.cursor.neuron,
            target: self.cursor.target.words(self.task()),
            off: Off {
                heads: off.heads.iter().collect(),
                neurons: off.neurons.iter().collect(),
                patterns: off.patterns.iter().collect(),
                kind: off.kind,
                edits: off.list.iter().map(EditRule::table).collect(),
            },
            tables: json(panels),
        };
        let at = if self.is_without_step() { String::new() } else { format!("-step-{step:06}") };
        let view = self.view.title().to_lowercase();
        Ok((format!("{view}{at}-{weights}"), serde_json::to_string_pretty(&whole)?))
    }
}
