//! Starts the screen at a given place: command-line options instead of keys.

use super::panels::PanelEntry;
use super::studies::Refresh;
use super::views::ViewId;
use super::{App, Command, Studies};
use crate::analysis::Target;
use crate::inquiry::{AskedBy, WeightForm};
use crate::model::Interventions;
use crate::task::Token;

/// The starting place; `None` keeps the default.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Layer and head of the cursor.
    pub head: Option<(usize, usize)>,
    /// Layer and neuron of the cursor.
    pub neuron: Option<(usize, usize)>,
    /// Position of the cursor.
    pub position: Option<usize>,
    /// `label`, `prediction`, `runner-up` or the name of a class.
    pub target: Option<String>,
    /// Whether the weights are folded.
    pub folded: bool,
    /// The kept snapshot nearest to this step.
    pub step: Option<usize>,
    /// The sequence, checked against the model.
    pub tokens: Option<Vec<Token>>,
    /// Heads and neurons switched off or replaced.
    pub edits: Option<Interventions>,
}

/// A requested place that does not exist.
#[derive(Debug, thiserror::Error)]
pub enum OpeningError {
    /// Beyond the end of the sequence.
    #[error("--position {position}: the sequence has {len} positions, 0 to {}", len - 1)]
    Position {
        /// The requested position.
        position: usize,
        /// Positions of the sequence.
        len: usize,
    },
    /// No class has this name.
    #[error("--target {0}: neither label, prediction, runner-up nor a class")]
    Target(String),
}

impl App {
    /// The opening of an app that is compared with this one: at the same place unless `to` says otherwise.
    pub fn as_here(&self, to: Opening) -> Opening {
        let cursor = &self.cursor;
        Opening {
            head: to.head.or(Some((cursor.layer, cursor.head))),
            neuron: to.neuron.or(Some((cursor.layer, cursor.neuron))),
            position: to.position.or(Some(cursor.position)),
            tokens: to.tokens.or_else(|| Some(self.sequence.tokens.to_vec())),
            ..to
        }
    }

    /// Shows a view at a place, and asks for the numbers there.
    ///
    /// # Errors
    /// When the place does not exist.
    pub fn open(&mut self, view: ViewId, to: Opening) -> Result<Vec<Command>, OpeningError> {
        // Answers about another place are not needed.
        self.studies = Studies::default();
        self.view = view;
        self.form = WeightForm::of(to.folded);
        if let Some(step) = to.step {
            self.timeline.look_at(step);
        }
        if let Some(tokens) = to.tokens {
            self.sequence.put(tokens);
            self.cursor.position = self.sequence.tokens.len() / 2;
        }
        if let Some(edits) = to.edits {
            self.ablation.off = edits;
        }
        if let Some(position) = to.position {
            let len = self.sequence.tokens.len();
            self.cursor.position =
                Some(position).filter(|at| *at < len).ok_or(OpeningError::Position { position, len })?;
        }
        if let Some((layer, head)) = to.head {
            (self.cursor.layer, self.cursor.head) = (layer, head);
            self.writer_follows_head();
        }
        if let Some((layer, neuron)) = to.neuron {
            (self.cursor.layer, self.cursor.neuron, self.cursor.neuron_is_chosen) = (layer, neuron, true);
        }
        if let Some(name) = to.target {
            self.cursor.target = self.target_called(&name).ok_or(OpeningError::Target(name))?;
        }
        Ok(self.look_again())
    }

    fn target_called(&self, name: &str) -> Option<Target> {
        Some(match name {
            "label" => Target::Label,
            "prediction" => Target::Prediction,
            "runner-up" => Target::LabelMinusRunnerUp,
            name => Target::Token(self.task().outputs().parse(name)?),
        })
    }

    /// Changes the view's settings so that a panel is visible, and asks for what the panel needs.
    pub(crate) fn bring_into_view(&mut self, entry: &PanelEntry) -> Vec<Command> {
        (entry.open)(self);
        (self.view.room().prepare)(self);
        self.request_studies(Refresh::Missing, AskedBy::User)
    }
}
