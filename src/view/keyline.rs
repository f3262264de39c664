//! The key line: a message, a question, or the keys of the current view.

use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Padding, Paragraph};

use super::ink::{Ink, lines, part, width, wrap};
use super::theme::Role;
use crate::app::keymap::{self, Context};
use crate::app::{App, Focus, Level, PickerKind};
use crate::task::Vocabulary;
use crate::term::Glyphs;

/// Most lines of a message; it covers the end of the view.
const MESSAGE: usize = 4;

/// Draws the key line; `panel` is the area of the view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, screen: Rect, panel: Rect) {
    let area = lines(screen, screen.height - 1, 1);
    // The next key answers the question, so no message may hide the question.
    if matches!(app.focus, Focus::Quit) {
        message(ink, screen, &app.quit_question(), Role::Warning);
        return;
    }
    if let Some(notice) = &app.notice {
        let (word, role) = match notice.level {
            Level::Info => ("", Role::Strong),
            Level::Warning => ("note: ", Role::Warning),
            Level::Error => ("error: ", Role::Wrong),
        };
        message(ink, screen, &format!("{word}{}", notice.text), role);
        return;
    }
    hints(ink, app, area, panel);
    if screen.height > 1 {
        choices(ink, app, lines(screen, screen.height - 2, 1));
    }
}

/// Most completions of a token on screen.
const COMPLETIONS: usize = 32;

/// The line above the key line while something is chosen by typing: the entry, and what fits it.
fn choices(ink: &mut Ink<'_>, app: &App, area: Rect) {
    match &app.focus {
        Focus::Pick(picker) => {
            let subject = match picker.kind {
                PickerKind::Filter => "filter: ",
                PickerKind::Target => "target class: ",
                PickerKind::Curve => "curve of: ",
                PickerKind::Edit => "edit: ",
                PickerKind::Save => "save edits as: ",
                PickerKind::Load => "load edits: ",
            };
            if !picker.kind.is_of_list() {
                return entry(ink, area, (subject, &picker.entry), example(picker.kind));
            }
            let names: Vec<&str> = picker.choices.iter().map(|(name, _)| name.as_str()).collect();
            choice(ink, area, (subject, &picker.entry), &names, picker.at);
        }
        Focus::Edit(edit)
            if !edit.entry.is_empty() && matches!(app.task().vocabulary(), Vocabulary::Names(_)) =>
        {
            let vocabulary = app.task().vocabulary();
            let names =
                vocabulary.completions(&edit.entry).take(COMPLETIONS).map(|token| vocabulary.name(token));
            let names: Vec<String> = names.collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            choice(ink, area, ("token (Tab): ", &edit.entry), &names, 0);
        }
        _ => {}
    }
}

/// An entry of this kind.
fn example(kind: PickerKind) -> &'static str {
    if kind == PickerKind::Edit { r#"site = "z", layer = 0, heads = [1], scale = 0.5"# } else { "a name" }
}

/// Draws the end of an entry after its title; while nothing is typed, an example.
fn entry(ink: &mut Ink<'_>, area: Rect, (title, entry): (&str, &str), example: &str) {
    ink.draw(Clear, area);
    let x = ink.text(area, 1, 0, title, Role::Strong);
    let room = usize::from(area.width.saturating_sub(x + 1));
    let skipped = entry.chars().count().saturating_sub(room);
    let end: String = entry.chars().skip(skipped).collect();
    let x = ink.text(area, x, 0, &format!("{end}_"), Role::Cursor) + 2;
    if entry.is_empty() {
        ink.text(area, x, 0, example, Role::Faint);
    }
}

/// Draws an entry after its title, and the choices from the first that leaves the marked one on screen.
fn choice(ink: &mut Ink<'_>, area: Rect, (title, entry): (&str, &str), names: &[&str], at: usize) {
    ink.draw(Clear, area);
    let x = ink.text(area, 1, 0, title, Role::Strong);
    let x = ink.text(area, x, 0, &format!("{entry}_"), Role::Cursor) + 2;
    if names.is_empty() {
        ink.text(area, x, 0, "nothing begins like this", Role::Warning);
        return;
    }
    let room = area.width.saturating_sub(x);
    let cells =
        |names: &[&str]| names.iter().map(|name| width(name).saturating_add(3)).fold(0, u16::saturating_add);
    let first = (0..at).find(|&first| cells(&names[first..=at]) <= room).unwrap_or(at);
    let (open, close) = ink.brackets();
    let mut x = x;
    for (number, name) in names.iter().enumerate().skip(first) {
        if x.saturating_add(width(name)) + 2 > area.width && number > at {
            break;
        }
        let is_marked = number == at;
        let text = if is_marked { format!("{open}{name}{close}") } else { format!(" {name} ") };
        x = ink.text(area, x, 0, &text, if is_marked { Role::Cursor } else { Role::Plain }) + 1;
    }
}

/// Draws a message on the last lines of the screen, over the view if it takes more than one line.
fn message(ink: &mut Ink<'_>, screen: Rect, text: &str, role: Role) {
    let text = wrap(text, screen.width - 2, MESSAGE);
    let area = lines(screen, screen.height - text.len() as u16, screen.height);
    let text = Text::from_iter(text).style(ink.theme.style(role));
    ink.draw(Clear, area);
    ink.draw(Paragraph::new(text).block(Block::new().padding(Padding::horizontal(1))), area);
}

fn hints(ink: &mut Ink<'_>, app: &App, area: Rect, panel: Rect) {
    let unicode = ink.theme.glyphs != Glyphs::Ascii;
    let context = app.context();
    let moot = super::look_of(app).moot;
    let mut hints = keymap::hints(app, context, unicode, moot(app, panel));
    let mut end = area.width;
    if !context.is_alone() {
        hints.extend(keymap::hints(app, Context::Everywhere, unicode, &[]));
        // The key that lists all keys must always be visible.
        ink.text_right(area, area.width, 0, "? keys", Role::Key);
        end = end.saturating_sub(7);
    }
    let mut x = 1;
    for (keys, what) in hints {
        let hint = Line::from(vec![ink.span(keys, Role::Key), " ".into(), ink.span(what, Role::Plain)]);
        let cells = u16::try_from(hint.width()).unwrap_or(u16::MAX);
        if cells.saturating_add(x) <= end {
            ink.draw(hint, part(area, x, 0, cells, 1));
            x += cells + 2;
        }
    }
}
