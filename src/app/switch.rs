//! Switching heads and neurons off and on.

use super::event::{Command, Notice};
use super::keymap::Action;
use super::moves::writers;
use super::{App, CircuitMap, ViewId};
use crate::analysis::Writer;
use crate::model::{AblationKind, PatternKind};

impl App {
    pub(super) fn toggle(&mut self) -> Vec<Command> {
        let is_on_path = self.chosen_path().is_some();
        let off = &mut self.ablation.off;
        match self.view {
            ViewId::Circuits if is_on_path || self.circuits.map == CircuitMap::OvNeurons => {
                off.toggle_neuron(self.cursor.neuron_id());
            }
            ViewId::Attention | ViewId::Circuits => off.toggle_head(self.cursor.head_id()),
            ViewId::Neurons if self.options.model.has_mlp() => off.toggle_neuron(self.cursor.neuron_id()),
            ViewId::Logits => match writers(&self.options.model).get(self.cursor.writer) {
                Some(Writer::Head(id)) => off.toggle_head(*id),
                _ => {
                    return self.say(Notice::info(
                        "only heads and neurons can be switched off: choose a head's row",
                    ));
                }
            },
            ViewId::Ablate if !off.is_empty() => {
                let lines = self.ablation.lines();
                let line = self.cursor.off_line.min(lines.len() - 1);
                self.ablation.undo(lines[line]);
                self.cursor.off_line = line.min(self.ablation.off.len().saturating_sub(1));
            }
            ViewId::Train | ViewId::Neurons | ViewId::Ablate => {
                return self.say(Notice::info("no head or neuron under the cursor: choose one in 2 to 5"));
            }
        }
        self.look_again()
    }

    pub(super) fn act_on_ablation(&mut self, action: Action) -> Vec<Command> {
        match action {
            Action::Clear if self.ablation.clear() => {
                self.say(Notice::info("everything is on; U switches the same off again"));
            }
            Action::Clear => return self.say(Notice::info("nothing is off")),
            Action::Restore if self.ablation.restore() => {}
            Action::Restore => return self.say(Notice::info("nothing was cleared")),
            _ => {
                let kind = &mut self.ablation.off.kind;
                *kind = match kind {
                    AblationKind::Zero => AblationKind::Mean,
                    AblationKind::Mean => AblationKind::Zero,
                };
                let text = match kind {
                    AblationKind::Zero => "ablating to zero",
                    AblationKind::Mean => {
                        "ablating to the mean over sequences and positions of the validation set"
                    }
                };
                self.say(Notice::info(text));
            }
        }
        self.look_again()
    }

    /// The next pattern for one head or for all: its own, uniform, identity, previous.
    pub(super) fn replace_patterns(&mut self, all: bool) -> Vec<Command> {
        let patterns = &mut self.ablation.off.patterns;
        let here = self.cursor.head_id();
        let next = match patterns.get(&here) {
            None => Some(PatternKind::Uniform),
            Some(PatternKind::Uniform) => Some(PatternKind::Identity),
            Some(PatternKind::Identity) => Some(PatternKind::Previous),
            Some(PatternKind::Previous) => None,
        };
        for id in self.options.model.heads().filter(|id| all || *id == here) {
            match next {
                Some(kind) => drop(patterns.insert(id, kind)),
                None => drop(patterns.remove(&id)),
            }
        }
        let who = if all {
            "every head attends".into()
        } else {
            format!("head {}.{} attends", here.layer, here.head)
        };
        let how = match next {
            None => "by its own pattern",
            Some(PatternKind::Uniform) => "uniformly: it averages",
            Some(PatternKind::Identity) => "to the query itself",
            Some(PatternKind::Previous) => "to the position before",
        };
        self.say(Notice::info(format!("{who} {how}")));
        self.look_again()
    }
}
