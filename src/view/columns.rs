//! Positions of the sequence as columns: the strip and every panel over positions share them, so that they line up.

use std::iter::repeat_n;
use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::Bar;
use super::ink::{Ink, part};
use crate::app::App;
use crate::task::Vocabulary;

/// Columns for the names of lines.
const LABEL: u16 = 10;

/// Which positions are on screen, and where.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Positions on screen.
    pub(super) shown: Range<usize>,
    /// Columns a position takes: a mark, then its digits.
    pub(super) pitch: u16,
}

impl Columns {
    /// For a screen of that width; the cursor is always on it.
    pub(super) fn new(app: &App, width: u16) -> Self {
        let widths = [app.task().vocabulary(), app.task().outputs()].map(Vocabulary::width);
        let pitch = widths[0].max(widths[1]) as u16 + 1;
        // While tokens are typed, one more can follow the last.
        let len = app.sequence.tokens.len() + usize::from(app.edit_state().is_some());
        let room = usize::from(width.saturating_sub(LABEL + 1) / pitch);
        let cursor = app.edit_state().map_or(app.cursor.position, |edit| edit.at);
        Self { shown: window(cursor, len, room), pitch }
    }

    /// The column of a position's mark; its digits follow.
    pub(super) fn x(&self, position: usize) -> u16 {
        LABEL + (position - self.shown.start) as u16 * self.pitch
    }

    /// A curve, with a bar over each position's last digit, so that bars of neighbours stay apart.
    pub(super) fn digits(&self, ink: &mut Ink<'_>, area: Rect, bar: impl Fn(usize) -> Option<Bar>) {
        let blank = (0.0, Style::new());
        let bars = self.shown.clone().flat_map(|at| {
            let bar = bar(at).unwrap_or(blank);
            repeat_n(blank, usize::from(self.pitch) - 1).chain([bar])
        });
        ink.curve(part(area, LABEL, 0, area.width, area.height), bars);
    }

    /// A curve, with a bar as wide as a position's columns; where there is none the columns are blank.
    pub(super) fn curve(&self, ink: &mut Ink<'_>, area: Rect, bar: impl Fn(usize) -> Option<Bar>) {
        let blank = (0.0, Style::new());
        let bars = self.shown.clone().flat_map(|at| repeat_n(bar(at).unwrap_or(blank), self.pitch.into()));
        ink.curve(part(area, LABEL, 0, area.width, area.height), bars);
    }
}

/// Which `room` of `len` things to show so that `cursor` is among them. It turns half a page at a time, so that things
/// mostly stay where they are.
pub(super) fn window(cursor: usize, len: usize, room: usize) -> Range<usize> {
    if len <= room {
        return 0..len;
    }
    let turn = (room / 2).max(1);
    let first = (cursor / turn * turn).saturating_sub(turn / 2).min(len - room);
    first..first + room
}

/// ` 3-12 of 14` for a heading, where not all of a list is shown.
pub(super) fn of_all(shown: &Range<usize>, len: usize) -> String {
    if shown.len() >= len { String::new() } else { format!(" {}-{} of {len}", shown.start + 1, shown.end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_always_shown() {
        for len in 1..60 {
            for room in 1..40 {
                for cursor in 0..len {
                    let shown = window(cursor, len, room);
                    assert!(
                        shown.contains(&cursor) && shown.end <= len,
                        "{cursor} of {len} in {room}: {shown:?}"
                    );
                    assert_eq!(shown.len(), len.min(room));
                }
            }
        }
    }
}
