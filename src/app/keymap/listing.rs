//! The help of `?`: every key, and the definitions of the numbers on screen.

use unicode_width::UnicodeWidthStr;

use super::{Context, Offer};
use crate::app::App;
use crate::figure::Spec;

/// Columns for the keys and the names.
pub(crate) const NAMES: u16 = 18;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The heading of a section.
    Title,
    /// A key that works now.
    Key,
    /// A key that does nothing now.
    Moot,
    /// A question of the current view.
    Question,
}

/// A line of the list.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) kind: Kind,
    /// Keys, or a name.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The list: keys of the current view, definitions of its numbers, and all other keys.
pub(crate) fn lines(app: &App, unicode: bool) -> Vec<Line> {
    let here = Context::View(app.view);
    let mut all = keys(app, here, unicode);
    all.extend(questions(app));
    for context in Context::all().filter(|context| *context != here) {
        all.push(Line { kind: Kind::Title, name: String::new(), text: String::new() });
        all.extend(keys(app, context, unicode));
    }
    all
}

fn keys(app: &App, context: Context, unicode: bool) -> Vec<Line> {
    let is_in_reach = matches!(context, Context::Everywhere) || context == Context::View(app.view);
    let line = |binding: &super::Binding| {
        let is_moot = is_in_reach && matches!((binding.offer)(app), Offer::Nothing(_));
        let kind = if is_moot { Kind::Moot } else { Kind::Key };
        Line { kind, name: binding.key_names(unicode), text: binding.help.into() }
    };
    let title = Line { kind: Kind::Title, name: context.title().into(), text: String::new() };
    [title].into_iter().chain(context.bindings().map(line)).collect()
}

/// The questions of the current view, each once.
fn questions(app: &App) -> Vec<Line> {
    let mut specs: Vec<&Spec> = Vec::new();
    for spec in app.view.room().panels.iter().flat_map(|panel| panel.questions) {
        if !specs.contains(spec) {
            specs.push(spec);
        }
    }
    let title = |name: &str| Line { kind: Kind::Title, name: name.into(), text: String::new() };
    let mut all = vec![title(""), title("numbers of this view")];
    let width = usize::from(app.size.0.saturating_sub(NAMES + 1)).max(20);
    for spec in specs {
        let mut name = spec.name;
        if name.width() + 2 > usize::from(NAMES) {
            all.push(Line { kind: Kind::Question, name: name.into(), text: String::new() });
            name = "";
        }
        for text in wrapped(&spec.words(), width) {
            all.push(Line { kind: Kind::Question, name: name.into(), text });
            name = "";
        }
    }
    all
}

/// Wraps words to lines of `width` columns.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].width() + 1 + word.width() > width {
            lines.push(word.into());
        } else {
            let gap = if lines[last].is_empty() { "" } else { " " };
            lines[last] = format!("{}{gap}{word}", lines[last]);
        }
    }
    lines
}
