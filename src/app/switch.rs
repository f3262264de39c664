//! Switches heads and neurons off and on.

use super::App;
use super::event::{Command, Notice};
use super::keymap::Offer;
use crate::analysis::donors_among;
use crate::model::{AblationKind, PatternKind};

impl App {
    pub(super) fn toggle_head(&mut self) -> Vec<Command> {
        self.ablation.off.toggle_head(self.cursor.head_id());
        self.look_again()
    }

    pub(super) fn toggle_neuron(&mut self) -> Vec<Command> {
        self.cursor.neuron_is_chosen = true;
        self.ablation.off.toggle_neuron(self.cursor.neuron_id());
        self.look_again()
    }

    /// Removes the intervention under the cursor.
    pub(super) fn undo_line(&mut self) -> Vec<Command> {
        let lines = self.ablation.lines();
        let line = self.cursor.off_line.min(lines.len().saturating_sub(1));
        if let Some(undone) = lines.get(line) {
            self.ablation.undo(*undone);
        }
        self.cursor.off_line = line.min(self.ablation.off.len().saturating_sub(1));
        self.look_again()
    }

    pub(super) fn clear(&mut self) -> Vec<Command> {
        self.ablation.clear();
        self.say(Notice::info("everything is on; U switches the same off again"));
        self.look_again()
    }

    /// Offers to restore the interventions that were last cleared.
    pub(super) fn restorable(&self) -> Offer {
        if !self.ablation.can_restore() {
            return Offer::nothing("nothing was cleared");
        }
        Offer::act(|app| {
            app.ablation.restore();
            app.look_again()
        })
    }

    pub(super) fn cycle_kind(&mut self) -> Vec<Command> {
        let can_resample = donors_among(&self.options.dataset, self.options.seed).is_some();
        let kind = &mut self.ablation.off.kind;
        *kind = kind.next();
        if *kind == AblationKind::Resample && !can_resample {
            *kind = kind.next();
        }
        let text = match kind {
            AblationKind::Zero => "ablating to zero",
            AblationKind::Mean => "ablating to the mean over sequences and positions of the validation set",
            AblationKind::MeanPosition => {
                "ablating to the mean at each position over the sequences of the validation set that have it"
            }
            AblationKind::Resample => {
                "ablating to the values of another validation sequence, drawn by the seed"
            }
        };
        self.say(Notice::info(text));
        self.look_again()
    }

    /// Sets the next pattern for one head or all: its own, uniform, identity, previous.
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
