//! One component's contribution to the target at every position, aligned with the strip.

use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::bars::Bar;
use super::columns::Columns;
use super::ink::{Ink, lines, width};
use super::number::{figure, signed};
use super::theme::Role;
use crate::app::App;
use crate::app::views::logits::profile;
use crate::inquiry::Probe;
use crate::term::Glyphs;

/// Draws the panel: positive contributions above the line, negative below.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, probe: &Probe, area: Rect) {
    let Some(panel) = profile(app) else { return };
    let Some(shown) = panel.column(&["edited", "clean"]) else { return };
    let component = app.cursor.component.min(shown.figure.axes[1].len().saturating_sub(1));
    let value = |position: usize| shown.number(&[position]) as f32;
    let columns = Columns::new(app, area.width);
    let all = (0..probe.len()).map(value).filter(|x| x.is_finite());
    let largest = all.fold(0.0, |a: f32, x| a.max(x.abs()));
    let title = format!("{} to each position's target", shown.figure.axes[1].name(component));
    ink.rule(area, 0, &title, &format!("bars to {}", figure(f64::from(largest))));
    let body = lines(area, 1, area.height);
    for (y, label) in ["+", "-", "value"].into_iter().enumerate() {
        ink.text(body, 1, y as u16, label, Role::Faint);
    }
    let [up, down] = [Role::Positive, Role::Negative].map(|role| ink.theme.style(role));
    let share = |position: usize| {
        let value = value(position);
        if value.is_nan() || largest > 0.0 { value / largest } else { 0.0 }
    };
    let shares = columns.shown.clone().filter(|position| *position < probe.len()).map(share);
    let shares: Vec<f32> = shares.collect();
    let has_eighths = ink.theme.glyphs == Glyphs::Utf8;
    let of = |position: usize| shares.get(position - columns.shown.start).copied();
    columns.digits(ink, lines(body, 0, 1), |position| of(position).map(|share| (share, up)));
    columns.digits(ink, lines(body, 1, 1), |position| {
        of(position).filter(|share| *share < 0.0).map(|share| hanging(-share, down, has_eighths))
    });
    let position = app.position_in(probe);
    let text = signed(value(position));
    let x = columns.x(position) + columns.pitch - 1;
    ink.text(body, x.min(body.width.saturating_sub(width(&text))), 2, &text, Role::Strong);
}

/// A bar (0 to 1) that hangs from the top of its cell: the complement in inverse video, because block characters fill
/// eighths only from the bottom. In a font without eighths the bar grows from the bottom.
fn hanging(share: f32, style: Style, has_eighths: bool) -> Bar {
    if has_eighths {
        (1.0 - share.max(1.0 / 8.0), style.add_modifier(Modifier::REVERSED))
    } else {
        (share, style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::ColorDepth;
    use crate::view::ink::drawn;

    #[test]
    fn a_bar_hangs_as_many_eighths_as_the_same_value_stands() {
        let area = Rect::new(0, 0, 8, 1);
        let glyphs = |bars: &mut dyn Iterator<Item = Bar>| {
            let buffer = drawn(area, (ColorDepth::Ansi16, Glyphs::Utf8), |ink| ink.curve(area, bars));
            let reversed = |x| buffer[(x, 0)].modifier.contains(Modifier::REVERSED);
            (0..8).map(|x| (buffer[(x, 0)].symbol().to_owned(), reversed(x))).collect::<Vec<_>>()
        };
        let eighth = |at: u8| f32::from(at) / 8.0;
        let standing = glyphs(&mut (0..8).map(|at| (eighth(at), Style::new())));
        let hung = glyphs(&mut (1..=8).rev().map(|at| hanging(eighth(at), Style::new(), true)));
        let glyph = |cells: Vec<(String, bool)>| cells.into_iter().map(|cell| cell.0).collect::<String>();
        assert!(hung.iter().all(|cell| cell.1));
        assert_eq!(glyph(standing), glyph(hung));
    }
}
