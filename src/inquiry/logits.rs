//! What does the model predict on one sequence, and which components add to the prediction?

use std::sync::{Arc, OnceLock};

use super::passes::Probe;
use crate::analysis::ResolvedTarget;
use crate::analysis::{Pass, Target};
use crate::figure::{Axis, Datum, Dim, Figure, Spec};
use crate::model::NeuronId;

/// Logits.
pub static LOGITS: Spec = Spec {
    name: "logit",
    definition: "the output of the unembedding for each class",
    source: "TransformerLens HookedTransformer's logits",
    axes: &[Dim::Edits, Dim::Position, Dim::Class],
    ..Spec::BARE
};

/// Probabilities.
pub static PROBABILITY: Spec = Spec {
    name: "probability",
    definition: "softmax of the logits over classes",
    baseline: "1/d_vocab_out",
    axes: &[Dim::Edits, Dim::Position, Dim::Class],
    ..Spec::BARE
};

/// Loss by position.
pub static LOSS: Spec = Spec {
    name: "loss",
    unit: "nats",
    definition: "-ln p(target): cross-entropy at each position that has a target",
    baseline: "ln d_vocab_out",
    axes: &[Dim::Edits, Dim::Position],
    ..Spec::BARE
};

/// Predictions.
pub static PREDICTION: Spec = Spec {
    name: "prediction",
    definition: "the class of the largest logit; none where a logit is not a number",
    axes: &[Dim::Edits, Dim::Position],
    ..Spec::BARE
};

/// Whether the prediction is correct.
pub static CORRECT: Spec = Spec {
    name: "correct",
    definition: "1 where the prediction is the target, 0 where it is not; the mean over positions is the accuracy",
    baseline: "1/d_vocab_out, of a uniform guess",
    axes: &[Dim::Edits, Dim::Position],
    ..Spec::BARE
};

/// Tokens.
pub static TOKEN: Spec =
    Spec { name: "token", definition: "the input at each position", axes: &[Dim::Position], ..Spec::BARE };

/// Targets.
pub static TARGET: Spec = Spec {
    name: "target",
    definition: "the correct class at each position; none where the position is not scored",
    axes: &[Dim::Position],
    ..Spec::BARE
};

/// Direct logit attribution.
pub static CONTRIBUTION: Spec = Spec {
    name: "contribution",
    unit: "logit",
    definition: "direct logit attribution to the target at each position: a component's centred output, divided by \
                 the final norm's scale, times the norm's weight and W_U, centred over classes. A layer's b_O and b_out are components of their own. The target is that \
                 of the clean pass, with or without edits; a missing label is replaced by the prediction",
    source: "TransformerLens ActivationCache.logit_attrs, over centred logits",
    axes: &[Dim::Edits, Dim::Component, Dim::Position],
    ..Spec::BARE
};

/// Parts of an MLP.
pub static MLP_PARTS: Spec = Spec {
    name: "mlp_split",
    unit: "logit",
    definition: "the contribution of an MLP without b_out in two parts: one neuron, and the rest",
    axes: &[Dim::Edits, Dim::Part, Dim::Position],
    ..Spec::BARE
};

/// Whether the parts add up.
pub static SUM: Spec = Spec {
    name: "sum",
    unit: "logit",
    definition: "the sum of all contributions; the logit minus its mean over classes; their difference, which is \
                 rounding error; the largest such difference at any position and class (of the predicted class, over \
                 more than 4,096 classes)",
    axes: &[Dim::Edits, Dim::Part, Dim::Position],
    ..Spec::BARE
};

impl Probe {
    fn positions(&self) -> Axis {
        Axis::counted(Dim::Position, self.len())
    }

    /// [`LOGITS`].
    pub fn logits(self: &Arc<Self>) -> Arc<Figure> {
        let axes = vec![self.positions(), Axis::classes(&self.task)];
        self.figure(&LOGITS, axes, |_, pass, at| pass.logits(at[0])[at[1]])
    }

    /// [`PROBABILITY`].
    pub fn probability(self: &Arc<Self>) -> Arc<Figure> {
        let axes = vec![self.positions(), Axis::classes(&self.task)];
        self.figure(&PROBABILITY, axes, |_, pass, at| pass.probability(at[0], at[1]))
    }

    /// [`LOSS`].
    pub fn loss(self: &Arc<Self>) -> Arc<Figure> {
        self.figure(&LOSS, vec![self.positions()], |_, pass, at| pass.losses[at[0]])
    }

    /// [`PREDICTION`].
    pub fn prediction(self: &Arc<Self>) -> Arc<Figure> {
        self.figure(&PREDICTION, vec![self.positions()], |probe, pass, at| {
            pass.predictions[at[0]].map(|class| Datum::class(&*probe.task, class))
        })
    }

    /// [`CORRECT`].
    pub fn correct(self: &Arc<Self>) -> Arc<Figure> {
        self.figure(&CORRECT, vec![self.positions()], |probe, pass, at| {
            probe.label(at[0]).map(|label| if pass.predictions[at[0]] == Some(label) { 1.0_f32 } else { 0.0 })
        })
    }

    /// [`TOKEN`].
    pub fn token(self: &Arc<Self>) -> Arc<Figure> {
        self.plain_figure(&TOKEN, vec![self.positions()], |probe, at| {
            Datum::token(&*probe.task, probe.tokens()[at[0]])
        })
    }

    /// [`TARGET`].
    pub fn target(self: &Arc<Self>) -> Arc<Figure> {
        self.plain_figure(&TARGET, vec![self.positions()], |probe, at| {
            probe.label(at[0]).map(|label| Datum::class(&*probe.task, label))
        })
    }

    /// Resolves a target at a position: without the edits, so that an edit does not change the target.
    pub fn resolved(&self, target: Target, position: usize) -> ResolvedTarget {
        target.resolve(self.label(position), self.clean.logits(position))
    }

    /// Resolves a target at every position, sharing the work.
    pub(super) fn resolver(self: &Arc<Self>, target: Target) -> impl Fn(usize) -> ResolvedTarget + use<> {
        let (probe, known) = (Arc::clone(self), vec![OnceLock::new(); self.len()]);
        move |position| *known[position].get_or_init(|| probe.resolved(target, position))
    }

    /// [`CONTRIBUTION`] to a target.
    pub fn contribution(self: &Arc<Self>, target: Target) -> Arc<Figure> {
        let names = self.clean.attribution.components.iter().map(ToString::to_string);
        let axes = vec![Axis::named(Dim::Component, names), self.positions()];
        let to = self.resolver(target);
        let cell = move |_: &Self, pass: &Pass, at: &[usize]| pass.attribution.value(at[0], at[1], to(at[1]));
        self.figure(&CONTRIBUTION, axes, cell).asked_with("target", &target.words(&*self.task))
    }

    /// [`MLP_PARTS`] of a neuron's layer.
    pub fn mlp_parts(self: &Arc<Self>, target: Target, id: NeuronId) -> Arc<Figure> {
        let parts = [format!("neuron {}", id.neuron), "the rest".into()];
        let mlp = self.clean.attribution.mlp(id.layer);
        let to = self.resolver(target);
        let cell = move |probe: &Self, pass: &Pass, at: &[usize]| {
            let target = to(at[1]);
            let whole = mlp.map(|mlp| pass.attribution.value(mlp, at[1], target))?;
            let one = probe.readout.contribution(&pass.activations, id.layer, id.neuron, at[1], target);
            Some(if at[0] == 0 { one } else { whole - one })
        };
        let axes = vec![Axis::named(Dim::Part, parts), self.positions()];
        self.figure(&MLP_PARTS, axes, cell).asked_with("target", &target.words(&*self.task))
    }

    /// [`SUM`] of the contributions to a target.
    pub fn sum(self: &Arc<Self>, target: Target) -> Arc<Figure> {
        let axes = vec![
            Axis::named(Dim::Part, ["sum", "logit", "sum - logit", "largest anywhere"]),
            self.positions(),
        ];
        let to = self.resolver(target);
        let cell = move |_: &Self, pass: &Pass, at: &[usize]| {
            let (target, all) = (to(at[1]), &pass.attribution);
            let sum: f32 =
                (0..all.components.len()).map(|component| all.value(component, at[1], target)).sum();
            let logit = pass.centred_logit(at[1], target);
            [sum, logit, sum - logit, all.residual][at[0]]
        };
        self.figure(&SUM, axes, cell).asked_with("target", &target.words(&*self.task))
    }
}
