//! What adds to the target at the cursor: every writer, a neuron on request, and the stream between the sublayers.

use super::App;
use crate::analysis::{Pass, Writer};
use crate::inquiry::Probe;

/// A row of the list of writers.
#[derive(Clone, Debug)]
pub(crate) struct WriterRow {
    pub(crate) name: String,
    /// Its place in the attribution; `None` for a part of an MLP.
    pub(crate) writer: Option<usize>,
    /// With nothing switched off.
    pub(crate) clean: f32,
    /// As things are.
    pub(crate) current: f32,
    pub(crate) off: bool,
}

impl App {
    /// Every writer in order; where an MLP is split, the cursor's neuron and the rest of it below.
    pub(crate) fn writer_rows(&self, probe: &Probe) -> Vec<WriterRow> {
        let position = self.position_in(probe);
        let target = self.target_at(probe, position);
        let of = |pass: &Pass, writer: usize| target.value(pass.attribution.row(writer, position));
        let off = &self.ablation.off;
        let mut rows = Vec::new();
        for (at, writer) in probe.clean.attribution.writers.iter().enumerate() {
            let whole = WriterRow {
                name: writer.to_string(),
                writer: Some(at),
                clean: of(&probe.clean, at),
                current: of(probe.current(), at),
                off: matches!(writer, Writer::Head(id) if off.heads.contains(id)),
            };
            rows.push(whole.clone());
            if *writer == Writer::Mlp(self.cursor.layer) && self.settings.mlp == super::MlpRow::Split {
                rows.extend(self.split(probe, &whole));
            }
        }
        rows
    }

    /// An MLP's row in two.
    fn split(&self, probe: &Probe, whole: &WriterRow) -> [WriterRow; 2] {
        let position = self.position_in(probe);
        let id = self.cursor.neuron_id();
        let directions = &probe.directions;
        let of = |pass: &Pass| {
            let target = self.target_at(probe, position);
            directions.contribution(&pass.activations, id.layer, id.neuron, position, target)
        };
        let neuron = WriterRow {
            name: format!(" neuron {}", id.neuron),
            writer: None,
            clean: of(&probe.clean),
            current: of(probe.current()),
            off: self.ablation.off.neurons.contains(&id),
        };
        let rest = WriterRow {
            name: " the rest".into(),
            writer: None,
            clean: whole.clean - neuron.clean,
            current: whole.current - neuron.current,
            off: false,
        };
        [neuron, rest]
    }
}
