//! Moves the cursor within the known numbers: no commands follow.

use super::App;
use super::cursor::moved;
use super::event::Notice;
use crate::analysis::{Component, Target};
use crate::model::{HeadId, ModelConfig};
use crate::task::Class;

impl App {
    pub(super) fn move_position(&mut self, by: isize) {
        self.set_position(moved(self.cursor.position, by, self.sequence.tokens.len()));
    }

    /// The middle of the sequence, where attention has a choice; if nothing is to be predicted there, the next position where
    /// something is, or the last one.
    pub(super) fn middle(&self) -> usize {
        let (tokens, middle) = (&self.sequence.tokens, self.sequence.tokens.len() / 2);
        let targets = self.task().targets(tokens);
        let scored: Vec<usize> = (0..targets.len()).filter(|at| targets[*at].is_some()).collect();
        scored.iter().find(|at| **at >= middle).or(scored.last()).copied().unwrap_or(middle)
    }

    /// Moves to a position, clamped to the last.
    pub(super) fn set_position(&mut self, position: usize) {
        self.cursor.position = position.min(self.sequence.tokens.len().saturating_sub(1));
        self.keep_key();
    }

    /// Keeps the cursor's key among those that the query may see.
    pub(super) fn keep_key(&mut self) {
        self.cursor.keep_key(self.options.model.attention_dir, self.sequence.tokens.len());
    }

    /// Moves the cursor's key.
    pub(super) fn move_key(&mut self, by: isize) {
        self.cursor.move_key(by, self.options.model.attention_dir, self.sequence.tokens.len());
    }

    /// Scrolls the classes.
    pub(super) fn move_classes(&mut self, by: isize) {
        self.cursor.class_rank = moved(self.cursor.class_rank, by, self.task().outputs().len());
    }

    pub(super) fn move_head(&mut self, by: isize) {
        self.leave_paths();
        self.cursor.move_head(&self.options.model, by);
        self.writer_follows_head();
    }

    pub(super) fn move_layer(&mut self, by: isize) {
        self.cursor.layer = moved(self.cursor.layer, by, self.options.model.n_layers);
        self.writer_follows_head();
    }

    pub(super) fn move_writer(&mut self, by: isize) {
        let components = all_components(&self.options.model);
        self.cursor.component = moved(self.cursor.component, by, components.len());
        match components[self.cursor.component] {
            Component::Head(HeadId { layer, head }) => {
                (self.cursor.layer, self.cursor.head) = (layer, head);
            }
            Component::AttnBias(layer) | Component::Mlp(layer) | Component::MlpBias(layer) => {
                self.cursor.layer = layer;
            }
            Component::Embed | Component::PosEmbed | Component::Bias => {}
        }
    }

    /// Moves in the list of neurons.
    pub(super) fn move_neuron(&mut self, by: isize) {
        self.cursor.neuron_is_chosen = true;
        let Some(probe) = &self.probe else { return };
        let order = self.neuron_order(probe);
        let at = order.iter().position(|neuron| *neuron == self.cursor.neuron);
        if let Some(neuron) = order.get(moved(at.unwrap_or_default(), by, order.len())) {
            self.cursor.neuron = *neuron;
        }
    }

    /// Keeps the cursor on the first neuron of the list from now on, even if the order changes.
    pub(super) fn follow_first_neuron(&mut self) {
        self.cursor.neuron_is_chosen = false;
    }

    pub(super) fn stay_on_first_neuron(&mut self) {
        if !self.cursor.neuron_is_chosen {
            let first = self.probe.as_deref().and_then(|probe| self.neuron_order(probe).first().copied());
            self.cursor.neuron = first.unwrap_or(self.cursor.neuron);
        }
    }

    pub(super) fn writer_follows_head(&mut self) {
        let head = Component::Head(self.cursor.head_id());
        if let Some(at) = all_components(&self.options.model).iter().position(|component| *component == head)
        {
            self.cursor.component = at;
        }
    }

    /// The class with the name of the token at the cursor.
    pub(super) fn class_here(&self) -> Option<Class> {
        let task = self.task();
        task.outputs().parse(&task.vocabulary().name(self.sequence.tokens[self.cursor.position]))
    }

    pub(super) fn next_target(&self) -> Target {
        match self.cursor.target {
            Target::Label => Target::Prediction,
            Target::Prediction => Target::LabelMinusRunnerUp,
            Target::LabelMinusRunnerUp => self.class_here().map_or(Target::Label, Target::Token),
            Target::Token(_) => Target::Label,
        }
    }

    pub(super) fn aim(&mut self, target: Target) {
        self.cursor.target = target;
        if !self.view.room().has_target {
            self.say(Notice::info(format!("target: {}", self.cursor.target.words(self.task()))));
        }
    }
}

/// Every component, in the order of the attribution.
pub(super) fn all_components(model: &ModelConfig) -> Vec<Component> {
    let layer = |layer: usize| {
        let heads = (0..model.n_heads).map(move |head| Component::Head(HeadId { layer, head }));
        let mlp = [Component::Mlp(layer), Component::MlpBias(layer)].into_iter().filter(|_| model.has_mlp());
        heads.chain([Component::AttnBias(layer)]).chain(mlp)
    };
    let layers = (0..model.n_layers).flat_map(layer);
    let positions = model.positional_embedding_type.is_of_stream().then_some(Component::PosEmbed);
    std::iter::once(Component::Embed).chain(positions).chain(layers).chain([Component::Bias]).collect()
}
