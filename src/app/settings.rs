//! The settings of each view.

use super::App;
use super::patching::PatchingSettings;
use crate::analysis::dose::Doses;
use crate::analysis::{ControlPool, NeuronHook};
use crate::model::NeuronId;
use crate::task::Token;

/// The attention view's scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AttentionScale {
    #[default]
    Raw,
    /// Multiplied by the number of keys that the query sees.
    RelativeToUniform,
    /// Multiplied by the length of the vector that the key's value writes.
    InfoWeighted,
    /// What the key adds to the query's target.
    Contribution,
}

impl AttentionScale {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Raw => Self::RelativeToUniform,
            Self::RelativeToUniform => Self::InfoWeighted,
            Self::InfoWeighted => Self::Contribution,
            Self::Contribution => Self::Raw,
        }
    }
}

/// Columns per key in the attention view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zoom {
    /// Fits all keys on screen.
    Fit,
    #[default]
    One,
    Two,
}

impl Zoom {
    /// One step in, or out.
    pub(super) fn by(self, by: isize) -> Self {
        match (self, by > 0) {
            (Self::Fit, true) | (Self::Two, false) => Self::One,
            (_, true) => Self::Two,
            (_, false) => Self::Fit,
        }
    }
}

/// The order of the neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Largest |contribution| first.
    #[default]
    Contribution,
    /// Largest |activation| first.
    Activation,
    /// The largest rise of the validation loss with the neuron at zero first.
    Damage,
    Index,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Contribution => Self::Activation,
            Self::Activation => Self::Damage,
            Self::Damage => Self::Index,
            Self::Index => Self::Contribution,
        }
    }
}

/// The panel below the list of neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LowerPanel {
    #[default]
    Traces,
    Map,
    /// The cursor's neuron over all pairs of operands.
    Pairs,
    /// The positions of the validation set where the cursor's neuron is most or least active.
    Examples,
}

impl LowerPanel {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Traces => Self::Map,
            Self::Map => Self::Pairs,
            Self::Pairs => Self::Examples,
            Self::Examples => Self::Traces,
        }
    }
}

/// An end of a neuron's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    #[default]
    Highest,
    Lowest,
}

impl End {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Highest => Self::Lowest,
            Self::Lowest => Self::Highest,
        }
    }
}

/// The scale of the losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LossScale {
    #[default]
    Log,
    Linear,
}

impl LossScale {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Log => Self::Linear,
            Self::Linear => Self::Log,
        }
    }
}

/// The panel below the list of components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogitPanel {
    /// One component over positions.
    #[default]
    Profile,
    /// The residual stream between the sublayers.
    Lens,
}

impl LogitPanel {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Profile => Self::Lens,
            Self::Lens => Self::Profile,
        }
    }
}

/// What reads the residual stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StreamReader {
    /// The final norm and the unembedding.
    #[default]
    Lens,
    /// Linear probes of the target.
    Probes,
    /// Linear probes of the features of the target's class.
    FeatureProbes,
}

/// How the list of components shows an MLP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MlpRow {
    #[default]
    Whole,
    /// The cursor's neuron and the rest in separate rows.
    Split,
}

impl MlpRow {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Whole => Self::Split,
            Self::Split => Self::Whole,
        }
    }
}

/// What contributions are measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContributionsFrom {
    #[default]
    Zero,
    /// Each component's mean over the validation set.
    Mean,
}

impl ContributionsFrom {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Zero => Self::Mean,
            Self::Mean => Self::Zero,
        }
    }
}

/// What accuracies are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Breakdown {
    #[default]
    Class,
    Situation,
    /// The most frequent wrong predictions.
    Confusion,
    /// The task's kinds of predictions.
    Answers,
}

impl Breakdown {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Class => Self::Situation,
            Self::Situation => Self::Confusion,
            Self::Confusion => Self::Answers,
            Self::Answers => Self::Class,
        }
    }
}

/// The panel below the losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunPanel {
    /// Accuracy by class, situation and position.
    #[default]
    Accuracies,
    /// Numbers over all kept snapshots.
    Curves,
    /// When each class was learnt.
    Births,
}

/// A number of the neurons that track each class in the newest snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrackerNumber {
    /// How well they track it.
    Score,
    /// The loss that they cost it.
    Damage,
}

/// The patterns in the attention view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patterns {
    /// Those of this sequence.
    #[default]
    Sequence,
    /// The means over the validation set.
    Mean,
    /// The mean over the queries of the validation set with one target.
    Class,
}

impl Patterns {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Sequence => Self::Mean,
            Self::Mean => Self::Class,
            Self::Class => Self::Sequence,
        }
    }
}

/// The settings of all views.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) loss: LossScale,
    pub(crate) breakdown: Breakdown,
    /// Whether the damage of every set is evaluated, however many there are.
    pub(crate) damage: bool,
    /// Where the random sets to compare with are drawn from.
    pub(crate) pool: ControlPool,
    /// The doses of the edited heads and neurons that are evaluated.
    pub(crate) doses: Option<Doses>,
    pub(crate) attention: AttentionScale,
    pub(crate) zoom: Zoom,
    pub(crate) sort: Sort,
    pub(crate) lower: LowerPanel,
    /// Whether the examples are those where the neuron is most or least active.
    pub(crate) end: End,
    /// Where the values of neurons are read.
    pub(crate) hook: NeuronHook,
    /// Rank of the hypothesis drawn below the traces of neurons, from the best fit.
    pub(crate) overlay: Option<usize>,
    /// The patterns in the attention view.
    pub(crate) patterns: Patterns,
    pub(crate) logits: LogitPanel,
    /// What reads the residual stream.
    pub(crate) reader: StreamReader,
    pub(crate) mlp: MlpRow,
    pub(crate) contributions: ContributionsFrom,
    /// Neurons picked for the traces, in the order of picking.
    pub(crate) picked: Vec<NeuronId>,
    /// The target's token at the time of picking.
    pub(crate) picked_for: Option<Token>,
    /// Whether the strip shows the predictions with the ablation in a separate line.
    pub(crate) diff: bool,
    pub(crate) run_panel: RunPanel,
    pub(crate) tracker_sets: Option<TrackerNumber>,
    /// Whether the predictions over the validation set are exported.
    pub(crate) answers: bool,
    pub(crate) patching: PatchingSettings,
}

impl App {
    /// Whether the curves are in view 1.
    pub(crate) fn shows_curves(&self) -> bool {
        self.settings.run_panel == RunPanel::Curves
    }

    /// Picks the neuron under the cursor, or unpicks it.
    pub(super) fn pick(&mut self) {
        self.cursor.neuron_is_chosen = true;
        self.settings.picked_for = self.target_token();
        let (id, picked) = (self.cursor.neuron_id(), &mut self.settings.picked);
        match picked.iter().position(|one| *one == id) {
            Some(at) => drop(picked.remove(at)),
            None => picked.push(id),
        }
    }
}
