//! Attention probabilities in the units of a scale: where they stand on its colours, and what its ends mean.

use std::ops::Range;

use super::ink::Ink;
use super::number::figure;
use super::widgets::{Heat, Scale};
use crate::app::{App, AttentionScale, Patterns};
use crate::inquiry::Probe;

/// Ends of the relative scale: so many times uniform, and so little of it.
/// Not less than 2: rounding and noise would fill the colours.
const RATIOS: [f32; 5] = [2.0, 4.0, 8.0, 16.0, 64.0];

/// Queries, and keys of each, that the scale's end is taken from.
const SAMPLES: usize = 256;

/// What a scale makes of an attention probability.
pub(super) struct Measure<'a> {
    pub(super) scale: AttentionScale,
    /// Whether these are means over the validation set.
    pub(super) is_mean: bool,
    /// Sequences averaged over.
    pub(super) sequences: usize,
    /// The step that it is of.
    pub(super) step: usize,
    /// `[query, key]`, both of `stride`.
    pattern: &'a [f32],
    stride: usize,
    /// Positions that are shown.
    pub(super) len: usize,
    norms: &'a [f32],
    /// What the scale's top colour stands for: a value, or for the relative scale so many times uniform.
    top: f32,
}

impl<'a> Measure<'a> {
    pub(super) fn new(app: &'a App, probe: &'a Probe) -> Self {
        let pass = probe.current();
        let (layer, head) = (app.cursor.layer, app.cursor.head);
        let at = layer * probe.config().n_heads + head;
        let norms = &pass.heads[at].value_norms;
        let len = probe.len();
        let own = &pass.activations.blocks[layer].attn.pattern[head * len * len..][..len * len];
        let mut measure = Self {
            scale: app.settings.attention,
            is_mean: false,
            sequences: 0,
            step: probe.subject.step(),
            pattern: own,
            stride: len,
            len,
            norms,
            top: 1.0,
        };
        if app.settings.patterns == Patterns::Mean {
            measure.average(app, at);
        }
        measure
    }

    /// Sets the top of the scale by the queries and keys on screen. To be called before anything is drawn.
    pub(super) fn fit(&mut self, queries: Range<usize>, keys: Range<usize>) {
        self.top = self.top_of(queries, keys);
    }

    /// Takes a head's mean pattern instead, once it is known.
    fn average(&mut self, app: &'a App, head: usize) {
        let Some((study, averages)) = app.studies.heads() else { return };
        let Some(averages) = averages.get(head) else { return };
        let stride = averages.pattern.len().isqrt();
        if stride == 0 {
            return;
        }
        (self.pattern, self.stride, self.len) = (&averages.pattern, stride, self.len.min(stride));
        (self.is_mean, self.sequences, self.step) = (true, study.sequences, study.step());
        // A mean has no values to weigh it with.
        if self.scale == AttentionScale::InfoWeighted {
            self.scale = AttentionScale::Raw;
        }
    }

    /// Attention to a key.
    pub(super) fn attention(&self, query: usize, key: usize) -> f32 {
        self.row(query)[key]
    }

    /// Attention to every key, those after the query included.
    pub(super) fn row(&self, query: usize) -> &[f32] {
        &self.pattern[query * self.stride..][..self.stride]
    }

    /// A cell in units of the scale.
    pub(super) fn value(&self, query: usize, key: usize) -> f32 {
        let attention = self.attention(query, key);
        match self.scale {
            AttentionScale::Raw => attention,
            AttentionScale::RelativeToUniform => attention * (query + 1) as f32,
            AttentionScale::InfoWeighted => attention * self.norms[key],
        }
    }

    /// The value that one in a hundred exceeds: the first queries, which have little choice, would darken all the rest.
    fn top_of(&self, queries: Range<usize>, keys: Range<usize>) -> f32 {
        // Of a long context a sample tells as much, and a frame must not take longer for it.
        let stride = queries.len().max(keys.len()).div_ceil(SAMPLES).max(1);
        let keys_of = |query| keys.clone().step_by(stride).take_while(move |key| *key <= query);
        let cells = queries.step_by(stride);
        let cells = cells.flat_map(|query| keys_of(query).map(move |key| (query, key)));
        let size = |value: f32| match self.scale {
            AttentionScale::RelativeToUniform => value.max(1e-6).log2().abs(),
            AttentionScale::Raw | AttentionScale::InfoWeighted => value,
        };
        let values = cells.map(|(query, key)| self.value(query, key)).filter(|value| value.is_finite());
        let mut sizes: Vec<f32> = values.map(size).collect();
        if sizes.is_empty() {
            return 2.0;
        }
        let at = (sizes.len() - 1) * 99 / 100;
        let (_, top, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
        match self.scale {
            // Round numbers, so that the scale stays while the cursor moves from head to head.
            AttentionScale::RelativeToUniform => {
                RATIOS.into_iter().find(|ratio| ratio.log2() >= *top).unwrap_or(RATIOS[RATIOS.len() - 1])
            }
            AttentionScale::Raw | AttentionScale::InfoWeighted => top.max(f32::MIN_POSITIVE),
        }
    }

    pub(super) fn scale_of_colors(&self) -> Scale {
        match self.scale {
            AttentionScale::RelativeToUniform => Scale::Diverging,
            AttentionScale::Raw | AttentionScale::InfoWeighted => Scale::Sequential,
        }
    }

    /// On the colours, from 0 to 1.
    pub(super) fn heat(&self, value: f32) -> Heat {
        match self.scale {
            AttentionScale::RelativeToUniform => {
                Heat::of(value, |x| x.max(1e-6).log2() / self.top.log2() / 2.0 + 0.5)
            }
            AttentionScale::Raw | AttentionScale::InfoWeighted => Heat::of(value, |x| x / self.top),
        }
    }

    /// The numbers at the ends of the scale, which values beyond share with them.
    pub(super) fn ends(&self, ink: &Ink<'_>) -> (String, String) {
        let (most, least) = (ink.at_most(), ink.at_least());
        let top = || figure(f64::from(self.top));
        match self.scale {
            AttentionScale::RelativeToUniform => {
                (format!("{most}1/{}", self.top), format!("{least}x{} uniform", self.top))
            }
            AttentionScale::Raw => ("0".into(), format!("{least}{}", top())),
            AttentionScale::InfoWeighted => ("0".into(), format!("{least}{} A|vW_O|", top())),
        }
    }
}
