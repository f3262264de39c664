//! Typing tokens: every change is tried at once.

use std::sync::Arc;

use super::event::{Command, Notice};
use super::keymap::Action;
use super::sequence::{Edit, Source};
use super::{App, Focus};

impl App {
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

    pub(super) fn act_on_edit(&mut self, action: Action) -> Vec<Command> {
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
                (self.cursor.position, self.cursor.key) = edit.from;
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
}
