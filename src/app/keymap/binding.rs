//! A key and its action.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::{App, Command};

/// The action of a key.
pub(crate) type Effect = Box<dyn FnOnce(&mut App) -> Vec<Command>>;

/// What a key would do now: decides whether the key works and has a hint, and its line of help.
pub(crate) enum Offer {
    /// An action.
    Do(Effect),
    /// An action that needs no hint now.
    Quiet(Effect),
    /// No action, for this reason.
    Nothing(Cow<'static, str>),
}

impl Offer {
    /// An action that returns commands.
    pub(crate) fn act(effect: impl FnOnce(&mut App) -> Vec<Command> + 'static) -> Self {
        Self::Do(Box::new(effect))
    }

    /// An action on the state alone.
    pub(crate) fn set(effect: impl FnOnce(&mut App) + 'static) -> Self {
        Self::act(|app| {
            effect(app);
            Vec::new()
        })
    }

    /// No action, and why.
    pub(crate) fn nothing(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Nothing(why.into())
    }

    /// Removes the hint unless `is_useful`.
    #[must_use]
    pub(crate) fn hinted_if(self, is_useful: bool) -> Self {
        match self {
            Self::Do(effect) if !is_useful => Self::Quiet(effect),
            other => other,
        }
    }
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
}

/// A row of a key table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Each of these keys triggers it.
    pub keys: &'static [Key],
    pub(crate) offer: fn(&App) -> Offer,
    /// Hint in the key line: a word or two; [`JOIN`] if it shares the previous hint; empty without a hint.
    pub hint: &'static str,
    /// Text in the list of keys.
    pub help: &'static str,
}

/// The hint of a key that shares the previous binding's hint: `← →` position.
pub const JOIN: &str = "&";

/// A row of a key table.
pub(crate) const fn bind(
    keys: &'static [Key],
    offer: fn(&App) -> Offer,
    hint: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, offer, hint, help }
}

impl Key {
    /// A character.
    pub(crate) const fn ch(c: char) -> Self {
        Self { code: KeyCode::Char(c), control: false }
    }

    /// A character with Control.
    pub(crate) const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), control: true }
    }

    /// Any other key.
    pub(crate) const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    /// The key of an event. Shift is ignored: a capital letter is its own key. Other modifiers give `None`.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let foreign = KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META;
        let code = match event.code {
            KeyCode::Char(c) if control => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        (!event.modifiers.intersects(foreign)).then_some(Self { code, control })
    }

    /// The event of pressing this key.
    pub fn event(self) -> KeyEvent {
        let control = if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        KeyEvent::new(self.code, control)
    }

    /// The character it types.
    pub(crate) fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.control => Some(c),
            _ => None,
        }
    }

    /// Its name on screen; arrows as words without Unicode.
    pub fn name(self, unicode: bool) -> String {
        match self.code {
            KeyCode::Char(' ') => "space".into(),
            KeyCode::Char(c) if self.control => format!("Ctrl-{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Left => (if unicode { "←" } else { "Left" }).into(),
            KeyCode::Right => (if unicode { "→" } else { "Right" }).into(),
            KeyCode::Up => (if unicode { "↑" } else { "Up" }).into(),
            KeyCode::Down => (if unicode { "↓" } else { "Down" }).into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::BackTab => "Shift-Tab".into(),
            KeyCode::Insert => "Ins".into(),
            KeyCode::Delete => "Del".into(),
            code => format!("{code:?}"),
        }
    }
}

impl Binding {
    /// Whether it ends the program: it confirms the question whether to quit.
    pub(crate) fn is_end(&self) -> bool {
        self.keys.iter().any(|key| [Key::ch('q'), Key::ctrl('c')].contains(key))
    }

    /// Whether it only dismisses a question.
    pub(crate) fn is_dismissal(&self) -> bool {
        self.keys.contains(&Key::code(KeyCode::Esc))
    }

    /// The names of its keys on screen.
    pub fn key_names(&self, unicode: bool) -> String {
        let names: Vec<String> = self.keys.iter().map(|key| key.name(unicode)).collect();
        names.join(" ")
    }
}

pub(crate) const LEFT: &[Key] = &[Key::code(KeyCode::Left), Key::ch('h')];
pub(crate) const RIGHT: &[Key] = &[Key::code(KeyCode::Right), Key::ch('l')];
pub(crate) const UP: &[Key] = &[Key::code(KeyCode::Up), Key::ch('k')];
pub(crate) const DOWN: &[Key] = &[Key::code(KeyCode::Down), Key::ch('j')];
pub(crate) const PAGE_UP: &[Key] = &[Key::code(KeyCode::PageUp)];
pub(crate) const PAGE_DOWN: &[Key] = &[Key::code(KeyCode::PageDown)];
