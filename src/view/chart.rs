//! Charts over training steps.

use std::ops::RangeInclusive;

use ratatui::layout::Rect;

use super::ink::Ink;
use super::theme::Role;
use super::widgets::{CurveLook, Curves};
use crate::app::Bucket;
use crate::term::Glyphs;

/// Buckets, each with its first step.
pub(super) type Points<'a> = &'a [(usize, Bucket)];

/// A line and marks over steps, some of them ticked; `empty` says why there is no point.
pub(super) fn plot(
    ink: &mut Ink<'_>,
    (line, marks): (Points<'_>, Points<'_>),
    (steps, ticks): (RangeInclusive<usize>, &[usize]),
    is_log: bool,
    empty: &str,
    area: Rect,
) {
    let style = |role| ink.theme.style(role);
    let look = CurveLook {
        has_braille: ink.theme.glyphs == Glyphs::Utf8,
        mark: mark(ink),
        tick: tick(ink),
        line: style(Role::Bar),
        marks: style(Role::Second),
        axis: style(Role::Faint),
        bad: style(Role::Wrong),
    };
    ink.draw(&Curves { line, marks, steps, ticks, is_log, empty, look }, area);
}

/// The mark of a sparse series.
pub(super) fn mark(ink: &Ink<'_>) -> char {
    if ink.theme.glyphs == Glyphs::Ascii { 'o' } else { '◆' }
}

/// The tick of a phase change.
pub(super) fn tick(ink: &Ink<'_>) -> char {
    if ink.theme.glyphs == Glyphs::Utf8 { '▾' } else { 'v' }
}
