//! View 5: circuits of the weights alone: a head's map, its figures, and ranked paths.

use ratatui::layout::Rect;

use super::ink::{Ink, beside, lines};
use super::{Look, circuit_map, head_facts, paths};
use crate::app::App;

/// Width of the figures and paths on a narrow and on a wide screen.
const FACTS: [u16; 2] = [36, 52];

pub(super) const LOOK: Look = Look { render, moot: |_, _| &[] };

fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    if app.studies.maps(app.cursor.head_id()).is_none() {
        return super::nothing_yet(ink, app, area, "circuits");
    }
    if area.width < 64 {
        circuit_map::render(ink, app, area);
        return;
    }
    let facts = FACTS[usize::from(area.width >= 120)];
    let (left, right) = beside(area, area.width - facts - 1);
    circuit_map::render(ink, app, left);
    let height = head_facts::height(app).min(area.height / 2);
    head_facts::render(ink, app, lines(right, 0, height));
    paths::render(ink, app, lines(right, height, area.height - height));
}
