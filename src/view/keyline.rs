//! The last line: a message, a question, or the keys that act here.

use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Padding, Paragraph};

use super::ink::{Ink, lines, part, wrap};
use super::theme::Role;
use crate::app::keymap::{self, Context};
use crate::app::{App, Focus, Level};
use crate::term::Glyphs;

/// Lines that a message may take, over what is drawn there.
const MESSAGE: usize = 4;

/// Draws the last line of the screen; `panel` is where the view is.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, screen: Rect, panel: Rect) {
    let area = lines(screen, screen.height - 1, 1);
    // It is answered by the next key, whatever else is said meanwhile.
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
}

/// A text at the end of the screen, over what is drawn there where it takes more than a line.
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
        // Where the rest is listed must always be said.
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
