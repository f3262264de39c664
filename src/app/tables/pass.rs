//! Tables of one sequence: attention, logits, neurons.

use super::{Datum, Table};
use crate::analysis::{Hypothesis, Probe};
use crate::app::{App, Patterns};
use crate::model::NeuronId;

impl App {
    /// The pattern from the cursor's query, and every head in figures.
    pub(super) fn attention_tables(&self, probe: &Probe) -> Vec<Table> {
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
        let key = |key: usize| {
            let a = attention(key);
            let of_sequence = mean.is_none();
            vec![
                query.into(),
                key.into(),
                of_sequence.then(|| probe.request.tokens[key]).into(),
                a.into(),
                (a * (query + 1) as f32).into(),
                of_sequence.then(|| norms[key]).into(),
                of_sequence.then(|| a * norms[key]).into(),
            ]
        };
        let columns =
            ["query", "key", "token", "attention", "times_uniform", "value_norm", "attention_times_norm"];
        vec![Table::new("keys", &columns, (0..=query).map(key).collect()), self.head_table(probe)]
    }

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
            "mean_entropy",
            "mean_kl_from_uniform",
            "previous",
            "duplicate",
            "induction",
            "uniform",
            "sequences",
        ];
        Table::new("heads", &columns, probe.current().heads.iter().enumerate().map(row).collect())
    }

    /// Every writer to the target, the logits, and the lens.
    pub(super) fn logit_tables(&self, probe: &Probe) -> Vec<Table> {
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
        let d_vocab = probe.config().d_vocab;
        let study = self.studies.lens();
        let row = |row: &crate::analysis::lens::LensRow| {
            let logits = &row.logits[position * d_vocab..][..d_vocab];
            let figures = study.and_then(|(_, places)| places.iter().find(|place| place.name == row.name));
            vec![
                row.name.clone().into(),
                target.value(logits).into(),
                crate::analysis::probe::prediction(logits).into(),
                figures.map(|figures| figures.loss).into(),
                figures.map(|figures| figures.accuracy).into(),
            ]
        };
        let rows = self.lens_rows()?.iter().map(row).collect();
        Some(Table::new(
            "lens",
            &["place", "target", "prediction", "validation_loss", "validation_accuracy"],
            rows,
        ))
    }

    /// The layer's neurons, the traces, and what explains their sum.
    pub(super) fn neuron_tables(&self, probe: &Probe) -> Vec<Table> {
        if !probe.config().has_mlp() {
            return Vec::new();
        }
        let layer = self.cursor.layer;
        let directions = &probe.request.snapshot.directions;
        let row = |f: super::super::NeuronFigures| {
            let tracked = self.tracked_by(NeuronId { layer, neuron: f.neuron });
            vec![
                f.neuron.into(),
                f.activation.into(),
                f.contribution.into(),
                directions.favours(layer, f.neuron).into(),
                tracked.map(|tracked| tracked.0).into(),
                tracked.map(|tracked| tracked.1).into(),
                f.off.into(),
            ]
        };
        let columns = ["neuron", "activation", "contribution", "favours", "tracks", "effect", "off"];
        let rows = self.neurons(probe).into_iter().map(row).collect();
        let mut tables = vec![Table::new("neurons", &columns, rows), self.trace_table(probe)];
        tables.extend(self.fit_table());
        tables
    }

    fn trace_table(&self, probe: &Probe) -> Table {
        let ids = self.traced();
        let names: Vec<String> = ids.iter().map(|id| format!("neuron.{}.{}", id.layer, id.neuron)).collect();
        let columns: Vec<&str> =
            ["position", "label"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let row = |position: usize| {
            let value =
                |id: &NeuronId| Datum::from(self.pass_of(probe, *id).neuron(id.layer, id.neuron, position));
            let head: [Datum; 2] = [position.into(), probe.labels[position].into()];
            head.into_iter().chain(ids.iter().map(value)).collect()
        };
        Table::new("traces", &columns, (0..probe.len()).map(row).collect())
    }

    fn fit_table(&self) -> Option<Table> {
        let token = self.target_token()?;
        let (study, r_squared) = self.studies.fit(&self.traced(), token)?;
        let row = |(which, r_squared): (Hypothesis, f64)| {
            vec![which.name().to_owned().into(), token.into(), r_squared.into(), study.sequences.into()]
        };
        let rows = Hypothesis::ALL.into_iter().zip(r_squared).map(row).collect();
        Some(Table::new("fit", &["hypothesis", "token", "r_squared", "sequences"], rows))
    }
}
