//! The second line: the views, what is off, and which snapshot the numbers are of.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Tabs;

use super::ink::{Ink, part, width};
use super::theme::Role;
use crate::app::{App, Look, ViewId};

/// The snapshot in view, in words: `● live @287`.
fn look(app: &App) -> (String, Role) {
    let Some(current) = app.timeline.current() else { return ("no weights yet".into(), Role::Faint) };
    // Until the answer for another snapshot is there, the numbers are of the one before.
    let step = app.probe.as_ref().map_or(current.step, |probe| probe.subject.step());
    let newest = app.timeline.newest().map_or(step, |newest| newest.step);
    match app.timeline.look {
        Look::Live if app.is_without_step() => ("weights as loaded".into(), Role::Good),
        Look::Live if app.is_exploring() => (format!("weights @{step}"), Role::Good),
        Look::Live if app.trainer.is_over() => (format!("● last @{step}"), Role::Good),
        Look::Live => (format!("● live @{step}"), Role::Good),
        Look::Frozen(_) => (format!("■ frozen @{step} of {newest}"), Role::Warning),
        Look::Scrub(_) => (format!("◂ back @{step} of {newest}"), Role::Warning),
    }
}

/// How much of the views' names there is room for; the one in front is named in any case.
enum Names {
    Whole,
    Short,
    Numbers,
}

impl Names {
    fn of(&self, view: ViewId, front: ViewId) -> String {
        let (number, title) = (view.number(), view.title());
        match self {
            Self::Short if view != front => format!("{number} {}", view.room().short),
            Self::Numbers if view != front => number,
            _ => format!("{number} {title}"),
        }
    }
}

/// Draws the second line.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (look, role) = look(app);
    // Beside the step, for those numbers that have no room to say it themselves.
    let folded = app.probe.as_ref().is_some_and(|probe| probe.subject.form.is_folded());
    let look = if folded { format!("folded {look}") } else { look };
    let off = app.ablation.off.len();
    let off = if off == 0 { String::new() } else { format!("✕ {off} off  ") };
    let right = width(&look) + width(&off) + 1;
    let fits = |names: &Names| {
        let all = ViewId::ALL.iter().map(|&view| width(&names.of(view, app.view)) + 2).sum::<u16>();
        all + right <= area.width
    };
    let names = [Names::Whole, Names::Short].into_iter().find(fits).unwrap_or(Names::Numbers);
    let (open, close) = ink.brackets();
    let title = |view: ViewId| {
        let name = names.of(view, app.view);
        if view == app.view { format!("{open}{name}{close}") } else { format!(" {name} ") }
    };
    let titles: Vec<String> = ViewId::ALL.iter().map(|view| title(*view)).collect();
    let used = titles.iter().map(|title| width(title)).sum::<u16>();
    let tabs = Tabs::new(titles)
        .select(app.view.place())
        .divider("")
        .padding("", "")
        .highlight_style(ink.theme.style(Role::Cursor));
    ink.draw(tabs, area);
    let start = area.width.saturating_sub(right).max(used + 1);
    let state = Line::from(vec![ink.span(off, Role::Off), ink.span(look, role)]);
    ink.draw(state, part(area, start, 0, area.width, 1));
}
