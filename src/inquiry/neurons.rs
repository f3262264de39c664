//! What do the neurons do on one sequence?

use std::sync::Arc;

use super::passes::Probe;
use crate::analysis::{NeuronHook, Pass, Target};
use crate::figure::{Axis, Datum, Dim, Figure, Spec};
use crate::model::NeuronId;

/// Activations.
pub static ACTIVATION: Spec = Spec {
    name: "activation",
    definition: "a neuron's value after the activation function",
    source: "TransformerLens blocks.L.mlp.hook_post",
    axes: &[Dim::Edits, Dim::Layer, Dim::Neuron, Dim::Position],
    ..Spec::BARE
};

/// Values before the activation function.
pub static PRE_ACTIVATION: Spec = Spec {
    name: "pre_activation",
    definition: "a neuron's value before the activation function",
    source: "TransformerLens blocks.L.mlp.hook_pre",
    axes: &[Dim::Edits, Dim::Layer, Dim::Neuron, Dim::Position],
    ..Spec::BARE
};

/// Contributions of neurons.
pub static NEURON_CONTRIBUTION: Spec = Spec {
    name: "neuron_contribution",
    unit: "logit",
    definition: "activation times the neuron's row of W_out, mapped to the target as in contribution; the sum over \
                 a layer is the MLP's contribution, without b_out",
    source: "TransformerLens ActivationCache.get_neuron_results and logit_attrs, over centred logits",
    axes: &[Dim::Edits, Dim::Layer, Dim::Neuron, Dim::Position],
    ..Spec::BARE
};

/// Classes that neurons favour.
pub static FAVOURS: Spec = Spec {
    name: "favours",
    definition: "the class whose logit a neuron raises most when it is active, by W_out, the final norm's weight and W_U",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

/// Edits of the neurons.
pub static IS_OFF: Spec = Spec {
    name: "off",
    definition: "whether a neuron's activation is replaced",
    axes: &[Dim::Layer, Dim::Neuron],
    ..Spec::BARE
};

impl Probe {
    fn by_neuron(&self, more: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
        let c = self.config();
        let neurons = [Axis::counted(Dim::Layer, c.n_layers), Axis::counted(Dim::Neuron, c.d_mlp)];
        neurons.into_iter().chain(more).collect()
    }

    /// [`ACTIVATION`] or [`PRE_ACTIVATION`].
    pub fn activation(self: &Arc<Self>, hook: NeuronHook) -> Arc<Figure> {
        let spec = match hook {
            NeuronHook::Post => &ACTIVATION,
            NeuronHook::Pre => &PRE_ACTIVATION,
        };
        let axes = self.by_neuron([Axis::counted(Dim::Position, self.len())]);
        self.figure(spec, axes, move |_, pass, at| {
            hook.of(&pass.activations, NeuronId { layer: at[0], neuron: at[1] }, at[2])
        })
    }

    /// [`NEURON_CONTRIBUTION`] to a target.
    pub fn neuron_contribution(self: &Arc<Self>, target: Target) -> Arc<Figure> {
        let axes = self.by_neuron([Axis::counted(Dim::Position, self.len())]);
        let to = self.resolver(target);
        let cell = move |probe: &Self, pass: &Pass, at: &[usize]| {
            probe.readout.contribution(&pass.activations, at[0], at[1], at[2], to(at[2]))
        };
        self.figure(&NEURON_CONTRIBUTION, axes, cell).asked_with("target", &target.words(&*self.task))
    }

    /// [`FAVOURS`]; empty where a direction is not a number.
    pub fn favours(self: &Arc<Self>) -> Arc<Figure> {
        self.plain_figure(&FAVOURS, self.by_neuron([]), |probe, at| {
            probe.readout.favours(at[0], at[1]).map(|class| Datum::class(&*probe.task, class))
        })
    }

    /// [`IS_OFF`].
    pub fn is_off(self: &Arc<Self>) -> Arc<Figure> {
        self.plain_figure(&IS_OFF, self.by_neuron([]), |probe, at| {
            probe.subject.edits.neurons.contains(&NeuronId { layer: at[0], neuron: at[1] })
        })
    }
}
