//! Moving the cursor, within the numbers at hand: no command follows from it.

use super::cursor::moved;
use super::event::Notice;
use super::keymap::Action;
use super::{App, ViewId};
use crate::analysis::{Probe, Target, Writer};
use crate::model::{HeadId, ModelConfig};
use crate::task::Class;

/// Lines that a page key moves by.
const PAGE: isize = 10;

impl App {
    pub(super) fn act_on_cursor(&mut self, action: Action) {
        let model = &self.options.model;
        let len = self.sequence.tokens.len();
        let cursor = &mut self.cursor;
        match action {
            Action::Position(by) => cursor.position = moved(cursor.position, by, len),
            Action::FirstPosition => cursor.position = 0,
            Action::LastPosition => cursor.position = len.saturating_sub(1),
            Action::Key(by) => cursor.key = moved(cursor.key, by, cursor.position + 1),
            Action::Head(by) => cursor.move_head(model, by),
            Action::Layer(by) => cursor.layer = moved(cursor.layer, by, model.n_layers),
            Action::Page(by) if self.view == ViewId::Attention => {
                cursor.position = moved(cursor.position, by * PAGE, len);
            }
            Action::Page(by) if self.view == ViewId::Circuits => self.page_circuits(by * PAGE),
            Action::Page(by) => self.move_line(by * PAGE),
            Action::Line(by) => self.move_line(by),
            Action::FirstLine => self.move_line(isize::MIN / 2),
            Action::LastLine => self.move_line(isize::MAX / 2),
            Action::NextWrong(by) => self.jump(by, "wrong", Self::is_wrong),
            Action::NextChanged(by) => self.jump(by, "changed", Self::is_changed),
            Action::CycleTarget => self.aim(self.next_target()),
            Action::TargetHere => match self.class_here() {
                Some(class) => self.aim(Target::Token(class)),
                None => drop(self.say(Notice::info("this token is not among the answers"))),
            },
            _ => {}
        }
        if matches!(action, Action::Head(_) | Action::Layer(_)) {
            self.writer_follows_head();
        }
        self.cursor.key = self.cursor.key.min(self.cursor.position);
    }

    /// Moves in the list of the view.
    fn move_line(&mut self, by: isize) {
        match self.view {
            ViewId::Logits => {
                let writers = writers(&self.options.model);
                self.cursor.writer = moved(self.cursor.writer, by, writers.len());
                match writers[self.cursor.writer] {
                    Writer::Head(HeadId { layer, head }) => {
                        (self.cursor.layer, self.cursor.head) = (layer, head);
                    }
                    Writer::AttnBias(layer) | Writer::Mlp(layer) => self.cursor.layer = layer,
                    Writer::Embed | Writer::PosEmbed | Writer::Bias => {}
                }
            }
            ViewId::Neurons => {
                let Some(probe) = &self.probe else { return };
                let order = self.neurons(probe);
                let at = order.iter().position(|figures| figures.neuron == self.cursor.neuron);
                if let Some(figures) = order.get(moved(at.unwrap_or_default(), by, order.len())) {
                    self.cursor.neuron = figures.neuron;
                }
            }
            ViewId::Ablate => self.cursor.off_line = moved(self.cursor.off_line, by, self.ablation.off.len()),
            ViewId::Train | ViewId::Attention | ViewId::Circuits => {}
        }
    }

    /// Notes whether an action takes a neuron, rather than whichever is the first.
    pub(super) fn choose_neuron(&mut self, action: Action) {
        if self.view == ViewId::Neurons {
            self.cursor.neuron_is_chosen = match action {
                Action::FirstLine => false,
                Action::Line(_) | Action::Page(_) | Action::LastLine | Action::Toggle | Action::Pick => true,
                _ => self.cursor.neuron_is_chosen,
            };
        }
    }

    pub(super) fn stay_on_first_neuron(&mut self) {
        if self.view != ViewId::Neurons || self.cursor.neuron_is_chosen {
            return;
        }
        let first = self.probe.as_deref().and_then(|probe| self.neurons(probe).first().map(|f| f.neuron));
        self.cursor.neuron = first.unwrap_or(self.cursor.neuron);
    }

    pub(super) fn writer_follows_head(&mut self) {
        let head = Writer::Head(self.cursor.head_id());
        if let Some(at) = writers(&self.options.model).iter().position(|writer| *writer == head) {
            self.cursor.writer = at;
        }
    }

    fn is_wrong(&self, position: usize) -> bool {
        let prediction = |probe: &Probe| probe.current().predictions.get(position).copied().flatten();
        let is_wrong =
            |probe: &Probe| probe.label(position).is_some_and(|label| prediction(probe) != Some(label));
        self.probe.as_deref().is_some_and(is_wrong)
    }

    fn is_changed(&self, position: usize) -> bool {
        self.probe.as_deref().is_some_and(|probe| {
            probe.ablated.as_ref().is_some_and(|ablated| {
                ablated.predictions.get(position) != probe.clean.predictions.get(position)
            })
        })
    }

    /// Moves to the next position, in a direction, of which something holds.
    fn jump(&mut self, by: isize, what: &str, holds: fn(&Self, usize) -> bool) {
        let len = self.probe.as_ref().map_or(0, |probe| probe.len().min(self.sequence.tokens.len()));
        let here = self.cursor.position;
        let found = if by > 0 {
            (here + 1..len).find(|&position| holds(self, position))
        } else {
            (0..here.min(len)).rev().find(|&position| holds(self, position))
        };
        if let Some(position) = found {
            self.cursor.position = position;
        } else {
            let side = if by > 0 { "after" } else { "before" };
            self.say(Notice::info(format!("no {what} prediction {side} position {here}")));
        }
    }

    /// The class with the name of the token at the cursor.
    fn class_here(&self) -> Option<Class> {
        let task = self.task();
        task.outputs().parse(&task.vocabulary().name(self.sequence.tokens[self.cursor.position]))
    }

    fn next_target(&self) -> Target {
        match self.cursor.target {
            Target::Label => Target::Prediction,
            Target::Prediction => Target::LabelMinusRunnerUp,
            Target::LabelMinusRunnerUp => self.class_here().map_or(Target::Label, Target::Token),
            Target::Token(_) => Target::Label,
        }
    }

    fn aim(&mut self, target: Target) {
        self.cursor.target = target;
        if !self.view.has_target() {
            self.say(Notice::info(format!("target: {}", self.target_words())));
        }
    }
}

/// Every writer, in the order of an attribution.
pub(super) fn writers(model: &ModelConfig) -> Vec<Writer> {
    let layer = |layer: usize| {
        let heads = (0..model.n_heads).map(move |head| Writer::Head(HeadId { layer, head }));
        let mlp = model.has_mlp().then_some(Writer::Mlp(layer));
        heads.chain([Writer::AttnBias(layer)]).chain(mlp)
    };
    let layers = (0..model.n_layers).flat_map(layer);
    [Writer::Embed, Writer::PosEmbed].into_iter().chain(layers).chain([Writer::Bias]).collect()
}
