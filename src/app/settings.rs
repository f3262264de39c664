//! How each view is set.

use super::App;
use super::event::Notice;
use super::keymap::Action;
use crate::analysis::Hypothesis;
use crate::model::NeuronId;

/// The attention view's scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AttentionScale {
    #[default]
    Raw,
    /// Times the number of keys the query may see.
    RelativeToUniform,
    /// Times the length of what the key's value writes.
    InfoWeighted,
}

/// Columns a key takes in the attention view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Zoom {
    /// As many keys as it takes to show all of them.
    Fit,
    #[default]
    One,
    Two,
}

/// The order of the neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Largest |contribution| first.
    #[default]
    Contribution,
    /// Largest |activation| first.
    Activation,
    Index,
}

/// Below the list of neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LowerPanel {
    #[default]
    Traces,
    Map,
}

/// The scale of the losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LossScale {
    #[default]
    Log,
    Linear,
}

/// Below the list of writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogitPanel {
    /// One writer over positions.
    #[default]
    Profile,
    /// The stream between the sublayers.
    Lens,
}

/// How an MLP is listed among the writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MlpRow {
    #[default]
    Whole,
    /// The cursor's neuron and the rest in rows of their own.
    Split,
}

/// Whose patterns the attention view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patterns {
    /// This sequence's.
    #[default]
    Sequence,
    /// Their means over the validation set.
    Mean,
}

/// How each view is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) loss: LossScale,
    pub(crate) attention: AttentionScale,
    pub(crate) zoom: Zoom,
    pub(crate) sort: Sort,
    pub(crate) lower: LowerPanel,
    /// What is drawn beneath the traces of neurons.
    pub(crate) overlay: Option<Hypothesis>,
    /// Whose patterns the attention view shows.
    pub(crate) patterns: Patterns,
    pub(crate) logits: LogitPanel,
    pub(crate) mlp: MlpRow,
    /// Neurons picked for the traces, in the order of picking.
    pub(crate) picked: Vec<NeuronId>,
    /// Whether the strip shows the predictions with the ablation in a line of their own.
    pub(crate) diff: bool,
}

impl App {
    pub(super) fn act_on_settings(&mut self, action: Action) {
        let settings = &mut self.settings;
        match action {
            Action::LogScale => {
                settings.loss = match settings.loss {
                    LossScale::Log => LossScale::Linear,
                    LossScale::Linear => LossScale::Log,
                };
            }
            Action::Scale => {
                settings.attention = match settings.attention {
                    AttentionScale::Raw => AttentionScale::RelativeToUniform,
                    AttentionScale::RelativeToUniform => AttentionScale::InfoWeighted,
                    AttentionScale::InfoWeighted => AttentionScale::Raw,
                };
            }
            Action::Zoom(by) => {
                settings.zoom = match (settings.zoom, by > 0) {
                    (Zoom::Fit, true) | (Zoom::Two, false) => Zoom::One,
                    (_, true) => Zoom::Two,
                    (_, false) => Zoom::Fit,
                };
            }
            Action::Sort => {
                settings.sort = match settings.sort {
                    Sort::Contribution => Sort::Activation,
                    Sort::Activation => Sort::Index,
                    Sort::Index => Sort::Contribution,
                };
            }
            Action::LowerPanel => {
                settings.lower = match settings.lower {
                    LowerPanel::Traces => LowerPanel::Map,
                    LowerPanel::Map => LowerPanel::Traces,
                };
            }
            Action::Pick if self.options.model.has_mlp() => {
                let id = self.cursor.neuron_id();
                match settings.picked.iter().position(|picked| *picked == id) {
                    Some(at) => drop(settings.picked.remove(at)),
                    None => settings.picked.push(id),
                }
            }
            Action::Overlay => {
                let next = match settings.overlay {
                    None => 0,
                    Some(now) => Hypothesis::ALL.iter().position(|h| *h == now).unwrap_or_default() + 1,
                };
                settings.overlay = Hypothesis::ALL.get(next).copied();
            }
            Action::LogitPanel => {
                settings.logits = match settings.logits {
                    LogitPanel::Profile => LogitPanel::Lens,
                    LogitPanel::Lens => LogitPanel::Profile,
                };
            }
            Action::SplitMlp if self.options.model.has_mlp() => {
                settings.mlp = match settings.mlp {
                    MlpRow::Whole => MlpRow::Split,
                    MlpRow::Split => MlpRow::Whole,
                };
            }
            Action::MeanPattern => {
                settings.patterns = match settings.patterns {
                    Patterns::Sequence => Patterns::Mean,
                    Patterns::Mean => Patterns::Sequence,
                };
            }
            Action::ToggleDiff if self.ablation.off.is_empty() => {
                self.say(Notice::info(
                    "nothing is off: space switches off the head or neuron under the cursor",
                ));
            }
            Action::ToggleDiff => settings.diff = !settings.diff,
            _ => {}
        }
    }
}
