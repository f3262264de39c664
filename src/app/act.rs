//! What each action does.

use std::sync::Arc;

use super::cursor::moved;
use super::event::{Command, Notice};
use super::keymap::{self, Action};
use super::sequence::{Edit, Source};
use super::{App, AttentionScale, Focus, LossScale, LowerPanel, Sort, ViewId, Zoom};
use crate::analysis::{Target, Writer};
use crate::model::{AblationKind, HeadId, ModelConfig};
use crate::train::{RunState, TrainCommand};

/// Lines that a page key moves by.
const PAGE: isize = 10;

impl App {
    pub(super) fn act(&mut self, action: Action) -> Vec<Command> {
        if matches!(self.focus, Focus::Quit) {
            self.focus = Focus::View;
            if matches!(action, Action::Quit | Action::QuitNow) {
                return self.quit();
            }
            if action == Action::Dismiss {
                return Vec::new();
            }
        }
        match action {
            Action::View(_) | Action::NextView | Action::PreviousView => self.act_on_tabs(action),
            Action::Toggle => self.toggle(),
            Action::Clear | Action::Restore | Action::CycleKind => self.act_on_ablation(action),
            Action::RandomSequence | Action::ValidationSequence(_) => self.change_sequence(action),
            Action::Freeze | Action::Back | Action::Forward | Action::FirstSnapshot | Action::Follow => {
                self.act_on_timeline(action)
            }
            Action::PauseResume | Action::SingleStep => self.act_on_trainer(action),
            Action::Evaluate => self.evaluate_again(),
            Action::Repaint => vec![Command::Repaint],
            Action::Suspend => vec![Command::Suspend],
            Action::Quit if self.is_training() => {
                self.focus = Focus::Quit;
                Vec::new()
            }
            Action::Quit | Action::QuitNow => self.quit(),
            Action::Edit => {
                self.focus = Focus::Edit(Edit::new(&self.sequence, self.cursor.position));
                Vec::new()
            }
            Action::EditMove(_)
            | Action::EditStart
            | Action::EditEnd
            | Action::EditBackspace
            | Action::EditDelete
            | Action::EditCut
            | Action::EditInsert
            | Action::EditFinish
            | Action::EditApply
            | Action::EditCancel => self.act_on_edit(action),
            Action::Help => {
                self.focus = Focus::Help(0);
                Vec::new()
            }
            Action::HelpLine(_) | Action::HelpClose | Action::Dismiss => self.act_on_help(action),
            _ => {
                self.act_on_cursor(action);
                self.act_on_settings(action);
                Vec::new()
            }
        }
    }

    fn act_on_tabs(&mut self, action: Action) -> Vec<Command> {
        self.view = match action {
            Action::View(view) => view,
            Action::NextView => self.view.next(1),
            _ => self.view.next(-1),
        };
        self.request_evaluation()
    }

    /// Moves within the numbers at hand: no command follows from it.
    fn act_on_cursor(&mut self, action: Action) {
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
            Action::Page(by) => self.move_line(by * PAGE),
            Action::Line(by) => self.move_line(by),
            Action::FirstLine => self.move_line(isize::MIN / 2),
            Action::LastLine => self.move_line(isize::MAX / 2),
            Action::NextWrong(by) => self.jump(by, "no wrong prediction there", Self::is_wrong),
            Action::NextChanged(by) => self.jump(by, "no changed prediction there", Self::is_changed),
            Action::CycleTarget => self.cycle_target(),
            Action::TargetHere => cursor.target = Target::Token(self.sequence.tokens[cursor.position]),
            _ => {}
        }
        if matches!(action, Action::Head(_) | Action::Layer(_)) {
            self.writer_follows_head();
        }
        self.cursor.key = self.cursor.key.min(self.cursor.position);
    }

    fn act_on_settings(&mut self, action: Action) {
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
            Action::ToggleDiff if self.ablation.off.is_empty() => {
                self.say(Notice::info(
                    "nothing is off: space switches off the head or neuron under the cursor",
                ));
            }
            Action::ToggleDiff => settings.diff = !settings.diff,
            _ => {}
        }
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
            ViewId::Train | ViewId::Attention => {}
        }
    }

    fn writer_follows_head(&mut self) {
        let head = Writer::Head(self.cursor.head_id());
        if let Some(at) = writers(&self.options.model).iter().position(|writer| *writer == head) {
            self.cursor.writer = at;
        }
    }

    fn is_wrong(&self, position: usize) -> bool {
        let prediction = |probe: &crate::analysis::Probe| probe.current().predictions.get(position).copied();
        self.probe.as_deref().is_some_and(|probe| prediction(probe) != probe.labels.get(position).copied())
    }

    fn is_changed(&self, position: usize) -> bool {
        self.probe.as_deref().is_some_and(|probe| {
            probe.ablated.as_ref().is_some_and(|ablated| {
                ablated.predictions.get(position) != probe.clean.predictions.get(position)
            })
        })
    }

    /// Moves to the next position, in a direction, of which something holds.
    fn jump(&mut self, by: isize, otherwise: &str, holds: fn(&Self, usize) -> bool) {
        let len = self.probe.as_ref().map_or(0, |probe| probe.len().min(self.sequence.tokens.len()));
        let here = self.cursor.position;
        let found = if by > 0 {
            (here + 1..len).find(|&position| holds(self, position))
        } else {
            (0..here.min(len)).rev().find(|&position| holds(self, position))
        };
        match found {
            Some(position) => self.cursor.position = position,
            None => drop(self.say(Notice::info(otherwise))),
        }
    }

    fn cycle_target(&mut self) {
        self.cursor.target = match self.cursor.target {
            Target::Label => Target::Prediction,
            Target::Prediction => Target::LabelMinusRunnerUp,
            Target::LabelMinusRunnerUp => Target::Token(self.sequence.tokens[self.cursor.position]),
            Target::Token(_) => Target::Label,
        };
    }

    fn toggle(&mut self) -> Vec<Command> {
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

    fn act_on_ablation(&mut self, action: Action) -> Vec<Command> {
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

    fn change_sequence(&mut self, action: Action) -> Vec<Command> {
        match action {
            Action::ValidationSequence(by) => {
                if !self.sequence.next_validation(&self.options.dataset, by) {
                    return self
                        .say(Notice::warning("there is no validation sequence: r draws a random one"));
                }
            }
            _ => self.sequence.random(),
        }
        self.request_probe()
    }

    fn act_on_timeline(&mut self, action: Action) -> Vec<Command> {
        let (changed, otherwise) = match action {
            Action::Freeze => (self.timeline.toggle_freeze(), "there is no snapshot yet"),
            Action::Back => (self.timeline.back(), "there is no earlier snapshot"),
            Action::Forward => (self.timeline.forward(), "this is the newest snapshot"),
            Action::FirstSnapshot => (self.timeline.first(), "there is no snapshot yet"),
            _ => (self.timeline.follow(), "this is the newest snapshot"),
        };
        if changed { self.look_again() } else { self.say(Notice::info(otherwise)) }
    }

    fn act_on_trainer(&mut self, action: Action) -> Vec<Command> {
        if self.is_exploring() {
            return self.say(Notice::info("nothing trains here: these weights are only explored"));
        }
        let command = match (self.trainer.state, action) {
            (Some(RunState::Running | RunState::Paused), Action::SingleStep) => TrainCommand::Step,
            (Some(RunState::Running), _) => TrainCommand::Pause,
            (Some(RunState::Paused), _) => TrainCommand::Resume,
            (None, _) => return self.say(Notice::info("training has not started yet")),
            (Some(RunState::Finished), _) => return self.say(Notice::info("the run is finished")),
            (Some(RunState::Stopped | RunState::Failed), _) => {
                return self.say(Notice::info("the run is over"));
            }
        };
        vec![Command::Train(command)]
    }

    fn evaluate_again(&mut self) -> Vec<Command> {
        if self.ablation.off.is_empty() {
            return self.say(Notice::info("nothing is off: there is nothing to compare"));
        }
        let commands = self.request_evaluation();
        if commands.is_empty() {
            return self.say(Notice::info("these are the figures of the step in view"));
        }
        commands
    }

    fn quit(&mut self) -> Vec<Command> {
        let stop = self.is_training().then_some(Command::Train(TrainCommand::Stop));
        stop.into_iter().chain([Command::Quit]).collect()
    }

    /// Changes the tokens that are typed, and tries them at once.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Edit) -> Result<(), String>) -> Vec<Command> {
        let Focus::Edit(edit) = &mut self.focus else { return Vec::new() };
        let result = change(edit);
        let changed = !edit.tokens.is_empty() && edit.tokens[..] != self.sequence.tokens[..];
        if changed {
            self.sequence.tokens = Arc::from(edit.tokens.as_slice());
            self.sequence.source = Source::Edited;
        }
        self.cursor.position = edit.at.min(self.sequence.tokens.len().saturating_sub(1));
        self.cursor.key = self.cursor.key.min(self.cursor.position);
        if let Err(reason) = result {
            self.say(Notice::warning(reason));
        }
        if changed { self.request_probe() } else { Vec::new() }
    }

    fn act_on_edit(&mut self, action: Action) -> Vec<Command> {
        match action {
            Action::EditApply => {
                let commands = self.edit(Edit::finish);
                let empty = matches!(&self.focus, Focus::Edit(edit) if edit.tokens.is_empty());
                if empty {
                    self.say(Notice::warning("a sequence has at least one token"));
                } else if self.notice.is_none() {
                    self.focus = Focus::View;
                }
                commands
            }
            Action::EditCancel => {
                let Focus::Edit(edit) = std::mem::take(&mut self.focus) else { return Vec::new() };
                let changed = self.sequence.tokens != edit.before.0;
                (self.sequence.tokens, self.sequence.source) = edit.before;
                if changed { self.request_probe() } else { Vec::new() }
            }
            _ => self.edit(|edit| {
                match action {
                    Action::EditMove(by) => return edit.go(edit.at.saturating_add_signed(by)),
                    Action::EditStart => return edit.go(0),
                    Action::EditEnd => return edit.go(usize::MAX),
                    Action::EditFinish => return edit.finish(),
                    Action::EditBackspace => edit.backspace(),
                    Action::EditDelete => edit.delete(),
                    Action::EditCut => edit.cut(),
                    Action::EditInsert => edit.insert = !edit.insert,
                    _ => {}
                }
                Ok(())
            }),
        }
    }

    fn act_on_help(&mut self, action: Action) -> Vec<Command> {
        match (action, &mut self.focus) {
            (Action::HelpLine(by), Focus::Help(line)) => {
                let shown = usize::from(self.height.saturating_sub(crate::view::HELP_CHROME));
                *line = moved(*line, by, (keymap::help_lines() + 1).saturating_sub(shown).max(1));
            }
            (Action::HelpClose, _) => self.focus = Focus::View,
            _ => {}
        }
        Vec::new()
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
