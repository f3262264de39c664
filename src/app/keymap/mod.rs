//! Every key, in one table: it dispatches, fills the key line and the help, and makes the README's table.

mod table;

use std::fmt::Write;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub use table::KEYMAP;

/// Where a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// In every view.
    Everywhere,
    /// The training view.
    Train,
    /// The attention view.
    Attention,
    /// The logits view.
    Logits,
    /// The neurons view.
    Neurons,
    /// The circuits view.
    Circuits,
    /// The ablation view.
    Ablate,
    /// While tokens are being typed, and then no other context holds.
    Edit,
    /// While the list of keys is shown, and then no other context holds.
    Help,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the key table describes each")]
pub enum Action {
    View(super::ViewId),
    NextView,
    PreviousView,
    Position(isize),
    FirstPosition,
    LastPosition,
    NextWrong(isize),
    NextChanged(isize),
    Key(isize),
    Line(isize),
    Page(isize),
    FirstLine,
    LastLine,
    Head(isize),
    Layer(isize),
    Toggle,
    Clear,
    Restore,
    CycleKind,
    ToggleDiff,
    CycleTarget,
    TargetHere,
    RandomSequence,
    ValidationSequence(isize),
    Edit,
    PauseResume,
    SingleStep,
    Freeze,
    Back,
    Forward,
    FirstSnapshot,
    Follow,
    Help,
    Dismiss,
    Repaint,
    Suspend,
    Quit,
    QuitNow,
    LogScale,
    Scale,
    Zoom(isize),
    Sort,
    Pick,
    LowerPanel,
    Evaluate,
    Fold,
    ReplacePattern,
    ReplacePatterns,
    MeanPattern,
    Overlay,
    LogitPanel,
    SplitMlp,
    PickTrackers,
    ToggleTrackers,
    Map,
    QkScale,
    Row(isize),
    Column(isize),
    Path(isize),
    Copy,
    Export,
    EditMove(isize),
    EditStart,
    EditEnd,
    EditBackspace,
    EditDelete,
    EditCut,
    EditInsert,
    EditFinish,
    EditApply,
    EditCancel,
    HelpLine(isize),
    HelpClose,
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// Any of these keys.
    pub keys: &'static [Key],
    /// What it does.
    pub action: Action,
    /// For the key line: a word or two; [`JOIN`] if the word before covers it too; empty if only the list has it.
    pub hint: &'static str,
    /// For the list of keys.
    pub help: &'static str,
}

/// The hint of a key that shares the word of the binding before it: `← →` position.
pub const JOIN: &str = "&";

impl Context {
    /// Every context, in the order of the help.
    pub const ALL: [Self; 9] = [
        Self::Everywhere,
        Self::Train,
        Self::Attention,
        Self::Logits,
        Self::Neurons,
        Self::Circuits,
        Self::Ablate,
        Self::Edit,
        Self::Help,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Train => "Train",
            Self::Attention => "Attention",
            Self::Logits => "Logits",
            Self::Neurons => "Neurons",
            Self::Circuits => "Circuits",
            Self::Ablate => "Ablate",
            Self::Edit => "Typing tokens",
            Self::Help => "This list",
        }
    }

    /// Whether no other context holds at the same time.
    pub fn is_alone(self) -> bool {
        matches!(self, Self::Edit | Self::Help)
    }
}

impl Key {
    /// The key of an event. A capital letter is its own key, so shift says nothing more; other modifiers make no key of ours.
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

    /// The event of pressing it.
    pub fn event(self) -> KeyEvent {
        let control = if self.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        KeyEvent::new(self.code, control)
    }

    /// The character it types.
    pub(super) fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.control => Some(c),
            _ => None,
        }
    }

    /// As it is written on screen; arrows in words where there is no Unicode.
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
    /// Its keys, as written on screen.
    pub fn key_names(&self, unicode: bool) -> String {
        let names: Vec<String> = self.keys.iter().map(|key| key.name(unicode)).collect();
        names.join(" ")
    }
}

/// What a key does in a context.
pub fn find(context: Context, key: Key) -> Option<Action> {
    let bound = |context: Context| {
        let binding = KEYMAP.iter().find(|binding| binding.context == context && binding.keys.contains(&key));
        binding.map(|binding| binding.action)
    };
    // The terminal's own needs come first, whatever has the focus.
    let reaches =
        |action: &Action| !context.is_alone() || matches!(action, Action::Repaint | Action::Suspend);
    bound(context).or_else(|| bound(Context::Everywhere).filter(reaches))
}

/// The hints of a context for the key line: the keys, and the word.
pub fn hints(context: Context, unicode: bool) -> Vec<(String, &'static str)> {
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for binding in KEYMAP.iter().filter(|binding| binding.context == context && !binding.hint.is_empty()) {
        let key = binding.keys.first().map(|key| key.name(unicode)).unwrap_or_default();
        match hints.last_mut().filter(|_| binding.hint == JOIN) {
            Some((keys, _)) => {
                // `zZ` reads well, `LeftRight` does not.
                if key.chars().count() > 1 {
                    keys.push('/');
                }
                keys.push_str(&key);
            }
            None => hints.push((key, binding.hint)),
        }
    }
    hints
}

/// Lines of the list of keys: the bindings, and for each context a heading and a gap.
pub(crate) fn help_lines() -> usize {
    KEYMAP.len() + 2 * Context::ALL.len() - 1
}

/// The table for the README, in Markdown.
pub fn markdown_table() -> String {
    let mut out = String::from("| where | keys | what |\n|---|---|---|\n");
    for context in Context::ALL {
        for binding in KEYMAP.iter().filter(|binding| binding.context == context) {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{}`", key.name(true))).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} | {} | {} |", context.title(), keys.join(" "), binding.help);
        }
    }
    out
}
