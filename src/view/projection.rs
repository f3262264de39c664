//! Vectors along two directions: each point is drawn as the name of its class.

use std::collections::{HashMap, HashSet};

use ratatui::layout::Rect;

use super::ink::{Ink, lines, width};
use super::number::percent;
use super::provenance_of;
use super::theme::Role;
use crate::app::App;
use crate::app::views::circuits::plots::vectors_in_view;
use crate::figure::{Datum, Panel};

/// Longest mark of a point, in cells; longer names have a letter instead.
const MARK: u16 = 3;

/// Colours of classes, in turn: the marks tell them apart too.
const COLORS: [Role; 5] = [Role::Plain, Role::Bar, Role::Second, Role::Good, Role::Off];

/// The distinct classes of the points in order of their first point.
struct Classes {
    names: Vec<String>,
    /// Of each point.
    of: Vec<Option<usize>>,
}

impl Classes {
    fn new(panel: &Panel) -> Self {
        let (mut classes, mut known) = (Self { names: Vec::new(), of: Vec::new() }, HashMap::new());
        for point in 0..panel.len() {
            let Datum::Text(name) = panel.cell(0, point) else {
                classes.of.push(None);
                continue;
            };
            let class = *known.entry(name.clone()).or_insert(classes.names.len());
            if class == classes.names.len() {
                classes.names.push(name);
            }
            classes.of.push(Some(class));
        }
        classes
    }

    fn are_short(&self) -> bool {
        self.names.iter().all(|name| width(name) <= MARK)
    }

    fn mark(&self, class: Option<usize>) -> String {
        match class {
            None => "·".into(),
            Some(class) if self.are_short() => self.names[class].clone(),
            Some(class) => char::from(b'a' + (class % 26) as u8).to_string(),
        }
    }

    fn role(class: Option<usize>) -> Role {
        class.map_or(Role::Faint, |class| COLORS[class % COLORS.len()])
    }
}

pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let name = app.vectors().name();
    let Some((answer, found)) = app.projection() else {
        return ink.without_numbers(area, &name, "computing");
    };
    let Some([panel, shares]) = vectors_in_view(app) else {
        let why = "no directions: too few or too many vectors, or one is no number";
        return ink.without_numbers(area, &name, why);
    };
    let pair = [2 * app.pair(), 2 * app.pair() + 1];
    let [right, up] = pair.map(|at| &found.projection.directions[at].name);
    let title = format!("{name} along {right} (right) and {up} (up)");
    ink.rule(area, 0, &title, &provenance_of(app, answer.step(), answer.form()));
    let classes = Classes::new(&panel);
    let below = if classes.are_short() { 1 } else { 2 };
    let plot = lines(area, 1, area.height.saturating_sub(1 + below));
    points(ink, &panel, &classes, pair, plot);
    let [first, second] = pair.map(|at| percent(shares.columns[0].number(&[at])));
    let equal = percent(shares.columns[1].number(&[0]));
    let said = format!(
        "{} of {}: {first} and {second} of variance (equal: {equal}), {} points",
        app.pair() + 1,
        app.pairs(),
        panel.len()
    );
    ink.text(area, 1, area.height.saturating_sub(below), &said, Role::Plain);
    if !classes.are_short() {
        legend(ink, &classes, area);
    }
}

/// Draws the points on equal scales to both sides of the origin.
fn points(ink: &mut Ink<'_>, panel: &Panel, classes: &Classes, pair: [usize; 2], area: Rect) {
    let coordinate = |point: usize, at: usize| panel.columns[1 + pair[at]].number(&[point]);
    let sizes = (0..panel.len()).flat_map(|point| [0, 1].map(|at| coordinate(point, at).abs()));
    let most = sizes.filter(|size| size.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    // A line of text is as high as two columns are wide.
    let half =
        [f64::from(area.width.saturating_sub(MARK)) / 4.0, f64::from(area.height.saturating_sub(1)) / 2.0];
    let unit = half[0].min(half[1]) / most;
    let [x, y] = [area.width.saturating_sub(MARK) / 2, area.height / 2];
    let faint = ink.theme.style(Role::Faint);
    (0..area.width).for_each(|x| ink.put(area, x, y, '·', faint));
    (0..area.height).for_each(|y| ink.put(area, x, y, '·', faint));
    let place = |point: usize| {
        let [right, up] = [0, 1].map(|at| coordinate(point, at) * unit);
        let at = [f64::from(x) + 2.0 * right, f64::from(y) - up].map(|at| at.round().max(0.0) as u16);
        (right.is_finite() && up.is_finite()).then_some((at[0], at[1].min(area.height.saturating_sub(1))))
    };
    let (mut taken, mut named) = (HashSet::new(), Vec::new());
    for (point, (column, line)) in (0..panel.len()).filter_map(|point| Some((point, place(point)?))) {
        let class = classes.of[point];
        let (mark, role) = (classes.mark(class), Classes::role(class));
        // Names that touch would read as others: a point without room has a dot.
        let cells = || (column.saturating_sub(1)..=column + width(&mark)).map(|column| (column, line));
        if width(&mark) > 1 && cells().any(|cell| taken.contains(&cell)) {
            ink.put(area, column, line, '●', ink.theme.style(role));
        } else {
            taken.extend(cells());
            named.push((column, line, mark, role));
        }
    }
    for (column, line, mark, role) in named {
        ink.text(area, column, line, &mark, role);
    }
}

/// The classes of the letters, as many as fit.
fn legend(ink: &mut Ink<'_>, classes: &Classes, area: Rect) {
    let mut x = 1;
    for (at, name) in classes.names.iter().enumerate() {
        let text = format!("{} {name}  ", classes.mark(Some(at)));
        if x + width(&text) <= area.width {
            x = ink.text(area, x, area.height.saturating_sub(1), &text, Classes::role(Some(at)));
        }
    }
}
