//! How each view is set.

use super::App;
use super::event::Notice;
use super::keymap::Action;
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

impl AttentionScale {
    fn next(self) -> Self {
        match self {
            Self::Raw => Self::RelativeToUniform,
            Self::RelativeToUniform => Self::InfoWeighted,
            Self::InfoWeighted => Self::Raw,
        }
    }
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

impl Zoom {
    /// One step in, or out.
    fn by(self, by: isize) -> Self {
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
    Index,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Contribution => Self::Activation,
            Self::Activation => Self::Index,
            Self::Index => Self::Contribution,
        }
    }
}

/// Below the list of neurons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LowerPanel {
    #[default]
    Traces,
    Map,
}

impl LowerPanel {
    fn next(self) -> Self {
        match self {
            Self::Traces => Self::Map,
            Self::Map => Self::Traces,
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
    fn next(self) -> Self {
        match self {
            Self::Log => Self::Linear,
            Self::Linear => Self::Log,
        }
    }
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

impl LogitPanel {
    fn next(self) -> Self {
        match self {
            Self::Profile => Self::Lens,
            Self::Lens => Self::Profile,
        }
    }
}

/// How an MLP is listed among the writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MlpRow {
    #[default]
    Whole,
    /// The cursor's neuron and the rest in rows of their own.
    Split,
}

impl MlpRow {
    fn next(self) -> Self {
        match self {
            Self::Whole => Self::Split,
            Self::Split => Self::Whole,
        }
    }
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

impl Patterns {
    fn next(self) -> Self {
        match self {
            Self::Sequence => Self::Mean,
            Self::Mean => Self::Sequence,
        }
    }
}

/// How each view is set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) loss: LossScale,
    pub(crate) attention: AttentionScale,
    pub(crate) zoom: Zoom,
    pub(crate) sort: Sort,
    pub(crate) lower: LowerPanel,
    /// Which of the task's features is drawn beneath the traces of neurons.
    pub(crate) overlay: Option<usize>,
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
        let has_mlp = self.options.model.has_mlp();
        let features = self.options.dataset.task().features().len();
        let settings = &mut self.settings;
        match action {
            Action::LogScale => settings.loss = settings.loss.next(),
            Action::Scale => settings.attention = settings.attention.next(),
            Action::Zoom(by) => settings.zoom = settings.zoom.by(by),
            Action::Sort => settings.sort = settings.sort.next(),
            Action::LowerPanel => settings.lower = settings.lower.next(),
            Action::Overlay if features == 0 => {
                self.say(Notice::info("this task names no feature that neurons may follow"));
            }
            Action::Overlay => {
                let next = settings.overlay.map_or(0, |at| at + 1);
                settings.overlay = (next < features).then_some(next);
            }
            Action::LogitPanel => settings.logits = settings.logits.next(),
            Action::SplitMlp if has_mlp => settings.mlp = settings.mlp.next(),
            Action::MeanPattern => settings.patterns = settings.patterns.next(),
            Action::Pick if has_mlp => self.pick(),
            Action::ToggleDiff if self.ablation.off.is_empty() => {
                self.say(Notice::info(
                    "nothing is off: space switches off the head or neuron under the cursor",
                ));
            }
            Action::ToggleDiff => settings.diff = !settings.diff,
            _ => {}
        }
    }

    /// Picks the neuron under the cursor, or drops it.
    fn pick(&mut self) {
        let (id, picked) = (self.cursor.neuron_id(), &mut self.settings.picked);
        match picked.iter().position(|one| *one == id) {
            Some(at) => drop(picked.remove(at)),
            None => picked.push(id),
        }
    }
}
