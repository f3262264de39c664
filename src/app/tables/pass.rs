//! Tables of one sequence: attention, logits, neurons.

use super::{Datum, Table};
use crate::app::{App, Patterns};
use crate::inquiry::Probe;
use crate::model::NeuronId;
use crate::task::Feature;

/// Columns of the pattern from one query: of which head it is, and over how many sequences.
const KEYS: [&str; 11] = [
    "query",
    "key",
    "token",
    "attention",
    "times_uniform",
    "value_norm",
    "attention_times_norm",
    "layer",
    "head",
    "pattern",
    "sequences",
];

/// Columns of the neurons: their own values, and those in force.
const NEURONS: [&str; 9] = [
    "neuron",
    "activation_clean",
    "activation_current",
    "contribution_clean",
    "contribution_current",
    "favours",
    "tracks",
    "effect",
    "off",
];

impl App {
    /// The pattern from the cursor's query, and every head in figures.
    pub(in crate::app) fn attention_tables(&self, probe: &Probe) -> Vec<Table> {
        let n_heads = probe.config().n_heads;
        let at = self.cursor.layer * n_heads + self.cursor.head;
        let pass = probe.current();
        let mean = self.studies.heads().filter(|_| self.settings.patterns == Patterns::Mean);
        let mean = mean.and_then(|(_, heads)| heads.get(at)).map(|head| head.pattern.as_slice());
        let len = mean.map_or(probe.len(), |pattern| pattern.len().isqrt().min(probe.len()));
        let query = self.position_in(probe).min(len.saturating_sub(1));
        let attention = |key: usize| match mean {
            Some(pattern) => pattern[query * pattern.len().isqrt() + key],
            None => pass.attention(self.cursor.layer, self.cursor.head, query)[key],
        };
        let norms = &pass.heads[at].value_norms;
        let (pattern, sequences) = match self.studies.heads().filter(|_| mean.is_some()) {
            Some((study, _)) => ("mean", study.sequences),
            None => ("this sequence", 1),
        };
        let key = |key: usize| {
            let a = attention(key);
            let of_sequence = mean.is_none();
            vec![
                query.into(),
                key.into(),
                of_sequence.then(|| probe.tokens()[key]).into(),
                a.into(),
                (a * (query + 1) as f32).into(),
                of_sequence.then(|| norms[key]).into(),
                of_sequence.then(|| a * norms[key]).into(),
                self.cursor.layer.into(),
                self.cursor.head.into(),
                pattern.to_owned().into(),
                sequences.into(),
            ]
        };
        vec![Table::new("keys", &KEYS, (0..=query).map(key).collect()), self.head_table(probe)]
    }

    /// Two figures of this sequence's patterns, and the scores, which are of others.
    fn head_table(&self, probe: &Probe) -> Table {
        let n_heads = probe.config().n_heads;
        let study = self.studies.heads();
        let row = |(at, summary): (usize, &crate::analysis::HeadSummary)| {
            let scores = study.and_then(|(_, heads)| heads.get(at)).map(|head| head.scores);
            vec![
                (at / n_heads).into(),
                (at % n_heads).into(),
                summary.mean_entropy().into(),
                summary.mean_kl().into(),
                scores.map(|scores| scores.previous).into(),
                scores.map(|scores| scores.duplicate).into(),
                scores.map(|scores| scores.induction).into(),
                scores.map(|scores| scores.uniform).into(),
                study.map(|(study, _)| study.sequences).into(),
            ]
        };
        let columns = [
            "layer",
            "head",
            "mean_entropy_this_sequence",
            "mean_kl_from_uniform_this_sequence",
            "previous_score",
            "duplicate_score",
            "induction_score",
            "uniform_score",
            "scores_sequences",
        ];
        Table::new("heads", &columns, probe.current().heads.iter().enumerate().map(row).collect())
    }

    /// Every writer to the target, the logits, and the lens.
    pub(in crate::app) fn logit_tables(&self, probe: &Probe) -> Vec<Table> {
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let writer = |row: super::super::WriterRow| {
            let is_part = row.writer.is_none();
            vec![row.name.trim().to_owned().into(), row.clean.into(), row.current.into(), is_part.into()]
        };
        let mut writers: Vec<Vec<Datum>> = self.writer_rows(probe).into_iter().map(writer).collect();
        let whole = |pass: &crate::analysis::Pass| target.value(pass.attribution.whole(position));
        let total = vec![
            "logit".to_owned().into(),
            whole(&probe.clean).into(),
            whole(probe.current()).into(),
            false.into(),
        ];
        writers.push(total);
        let (before, after) = (probe.clean.logits(position), probe.current().logits(position));
        let probabilities = probe.current().probabilities(position);
        let logit = |token: usize| {
            vec![token.into(), before[token].into(), after[token].into(), probabilities[token].into()]
        };
        let mut tables = vec![
            Table::new("writers", &["writer", "clean", "current", "part_of_mlp"], writers),
            Table::new(
                "logits",
                &["token", "clean", "current", "probability"],
                (0..before.len()).map(logit).collect(),
            ),
        ];
        tables.extend(self.lens_table(probe));
        tables
    }

    fn lens_table(&self, probe: &Probe) -> Option<Table> {
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let outputs = probe.config().outputs();
        let study = self.studies.lens();
        let row = |row: &crate::analysis::lens::LensRow| {
            let logits = &row.logits[position * outputs..][..outputs];
            let figures = study.and_then(|(_, places)| places.iter().find(|place| place.name == row.name));
            vec![
                row.name.clone().into(),
                target.value(logits).into(),
                crate::analysis::logits::prediction(logits).into(),
                figures.map(|figures| figures.loss).into(),
                figures.map(|figures| figures.accuracy).into(),
            ]
        };
        let rows = self.lens_of(probe)?.1.iter().map(row).collect();
        Some(Table::new(
            "lens",
            &["place", "target", "prediction", "validation_loss", "validation_accuracy"],
            rows,
        ))
    }

    /// The layer's neurons, the traces, and what explains their sum. A neuron that is off has its own values under
    /// `clean` and what replaced them under `current`.
    pub(in crate::app) fn neuron_tables(&self, probe: &Probe) -> Vec<Table> {
        if !probe.config().has_mlp() {
            return Vec::new();
        }
        let (layer, position) = (self.cursor.layer, self.position_in(probe));
        let target = self.target_at(probe, position);
        let directions = &probe.directions;
        let passes = [&*probe.clean, probe.current()];
        let row = |f: super::super::NeuronFigures| {
            let tracked = self.tracked_by(NeuronId { layer, neuron: f.neuron });
            let activations = passes.map(|pass| pass.neuron(layer, f.neuron, position));
            let contributions = passes
                .map(|pass| directions.contribution(&pass.activations, layer, f.neuron, position, target));
            vec![
                f.neuron.into(),
                activations[0].into(),
                activations[1].into(),
                contributions[0].into(),
                contributions[1].into(),
                directions.favours(layer, f.neuron).into(),
                tracked.map(|tracked| tracked.0).into(),
                tracked.map(|tracked| tracked.1).into(),
                f.off.into(),
            ]
        };
        let rows = self.neurons(probe).into_iter().map(row).collect();
        let mut tables = vec![Table::new("neurons", &NEURONS, rows), self.trace_table(probe)];
        tables.extend(self.fit_table());
        tables
    }

    fn trace_table(&self, probe: &Probe) -> Table {
        let ids = self.traced();
        let passes = [("clean", &*probe.clean), ("current", probe.current())];
        let traces = || ids.iter().flat_map(|&id| passes.map(|(word, pass)| (id, word, pass)));
        let names: Vec<String> =
            traces().map(|(id, word, _)| format!("neuron.{}.{}.{word}", id.layer, id.neuron)).collect();
        let columns: Vec<&str> =
            ["position", "label"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let row = |position: usize| {
            let values =
                traces().map(|(id, _, pass)| Datum::from(pass.neuron(id.layer, id.neuron, position)));
            let head: [Datum; 2] = [position.into(), probe.label(position).into()];
            head.into_iter().chain(values).collect()
        };
        Table::new("traces", &columns, (0..probe.len()).map(row).collect())
    }

    fn fit_table(&self) -> Option<Table> {
        let token = self.traced_token()?;
        let (study, r_squared) = self.studies.fit(&self.traced(), token)?;
        let row = |(feature, r_squared): (&Feature, &f64)| {
            vec![feature.name.to_owned().into(), token.into(), (*r_squared).into(), study.sequences.into()]
        };
        let rows = self.task().features().iter().zip(r_squared).map(row).collect();
        Some(Table::new("fit", &["hypothesis", "token", "r_squared", "sequences"], rows))
    }
}
