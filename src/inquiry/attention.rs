//! What do the heads attend to on one sequence?

use std::sync::Arc;

use super::passes::Probe;
use crate::analysis::HeadSummary;
use crate::figure::{Axis, Dim, Figure, Spec};

/// Attention patterns.
pub static PATTERN: Spec = Spec {
    name: "pattern",
    definition: "softmax over keys of q.k / attn_scale: the share of a query's attention that a key gets",
    source: "TransformerLens blocks.L.attn.hook_pattern",
    baseline: "1/(query+1)",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query, Dim::Key],
    ..Spec::BARE
};

/// Length of the vector that a key would write.
pub static VALUE_NORM: Spec = Spec {
    name: "value_norm",
    definition: "|v W_O|: the length of what a key would write if it got all of the attention, v with b_V; the same for a head that is off",
    source: "Kobayashi et al. 2020",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Key],
    ..Spec::BARE
};

/// Spread of attention.
pub static ENTROPY: Spec = Spec {
    name: "entropy",
    unit: "nats",
    definition: "-sum over keys of A ln A, of a query's attention A",
    source: "Shannon 1948",
    baseline: "ln(query+1), of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query],
};

/// Distance of attention from averaging.
pub static KL_FROM_UNIFORM: Spec = Spec {
    name: "kl_from_uniform",
    unit: "nats",
    definition: "sum over keys of A ln(A n): the divergence of a query's attention A from uniform over the n keys that \
                 the query sees, query+1 if causal",
    source: "Kullback and Leibler 1951",
    baseline: "0, of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query],
};

/// Mean spread of attention.
pub static MEAN_ENTROPY: Spec = Spec {
    name: "mean_entropy",
    unit: "nats",
    definition: "entropy, averaged over queries",
    baseline: "the mean of ln(query+1), of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head],
    ..Spec::BARE
};

/// Mean distance of attention from averaging.
pub static MEAN_KL_FROM_UNIFORM: Spec = Spec {
    name: "mean_kl_from_uniform",
    unit: "nats",
    definition: "kl_from_uniform, averaged over queries",
    baseline: "0, of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head],
    ..Spec::BARE
};

impl Probe {
    fn by_head(&self, more: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
        Axis::heads(self.config()).into_iter().chain(more).collect()
    }

    /// A figure of every head's summary.
    fn of_heads(
        self: &Arc<Self>,
        spec: &'static Spec,
        more: Option<Axis>,
        cell: fn(&HeadSummary, &[usize]) -> f32,
    ) -> Arc<Figure> {
        self.figure(spec, self.by_head(more), move |probe, pass, at| {
            cell(&pass.heads[at[0] * probe.config().n_heads + at[1]], &at[2..])
        })
    }

    /// [`PATTERN`]; empty where the query does not see the key.
    pub fn pattern(self: &Arc<Self>) -> Arc<Figure> {
        let axes = [Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, self.len()));
        self.figure(&PATTERN, self.by_head(axes), |_, pass, at| {
            pass.activations.keys.sees(at[2], at[3]).then(|| pass.attention(at[0], at[1], at[2])[at[3]])
        })
    }

    /// [`VALUE_NORM`].
    pub fn value_norm(self: &Arc<Self>) -> Arc<Figure> {
        let keys = Axis::counted(Dim::Key, self.len());
        self.of_heads(&VALUE_NORM, Some(keys), |head, at| head.value_norms[at[0]])
    }

    /// [`ENTROPY`].
    pub fn entropy(self: &Arc<Self>) -> Arc<Figure> {
        let queries = Axis::counted(Dim::Query, self.len());
        self.of_heads(&ENTROPY, Some(queries), |head, at| head.entropy[at[0]])
    }

    /// [`KL_FROM_UNIFORM`].
    pub fn kl_from_uniform(self: &Arc<Self>) -> Arc<Figure> {
        let queries = Axis::counted(Dim::Query, self.len());
        self.of_heads(&KL_FROM_UNIFORM, Some(queries), |head, at| head.kl_from_uniform[at[0]])
    }

    /// [`MEAN_ENTROPY`].
    pub fn mean_entropy(self: &Arc<Self>) -> Arc<Figure> {
        self.of_heads(&MEAN_ENTROPY, None, |head, _| head.mean_entropy())
    }

    /// [`MEAN_KL_FROM_UNIFORM`].
    pub fn mean_kl_from_uniform(self: &Arc<Self>) -> Arc<Figure> {
        self.of_heads(&MEAN_KL_FROM_UNIFORM, None, |head, _| head.mean_kl())
    }
}
