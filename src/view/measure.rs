//! Attention probabilities in the units of the chosen scale, and the scale's ends.

use std::ops::Range;
use std::sync::Arc;

use super::ink::Ink;
use super::number::figure;
use super::widgets::{Heat, Scale};
use crate::app::views::attention::sources;
use crate::app::{App, AttentionScale, Patterns};
use crate::figure::Figure;
use crate::inquiry::{Answer, Probe};
use crate::model::VisibleKeys;
use crate::task::Class;

/// Candidate ends of the relative scale: from 1/r to r times uniform attention. At least 2, so that noise does not take
/// up the whole scale.
const RATIOS: [f32; 5] = [2.0, 4.0, 8.0, 16.0, 64.0];

/// Most queries, and keys per query, sampled for the end of the scale.
const SAMPLES: usize = 256;

/// A head's attention pattern in the chosen scale.
pub(super) struct Measure<'a> {
    pub(super) scale: AttentionScale,
    /// Whether the pattern is a mean over the validation set.
    pub(super) is_mean: bool,
    /// The target of the queries averaged over, and their numbers at each position.
    pub(super) class: Option<(Class, Vec<usize>)>,
    /// Sequences averaged over.
    pub(super) sequences: usize,
    /// Step of the weights.
    pub(super) step: usize,
    /// `[query, key]`, each row `stride` long.
    pattern: &'a [f32],
    stride: usize,
    /// Number of positions shown.
    pub(super) len: usize,
    norms: &'a [f32],
    /// What each key adds to the query's target, where that is the scale.
    sources: Option<Arc<Figure>>,
    keys: VisibleKeys,
    /// Number of keys that each query sees; 1 for a query that sees none.
    seen: Vec<f32>,
    /// Value at the top of the scale; for the relative scale, the ratio to uniform attention.
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
            class: None,
            sequences: 0,
            step: probe.subject.step(),
            pattern: own,
            stride: len,
            len,
            norms,
            sources: sources(app).filter(|_| app.settings.attention == AttentionScale::Contribution),
            keys: pass.activations.keys.clone(),
            seen: Vec::new(),
            top: 1.0,
        };
        match app.settings.patterns {
            Patterns::Sequence => {}
            Patterns::Mean => measure.average(app, at),
            Patterns::Class => measure.average_class(app),
        }
        if measure.scale == AttentionScale::Contribution && measure.sources.is_none() {
            measure.scale = AttentionScale::Raw;
        }
        measure.seen = (0..measure.len).map(|query| measure.keys.count(query).max(1) as f32).collect();
        measure
    }

    /// Sets the top of the scale from the queries and keys on screen. Call before drawing.
    pub(super) fn fit(&mut self, queries: Range<usize>, keys: Range<usize>) {
        self.top = self.top_of(queries, keys);
    }

    /// Switches to the head's mean pattern, if known.
    fn average(&mut self, app: &'a App, head: usize) {
        let Some((study, averages)) = app.studies.heads() else { return };
        let Some(averages) = averages.get(head) else { return };
        self.average_to(app, &averages.pattern, study);
    }

    /// Switches to the mean over the queries with the target at the cursor, if known.
    fn average_class(&mut self, app: &'a App) {
        let known = app.studies.class_patterns(app.cursor.head_id()).zip(app.target_token());
        let Some(((study, found), class)) = known else { return };
        self.average_to(app, found.pattern(class), study);
        self.class = Some((class, (0..self.len).map(|query| found.queries(class, query)).collect()));
    }

    fn average_to(&mut self, app: &'a App, pattern: &'a [f32], study: &Answer) {
        let stride = pattern.len().isqrt();
        if stride == 0 {
            return;
        }
        (self.pattern, self.stride, self.len) = (pattern, stride, self.len.min(stride));
        // Padding differs from sequence to sequence: in the mean every key of the direction counts.
        self.keys = VisibleKeys::new(app.options.model.attention_dir, None, &vec![0; self.len]);
        (self.is_mean, self.sequences, self.step) = (true, study.sequences, study.step());
        // A mean pattern has no value vectors.
        if matches!(self.scale, AttentionScale::InfoWeighted | AttentionScale::Contribution) {
            self.scale = AttentionScale::Raw;
        }
    }

    pub(super) fn attention(&self, query: usize, key: usize) -> f32 {
        self.row(query)[key]
    }

    /// Attention to every key, including masked keys after the query.
    pub(super) fn row(&self, query: usize) -> &[f32] {
        &self.pattern[query * self.stride..][..self.stride]
    }

    /// Whether a query sees a key.
    pub(super) fn sees(&self, query: usize, key: usize) -> bool {
        let has_queries = self.class.as_ref().is_none_or(|(_, queries)| queries[query] > 0);
        has_queries && self.keys.sees(query, key)
    }

    /// A key, or the last one that a query may see.
    pub(super) fn clamped(&self, query: usize, key: usize) -> usize {
        key.min(self.keys.end(query).saturating_sub(1))
    }

    /// Number of keys that a query sees: uniform attention is its inverse.
    pub(super) fn keys_seen(&self, query: usize) -> f32 {
        self.seen[query]
    }

    /// A cell's value in units of the scale.
    pub(super) fn value(&self, query: usize, key: usize) -> f32 {
        let attention = self.attention(query, key);
        match self.scale {
            AttentionScale::Raw => attention,
            AttentionScale::RelativeToUniform => attention * self.seen[query],
            AttentionScale::InfoWeighted => attention * self.norms[key],
            AttentionScale::Contribution => {
                let figure = self.sources.as_ref();
                figure.and_then(|figure| figure.at(&[query, key]).number()).unwrap_or(f64::NAN) as f32
            }
        }
    }

    /// The 99th percentile: the first queries have few keys and so large attention, which would dominate a maximum.
    fn top_of(&self, queries: Range<usize>, keys: Range<usize>) -> f32 {
        // Sample long contexts: the percentile is nearly the same, and the frame time stays bounded.
        let stride = queries.len().max(keys.len()).div_ceil(SAMPLES).max(1);
        let keys_of = |query| keys.clone().step_by(stride).filter(move |key| self.sees(query, *key));
        let cells = queries.step_by(stride);
        let cells = cells.flat_map(|query| keys_of(query).map(move |key| (query, key)));
        let size = |value: f32| match self.scale {
            AttentionScale::RelativeToUniform => value.max(1e-6).log2().abs(),
            AttentionScale::Raw | AttentionScale::InfoWeighted => value,
            AttentionScale::Contribution => value.abs(),
        };
        let values = cells.map(|(query, key)| self.value(query, key)).filter(|value| value.is_finite());
        let mut sizes: Vec<f32> = values.map(size).collect();
        if sizes.is_empty() {
            return 2.0;
        }
        let at = (sizes.len() - 1) * 99 / 100;
        let (_, top, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
        match self.scale {
            // Round ratios, so that the scale rarely changes from head to head.
            AttentionScale::RelativeToUniform => {
                RATIOS.into_iter().find(|ratio| ratio.log2() >= *top).unwrap_or(RATIOS[RATIOS.len() - 1])
            }
            _ => top.max(f32::MIN_POSITIVE),
        }
    }

    pub(super) fn scale_of_colors(&self) -> Scale {
        match self.scale {
            AttentionScale::RelativeToUniform | AttentionScale::Contribution => Scale::Diverging,
            AttentionScale::Raw | AttentionScale::InfoWeighted => Scale::Sequential,
        }
    }

    /// Place of a value on the colour scale, 0 to 1.
    pub(super) fn heat(&self, value: f32) -> Heat {
        match self.scale {
            AttentionScale::RelativeToUniform => {
                Heat::of(value, |x| x.max(1e-6).log2() / self.top.log2() / 2.0 + 0.5)
            }
            AttentionScale::Raw | AttentionScale::InfoWeighted => Heat::of(value, |x| x / self.top),
            AttentionScale::Contribution => Heat::signed(value, self.top),
        }
    }

    /// Labels of the scale's ends; values beyond an end have its colour.
    pub(super) fn ends(&self, ink: &Ink<'_>) -> (String, String) {
        let (most, least) = (ink.at_most(), ink.at_least());
        let top = || figure(f64::from(self.top));
        match self.scale {
            AttentionScale::RelativeToUniform => {
                (format!("{most}1/{}", self.top), format!("{least}x{} uniform", self.top))
            }
            AttentionScale::Raw => ("0".into(), format!("{least}{}", top())),
            AttentionScale::InfoWeighted => ("0".into(), format!("{least}{} A|vW_O|", top())),
            AttentionScale::Contribution => (format!("{most}-{}", top()), format!("{least}+{} logit", top())),
        }
    }
}
