//! What do the heads attend to on one sequence?

use std::sync::Arc;

use super::passes::Probe;
use crate::figure::{Axis, Dim, Figure, Spec};

/// Attention patterns.
pub static PATTERN: Spec = Spec {
    name: "pattern",
    unit: "",
    definition: "softmax over keys of q.k / attn_scale: the share of a query's attention that a key gets",
    source: "TransformerLens blocks.L.attn.hook_pattern",
    chance: "1/(query+1)",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query, Dim::Key],
};

/// What a key would write.
pub static VALUE_NORM: Spec = Spec {
    name: "value_norm",
    unit: "",
    definition: "|v W_O|: the length of what a key would write if it got all of the attention, v with b_V; the same for a head that is off",
    source: "Kobayashi et al. 2020",
    chance: "",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Key],
};

/// Spread of attention.
pub static ENTROPY: Spec = Spec {
    name: "entropy",
    unit: "nats",
    definition: "-sum over keys of A ln A, of a query's attention A",
    source: "Shannon 1948",
    chance: "ln(query+1), of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query],
};

/// Distance of attention from averaging.
pub static KL_FROM_UNIFORM: Spec = Spec {
    name: "kl_from_uniform",
    unit: "nats",
    definition: "ln(query+1) - entropy: the divergence of a query's attention from uniform over the keys up to the query",
    source: "Kullback and Leibler 1951",
    chance: "0, of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head, Dim::Query],
};

/// Mean spread of attention.
pub static MEAN_ENTROPY: Spec = Spec {
    name: "mean_entropy",
    unit: "nats",
    definition: "entropy, averaged over queries",
    source: "",
    chance: "the mean of ln(query+1), of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head],
};

/// Mean distance of attention from averaging.
pub static MEAN_KL_FROM_UNIFORM: Spec = Spec {
    name: "mean_kl_from_uniform",
    unit: "nats",
    definition: "kl_from_uniform, averaged over queries",
    source: "",
    chance: "0, of uniform attention",
    axes: &[Dim::Edits, Dim::Layer, Dim::Head],
};

impl Probe {
    fn by_head(&self, more: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
        let c = self.config();
        let heads = [Axis::counted(Dim::Layer, c.n_layers), Axis::counted(Dim::Head, c.n_heads)];
        heads.into_iter().chain(more).collect()
    }

    /// [`PATTERN`]; nothing where a key is after its query.
    pub fn pattern(self: &Arc<Self>) -> Arc<Figure> {
        let axes = [Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, self.len()));
        self.figure(&PATTERN, self.by_head(axes), |_, pass, at| {
            (at[3] <= at[2]).then(|| pass.attention(at[0], at[1], at[2])[at[3]])
        })
    }

    /// [`VALUE_NORM`].
    pub fn value_norm(self: &Arc<Self>) -> Arc<Figure> {
        let axes = self.by_head([Axis::counted(Dim::Key, self.len())]);
        self.figure(&VALUE_NORM, axes, |probe, pass, at| {
            pass.heads[at[0] * probe.config().n_heads + at[1]].value_norms[at[2]]
        })
    }

    /// [`ENTROPY`].
    pub fn entropy(self: &Arc<Self>) -> Arc<Figure> {
        let axes = self.by_head([Axis::counted(Dim::Query, self.len())]);
        self.figure(&ENTROPY, axes, |probe, pass, at| {
            pass.heads[at[0] * probe.config().n_heads + at[1]].entropy[at[2]]
        })
    }

    /// [`KL_FROM_UNIFORM`].
    pub fn kl_from_uniform(self: &Arc<Self>) -> Arc<Figure> {
        let axes = self.by_head([Axis::counted(Dim::Query, self.len())]);
        self.figure(&KL_FROM_UNIFORM, axes, |probe, pass, at| {
            pass.heads[at[0] * probe.config().n_heads + at[1]].kl_from_uniform[at[2]]
        })
    }

    /// [`MEAN_ENTROPY`].
    pub fn mean_entropy(self: &Arc<Self>) -> Arc<Figure> {
        self.figure(&MEAN_ENTROPY, self.by_head([]), |probe, pass, at| {
            pass.heads[at[0] * probe.config().n_heads + at[1]].mean_entropy()
        })
    }

    /// [`MEAN_KL_FROM_UNIFORM`].
    pub fn mean_kl_from_uniform(self: &Arc<Self>) -> Arc<Figure> {
        self.figure(&MEAN_KL_FROM_UNIFORM, self.by_head([]), |probe, pass, at| {
            pass.heads[at[0] * probe.config().n_heads + at[1]].mean_kl()
        })
    }
}
