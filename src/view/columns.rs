//! Columns of positions, shared by the strip and every panel over positions so that they line up.

use std::iter::repeat_n;
use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::Bar;
use super::ink::{Ink, part};
use crate::app::App;
use crate::task::Vocabulary;

/// Width of the line names.
const LABEL: u16 = 10;

/// The positions on screen and their columns.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Positions on screen.
    pub(super) shown: Range<usize>,
    /// Width of a position: a mark, then its digits.
    pub(super) pitch: u16,
}

impl Columns {
    /// Columns for a screen of `width`; the cursor's position is always visible.
    pub(super) fn new(app: &App, width: u16) -> Self {
        let widths = [app.task().vocabulary(), app.task().outputs()].map(Vocabulary::width);
        let pitch = widths[0].max(widths[1]) as u16 + 1;
        // While typing, a token can be appended.
        let len = app.sequence.tokens.len() + usize::from(app.edit_state().is_some());
        let room = usize::from(width.saturating_sub(LABEL + 1) / pitch);
        let cursor = app.edit_state().map_or(app.cursor.position, |edit| edit.at);
        Self { shown: window(cursor, len, room), pitch }
    }

    /// Column of a position's mark; the digits follow.
    pub(super) fn x(&self, position: usize) -> u16 {
        LABEL + (position - self.shown.start) as u16 * self.pitch
    }

    /// A sparkline with a bar over each position's last digit only, which leaves gaps between neighbours.
    pub(super) fn digits(&self, ink: &mut Ink<'_>, area: Rect, bar: impl Fn(usize) -> Option<Bar>) {
        let blank = (0.0, Style::new());
        let bars = self.shown.clone().flat_map(|at| {
            let bar = bar(at).unwrap_or(blank);
            repeat_n(blank, usize::from(self.pitch) - 1).chain([bar])
        });
        ink.curve(part(area, LABEL, 0, area.width, area.height), bars);
    }

    /// A sparkline with bars as wide as a position; positions without a bar are blank.
    pub(super) fn curve(&self, ink: &mut Ink<'_>, area: Rect, bar: impl Fn(usize) -> Option<Bar>) {
        let blank = (0.0, Style::new());
        let bars = self.shown.clone().flat_map(|at| repeat_n(bar(at).unwrap_or(blank), self.pitch.into()));
        ink.curve(part(area, LABEL, 0, area.width, area.height), bars);
    }
}

/// The `room` entries of `len` to show, including `cursor`. Scrolls by half a page, so that most cursor moves do not
/// move the list.
pub(super) fn window(cursor: usize, len: usize, room: usize) -> Range<usize> {
    if len <= room {
        return 0..len;
    }
    let turn = (room / 2).max(1);
    let first = (cursor / turn * turn).saturating_sub(turn / 2).min(len - room);
    first..first + room
}

/// ` 3-12 of 14` for a heading; empty if the whole list is shown.
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
