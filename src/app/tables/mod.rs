//! The numbers of the view in front as tables, to be copied and exported: what the screen rounds, whole.

mod circuits;
mod pass;
mod table;
mod validation;

use serde::Serialize;

use super::App;
use super::event::{Command, Export, Notice};
use super::provenance::Of;
use crate::inquiry::{Question, Subject, WeightForm};
use crate::model::{AblationKind, HeadId, ModelConfig, NeuronId, PatternKind};
use crate::task::{Class, Token};

pub(crate) use crate::figure::Datum;
pub(crate) use table::Table;

/// What is off, for computing it again.
#[derive(Serialize)]
struct Off<'a> {
    heads: Vec<&'a HeadId>,
    neurons: Vec<&'a NeuronId>,
    patterns: Vec<(&'a HeadId, &'a PatternKind)>,
    kind: AblationKind,
}

/// What numbers beyond the sequence are of: they may have been taken at an earlier step than the one in view.
#[derive(Serialize)]
struct Taken {
    what: &'static str,
    step: usize,
    weights: &'static str,
    sequences: usize,
}

/// Everything about the tables.
#[derive(Serialize)]
struct Whole<'a> {
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
    taken: Vec<Taken>,
    tables: Vec<Table>,
}

impl App {
    pub(super) fn copy(&mut self) -> Vec<Command> {
        let Some(table) = self.tables().into_iter().next() else { return self.no_numbers() };
        if !self.is_answered() || self.is_evaluating() {
            return self.not_yet();
        }
        self.say(Notice::info(format!(
            "{} rows of {} sent to the terminal's clipboard",
            table.rows.len(),
            table.name
        )));
        vec![Command::Copy(table.csv())]
    }

    pub(super) fn export(&mut self) -> Vec<Command> {
        let tables = self.tables();
        let Some(csv) = tables.first().map(Table::csv) else { return self.no_numbers() };
        if !self.is_answered() || self.is_evaluating() {
            return self.not_yet();
        }
        match self.whole(tables) {
            Ok((name, json)) => vec![Command::Export(Export { name, csv, json })],
            Err(error) => self.say(Notice::error(format!("cannot export: {error}"))),
        }
    }

    fn no_numbers(&mut self) -> Vec<Command> {
        self.say(Notice::info("there are no numbers here yet"))
    }

    /// What is shown is of another question than the one that the file would name.
    fn not_yet(&mut self) -> Vec<Command> {
        self.say(Notice::info("still computing: again in a moment"))
    }

    /// The tables of the view in front, the focused one first; none before its numbers are known.
    pub(super) fn tables(&self) -> Vec<Table> {
        (self.view.room().tables)(self)
    }

    /// A name for the files, and the whole as JSON.
    fn whole(&self, tables: Vec<Table>) -> serde_json::Result<(String, String)> {
        let probe = self.probe.as_deref();
        let current = self.timeline.current().map(|snapshot| snapshot.step);
        let step = probe.map(|probe| probe.subject.step()).or(current).unwrap_or(self.trainer.step);
        let taken = self.taken();
        // A circuit is of the folded weights, whichever are looked at.
        let circuit = taken.first().filter(|_| self.view.room().of == Of::Weights);
        let step = circuit.map_or(step, |circuit| circuit.step);
        let form = probe.map_or(self.form, |probe| probe.subject.form);
        let form = if circuit.is_some() { WeightForm::Folded } else { form };
        // The course of the training is of all its steps, whichever snapshot is looked at.
        let is_course = self.view.room().of == Of::Training;
        let (step, form) = if is_course { (self.trainer.step, WeightForm::Trained) } else { (step, form) };
        let weights = form.word();
        let view = self.view.title().to_lowercase();
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
            target: self.target_words(),
            off: Off {
                heads: off.heads.iter().collect(),
                neurons: off.neurons.iter().collect(),
                patterns: off.patterns.iter().collect(),
                kind: off.kind,
            },
            taken,
            tables,
        };
        // A lone file does not say after how many steps it was saved.
        let is_lone = self.is_exploring() && self.timeline.all().all(|snapshot| snapshot.step == 0);
        let at = if is_lone { String::new() } else { format!("-step-{step:06}") };
        Ok((format!("{view}{at}-{weights}"), serde_json::to_string_pretty(&whole)?))
    }

    /// What the view shows beyond the sequence, and of which weights.
    fn taken(&self) -> Vec<Taken> {
        let asks = (self.view.room().asks)(self);
        let taken = |(subject, question): (Subject, Question)| {
            let answer = self.studies.answer_to(&subject, &question).filter(|_| !question.is_quick())?;
            let (step, weights, sequences) = (answer.step(), answer.form().word(), answer.sequences);
            Some(Taken { what: question.name(), step, weights, sequences })
        };
        asks.into_iter().filter_map(taken).collect()
    }

    pub(super) fn target_words(&self) -> String {
        use crate::analysis::Target;
        match self.cursor.target {
            Target::Label => "label".into(),
            Target::Prediction => "prediction".into(),
            Target::LabelMinusRunnerUp => "label minus runner-up".into(),
            Target::Token(class) => format!("token {}", self.task().outputs().name(class)),
        }
    }
}
