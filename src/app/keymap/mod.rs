//! All keys, one table per context: the tables dispatch keys, and fill the key line, the help and the README.

mod binding;
mod everywhere;
mod help;
mod listing;
mod picking;
mod typing;

use std::fmt::Write;

use super::{App, ViewId};

pub use binding::{Binding, JOIN, Key};
pub(crate) use binding::{DOWN, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
pub(crate) use listing::{Kind, NAMES, lines as help};

/// Where a key is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// In every view.
    Everywhere,
    /// In one view.
    View(ViewId),
    /// While tokens are typed; no other context is active then.
    Typing,
    /// While a choice is typed; no other context is active then.
    Picking,
    /// While the list of keys is shown; no other context is active then.
    Help,
}

impl Context {
    /// Every context, in the order of the help.
    pub fn all() -> impl Iterator<Item = Self> {
        let views = ViewId::ALL.iter().copied().map(Self::View);
        [Self::Everywhere].into_iter().chain(views).chain([Self::Typing, Self::Picking, Self::Help])
    }

    /// Heading of the context.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::View(view) => view.title(),
            Self::Typing => "Typing tokens",
            Self::Picking => "Choosing",
            Self::Help => "This list",
        }
    }

    /// Bindings of the context; a view's are in its `Room`, and the key that opens a view is active everywhere.
    pub fn bindings(self) -> impl Iterator<Item = &'static Binding> {
        let (keys, rooms): (&'static [Binding], &[ViewId]) = match self {
            Self::Everywhere => (everywhere::KEYS, ViewId::ALL),
            Self::View(view) => (view.room().keys, &[]),
            Self::Typing => (typing::KEYS, &[]),
            Self::Picking => (picking::KEYS, &[]),
            Self::Help => (help::KEYS, &[]),
        };
        keys.iter().chain(rooms.iter().map(|view| &view.room().open))
    }

    /// Whether no other context is active at the same time.
    pub fn is_alone(self) -> bool {
        matches!(self, Self::Typing | Self::Picking | Self::Help)
    }
}

/// The binding of a key in a context.
pub fn find(context: Context, key: Key) -> Option<&'static Binding> {
    let bound = |context: Context| context.bindings().find(|binding| binding.keys.contains(&key));
    // Keys for the terminal take precedence in every focus.
    let is_terminals = everywhere::TERMINAL.contains(&key);
    bound(context).or_else(|| bound(Context::Everywhere).filter(|_| !context.is_alone() || is_terminals))
}

/// Hints for the key line, as keys and word, of the keys that would act now.
pub(crate) fn hints(app: &App, context: Context, unicode: bool, moot: &[Key]) -> Vec<(String, &'static str)> {
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    let is_offered = |binding: &&Binding| {
        let is_moot = || binding.keys.iter().any(|key| moot.contains(key));
        !binding.hint.is_empty() && !is_moot() && matches!((binding.offer)(app), Offer::Do(_))
    };
    let mut joined_to_offered = false;
    for binding in context.bindings().filter(|binding| !binding.hint.is_empty()) {
        let is_offered = is_offered(&binding);
        let key = binding.keys.first().map(|key| key.name(unicode)).unwrap_or_default();
        if binding.hint != JOIN {
            joined_to_offered = is_offered;
            if is_offered {
                hints.push((key, binding.hint));
            }
        } else if let Some((keys, _)) = hints.last_mut().filter(|_| joined_to_offered && is_offered) {
            // `zZ` is readable, `LeftRight` is not.
            if key.chars().count() > 1 {
                keys.push('/');
            }
            keys.push_str(&key);
        }
    }
    hints
}

/// The table for the README, in Markdown.
pub fn markdown_table() -> String {
    let mut out = String::from("| where | keys | what |\n|---|---|---|\n");
    for context in Context::all() {
        for binding in context.bindings() {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", key.name(true))).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} | {} | {} |", context.title(), keys.join(" "), binding.help);
        }
    }
    out
}
