//! View 5: circuits of the weights alone: a head's map, its figures, and ranked paths.

use ratatui::layout::Rect;

use super::ink::{Ink, beside, lines};
use super::{Look, circuit_map, head_facts, paths, projection, spectra};
use crate::app::keymap::Key;
use crate::app::{App, Plot};

/// Width of the figures and paths on a narrow and on a wide screen.
const FACTS: [u16; 2] = [36, 52];

/// Keys of what a spectrum leaves no room for.
const OF_PATHS: &[Key] = &[Key::ch('o'), Key::ch('p'), Key::ch('J'), Key::ch('K')];

pub(super) const LOOK: Look =
    Look { render, moot: |app, area| if fills_view(app, area) { OF_PATHS } else { &[] } };

/// Whether the plot leaves no room for the figures of the head and paths.
fn fills_view(app: &App, area: Rect) -> bool {
    app.circuits.plot != Plot::Map && area.width < 120
}

fn plot(ink: &mut Ink<'_>, app: &App, area: Rect) {
    match app.circuits.plot {
        Plot::Map => circuit_map::render(ink, app, area),
        Plot::Spectra => spectra::render(ink, app, area),
        Plot::Projection => projection::render(ink, app, area),
    }
}

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    if fills_view(app, area) {
        return plot(ink, app, area);
    }
    if app.studies.maps(app.cursor.head_id()).is_none() {
        return super::nothing_yet(ink, app, area, "circuits");
    }
    if area.width < 64 {
        return plot(ink, app, area);
    }
    let facts = FACTS[usize::from(area.width >= 120)];
    let (left, right) = beside(area, area.width - facts - 1);
    plot(ink, app, left);
    let height = head_facts::height(app).min(area.height / 2);
    head_facts::render(ink, app, lines(right, 0, height));
    paths::render(ink, app, lines(right, height, area.height - height));
}
