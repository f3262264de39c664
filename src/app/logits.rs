//! What adds to the target at the cursor: every writer, a neuron on request, and the stream between the sublayers.

use super::App;
use crate::analysis::lens::{LensRow, lens};
use crate::analysis::{Pass, Probe, Writer};

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

/// The lens of the pass in view, and the answer that it was taken from.
pub(crate) type LensOf = (u64, Vec<LensRow>);

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

    /// The logits read from the stream at each place, of the pass in view.
    pub(crate) fn lens_rows(&self) -> Option<&[LensRow]> {
        let probe = self.probe.as_deref()?;
        self.lens.as_ref().filter(|(of, _)| *of == probe.request.generation).map(|(_, rows)| rows.as_slice())
    }

    /// Takes the lens of the answer at hand, if it is in view.
    pub(super) fn refresh_lens(&mut self) {
        let Some(probe) = self.probe.as_deref().filter(|probe| !probe.is_empty()) else { return };
        let generation = probe.request.generation;
        let is_kept = self.lens.as_ref().is_some_and(|(of, _)| *of == generation);
        if !is_kept {
            let rows = lens(&probe.request.snapshot.weights, &probe.current().activations);
            self.lens = Some((generation, rows));
        }
    }
}
