//! The second line: views, edits, and the snapshot of the numbers.

use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Tabs;

use super::ink::{Ink, part, width};
use super::number::count;
use super::theme::Role;
use crate::app::{App, Look, ViewId};

/// The snapshot in view, in words: `● live @287`.
fn look(app: &App) -> (String, Role) {
    let Some(current) = app.timeline.current() else { return ("no weights yet".into(), Role::Faint) };
    // Until a new snapshot has its answer, the numbers belong to the previous one.
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

/// Abbreviation of the view names; the current view is always named in full.
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

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let (look, role) = look(app);
    // Some headings have no room for the form of the weights.
    let folded = app.probe.as_ref().is_some_and(|probe| probe.subject.form.is_folded());
    let look = if folded { format!("folded {look}") } else { look };
    let edits = &app.ablation.off;
    let off = edits.len();
    let kind = if edits.heads.len() + edits.neurons.len() > 0 { edits.kind.word() } else { "" };
    let texts = match (off, kind) {
        (0, _) => [String::new(), String::new()],
        (n, _) if edits.switched() < n => [count(n, "edit"), n.to_string()].map(|n| format!("✕ {n}  ")),
        (off, "") => [format!("✕ {off} off  "), format!("✕ {off} off  ")],
        (off, kind) => [format!("✕ {off} off: {kind}  "), format!("✕ {off}: {kind}  ")],
    };
    let right = |off: &str| width(&look) + width(off) + 1;
    let fits = |(names, off): &(Names, String)| {
        let all = ViewId::ALL.iter().map(|&view| width(&names.of(view, app.view)) + 2).sum::<u16>();
        all + right(off) <= area.width
    };
    let [long, short] = &texts;
    // What is subtracted must be seen: of several words the first.
    let less = app.less();
    let brief = less.split_once(", ").map_or_else(|| less.clone(), |(first, _)| format!("{first} …"));
    let brief = brief.replace("the earlier", "earlier");
    let [less, brief] = [less, brief].map(|less| if less.is_empty() { less } else { less + "  " });
    let with = |off: &String, less: &String| format!("{off}{less}");
    let choices = [
        (Names::Whole, with(long, &less)),
        (Names::Short, with(long, &less)),
        (Names::Short, with(short, &less)),
        (Names::Numbers, with(long, &less)),
        (Names::Numbers, with(short, &less)),
    ];
    let (names, off) =
        choices.into_iter().find(fits).unwrap_or_else(|| (Names::Numbers, with(short, &brief)));
    let right = right(&off);
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
    let state = Line::from(vec![ink.span(off.as_str(), Role::Off), ink.span(look, role)]);
    ink.draw(state, part(area, start, 0, area.width, 1));
}
