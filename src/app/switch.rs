//! Switching heads and neurons off and on.

use super::event::{Command, Notice};
use super::keymap::Action;
use super::moves::writers;
use super::{App, ViewId};
use crate::analysis::Writer;
use crate::model::AblationKind;

impl App {
    pub(super) fn toggle(&mut self) -> Vec<Command> {
        let off = &mut self.ablation.off;
        match self.view {
            ViewId::Attention => off.toggle_head(self.cursor.head_id()),
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
                let line = self.cursor.off_line.min(off.len() - 1);
                let head = off.heads.iter().nth(line).copied();
                let neuron = off.neurons.iter().nth(line.saturating_sub(off.heads.len())).copied();
                match (head, neuron) {
                    (Some(head), _) => off.toggle_head(head),
                    (None, Some(neuron)) => off.toggle_neuron(neuron),
                    (None, None) => {}
                }
                self.cursor.off_line = line.min(off.len().saturating_sub(1));
            }
            ViewId::Train | ViewId::Neurons | ViewId::Ablate => {
                return self.say(Notice::info("no head or neuron under the cursor: choose one in 2, 3 or 4"));
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
                    AblationKind::Zero => "an ablated value becomes zero",
                    AblationKind::Mean => "an ablated value becomes its mean over the validation set",
                };
                self.say(Notice::info(text));
            }
        }
        self.look_again()
    }

    pub(super) fn evaluate_again(&mut self) -> Vec<Command> {
        if self.ablation.off.is_empty() {
            return self.say(Notice::info("nothing is off: there is nothing to compare"));
        }
        let commands = self.request_evaluation();
        if commands.is_empty() {
            return self.say(Notice::info("these are the figures of the step in view"));
        }
        commands
    }
}
