//! Typing of tokens: every change is evaluated at once.

use std::sync::Arc;

use super::event::{Command, Notice};
use super::sequence::{Edit, Source};
use super::{App, Focus};

impl App {
    /// Changes the typed tokens and evaluates them at once.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Edit) -> Result<(), String>) -> Vec<Command> {
        let Focus::Edit(edit) = &mut self.focus else { return Vec::new() };
        let result = change(edit);
        let changed = !edit.tokens.is_empty() && edit.tokens[..] != self.sequence.tokens[..];
        if changed {
            self.sequence.tokens = Arc::from(edit.tokens.as_slice());
            self.sequence.source = Source::Edited;
        }
        self.cursor.position = edit.at.min(self.sequence.tokens.len().saturating_sub(1));
        self.keep_key();
        if let Err(reason) = result {
            self.say(Notice::warning(reason));
        }
        if changed { self.request_probe() } else { Vec::new() }
    }

    /// Ends typing and keeps the sequence.
    pub(super) fn keep_typed(&mut self) -> Vec<Command> {
        let commands = self.edit(Edit::finish);
        if matches!(&self.focus, Focus::Edit(edit) if edit.tokens.is_empty()) {
            self.say(Notice::warning("a sequence has at least one token"));
        } else if self.notice.is_none() {
            self.focus = Focus::View;
        }
        commands
    }

    /// Ends typing and restores the previous sequence.
    pub(super) fn cancel_typing(&mut self) -> Vec<Command> {
        let Focus::Edit(edit) = std::mem::take(&mut self.focus) else { return Vec::new() };
        let changed = self.sequence.tokens != edit.before.0;
        (self.sequence.tokens, self.sequence.source) = edit.before;
        (self.cursor.position, self.cursor.key) = edit.from;
        if changed { self.request_probe() } else { Vec::new() }
    }
}
