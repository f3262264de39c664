//! View 5: the weights alone.

pub(crate) mod heads;
pub(crate) mod plots;

use std::sync::Arc;

use heads::{compositions, copying, eigenvalues, permuted, random_composition, singular_values};
use plots::{directions, panels_of, spectra_of_parts, vectors};

use super::{Room, position, view};
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::app::{App, CircuitMap, HeadFacts, Plot};
use crate::figure::{At, Column, Figure, Panel};
use crate::inquiry::Vectors;
use crate::inquiry::circuits::{
    self, COPYING_SCORE, OV_LOGITS, OV_NEURONS, OV_SINGULAR, QK_POSITIONS, QK_SINGULAR, QK_TOKENS,
};
use crate::inquiry::composition::{COMPOSITION, RANDOM_COMPOSITION};
use crate::inquiry::copying::{OV_EIGENVALUES, PERMUTED_COPYING};
use crate::inquiry::paths::{self, PATHS};
use crate::inquiry::projection::{EQUAL_VARIANCE, EXPLAINED_VARIANCE, POINT_CLASS, PROJECTION};
use crate::inquiry::quadrants::{
    self, DIRECT_PATH, QK_POSITION_BIAS, QK_POSITION_TOKEN, QK_TOKEN_BIAS, QK_TOKEN_POSITION,
};
use crate::inquiry::spectra::{KEY_FREQUENCY, SPECTRUM, SPECTRUM_CHANCE, SPECTRUM_SHARE};

pub(crate) static ROOM: Room = Room {
    title: "Circuits",
    short: "Circ",
    open: bind(
        &[Key::ch('5')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "circuits: what the weights alone say",
    ),
    keys: KEYS,
    has_key: false,
    has_target: true,
    toggle,
    asks: |app| {
        let of_plot = match app.circuits.plot {
            Plot::Map => None,
            Plot::Spectra => app.of_spectra(),
            Plot::Projection => app.of_projection(),
        };
        app.of_circuits().into_iter().chain(of_plot).collect()
    },
    prepare: |_| {},
    panels: PANELS,
    focus: |app| match app.circuits.plot {
        Plot::Map if app.chosen_path().is_some() => "paths",
        Plot::Map => app.circuits.map.panel(),
        Plot::Spectra => "spectra",
        Plot::Projection => panels_of(app)[0],
    },
    is_of_run: false,
    lacks: |_| "this needs neurons, vectors of positions, two layers, or a task whose tokens form a circle",
};

const PANELS: &[PanelEntry] = &[
    panel!(
        "qk_tokens",
        "how well each query token matches each key token, by the cursor's head",
        [QK_TOKENS],
        qk_tokens
    ),
    PanelEntry {
        name: "qk_positions",
        says: "how well each query position matches each key position, by the cursor's head",
        questions: &[&QK_POSITIONS],
        open: |app| show(app, CircuitMap::QkPositions),
        build: qk_positions,
    },
    panel!(
            "ov_logits",
            "what each token adds to each logit through the cursor's head",
            [OV_LOGITS],
            ov_logits, opened_by: |app| show(app, CircuitMap::OvLogits)),
    panel!(
            "ov_neurons",
            "how each token drives each neuron through the cursor's head",
            [OV_NEURONS],
            ov_neurons, opened_by: |app| show(app, CircuitMap::OvNeurons)),
    PanelEntry {
        name: "qk_token_position",
        says: "how well each query token matches each key position, by the cursor's head",
        questions: &[&QK_TOKEN_POSITION],
        open: |app| show(app, CircuitMap::QkTokenPosition),
        build: |app| quadrant(app, "qk_token_position", 0),
    },
    PanelEntry {
        name: "qk_position_token",
        says: "how well each query position matches each key token, by the cursor's head",
        questions: &[&QK_POSITION_TOKEN],
        open: |app| show(app, CircuitMap::QkPositionToken),
        build: |app| quadrant(app, "qk_position_token", 1),
    },
    panel!(
        "qk_token_biases",
        "terms of the attention score with a bias, by token, of the cursor's head",
        [QK_TOKEN_BIAS],
        |app| biases(app, "qk_token_biases", 0), opened_by: of_queries),
    panel!(
        "qk_position_biases",
        "terms of the attention score with a bias, by position, of the cursor's head",
        [QK_POSITION_BIAS],
        |app| biases(app, "qk_position_biases", 1), opened_by: of_queries),
    panel!(
        "direct",
        "what each token adds to each logit without any layer",
        [DIRECT_PATH],
        direct, opened_by: |app| show(app, CircuitMap::Direct)),
    panel!(
        "eigenvalues",
        "of each head's map from tokens to logits",
        [OV_EIGENVALUES],
        eigenvalues, opened_by: |app| app.circuits.facts = HeadFacts::Copying),
    panel!(
        "permuted_copying",
        "copying scores of permuted tokens, by head",
        [PERMUTED_COPYING],
        permuted, opened_by: |app| app.circuits.facts = HeadFacts::Copying),
    panel!(
        "composition",
        "how much of what each earlier head writes each later head reads as Q, K and V",
        [COMPOSITION],
        compositions, opened_by: |app| app.circuits.facts = HeadFacts::Composition),
    panel!(
        "random_composition",
        "composition scores of random matrices",
        [RANDOM_COMPOSITION],
        random_composition, opened_by: |app| app.circuits.facts = HeadFacts::Composition),
    panel!("copying", "how much each head copies", [COPYING_SCORE], copying),
    panel!("singular_values", "of each head's maps of tokens", [QK_SINGULAR, OV_SINGULAR], singular_values),
    panel!(
        "paths",
        "the strongest ways from a token through a head and a neuron to the target",
        [PATHS],
        ranked_paths
    ),
    PanelEntry {
        name: "spectra",
        says: "at which frequencies of the task's circle of tokens W_E, W_U and the logits vary",
        questions: &[&SPECTRUM, &SPECTRUM_SHARE, &SPECTRUM_CHANCE, &KEY_FREQUENCY],
        open: |app| {
            if app.cycle().is_some() {
                app.circuits.plot = Plot::Spectra;
            }
        },
        build: spectra_of_parts,
    },
    panel!(
        "embed_vectors",
        "rows of W_E along their principal components and frequencies",
        [POINT_CLASS, PROJECTION],
        |app| vectors("embed_vectors", app, Vectors::Embed), opened_by: |app| app.show_vectors(Vectors::Embed)),
    panel!(
        "embed_directions",
        "how much of the variance of these lies along each direction",
        [EXPLAINED_VARIANCE, EQUAL_VARIANCE],
        |app| directions("embed_directions", app, Vectors::Embed), opened_by: |app| app.show_vectors(Vectors::Embed)),
    panel!(
        "pos_vectors",
        "rows of W_pos along their principal components and frequencies",
        [POINT_CLASS, PROJECTION],
        |app| vectors("pos_vectors", app, Vectors::Positions), opened_by: |app| app.show_vectors(Vectors::Positions)),
    panel!(
        "pos_directions",
        "how much of the variance of these lies along each direction",
        [EXPLAINED_VARIANCE, EQUAL_VARIANCE],
        |app| directions("pos_directions", app, Vectors::Positions), opened_by: |app| app.show_vectors(Vectors::Positions)),
    panel!(
        "unembed_vectors",
        "columns of W_U along their principal components and frequencies",
        [POINT_CLASS, PROJECTION],
        |app| vectors("unembed_vectors", app, Vectors::Unembed), opened_by: |app| app.show_vectors(Vectors::Unembed)),
    panel!(
        "unembed_directions",
        "how much of the variance of these lies along each direction",
        [EXPLAINED_VARIANCE, EQUAL_VARIANCE],
        |app| directions("unembed_directions", app, Vectors::Unembed), opened_by: |app| app.show_vectors(Vectors::Unembed)),
    panel!(
        "resid_vectors",
        "activations after the cursor's layer along their principal components and frequencies",
        [POINT_CLASS, PROJECTION],
        |app| vectors("resid_vectors", app, Vectors::ResidPost(app.cursor.layer)), opened_by: |app| app.show_vectors(Vectors::ResidPost(app.cursor.layer))),
    panel!(
        "resid_directions",
        "how much of the variance of these lies along each direction",
        [EXPLAINED_VARIANCE, EQUAL_VARIANCE],
        |app| directions("resid_directions", app, Vectors::ResidPost(app.cursor.layer)), opened_by: |app| app.show_vectors(Vectors::ResidPost(app.cursor.layer))),
];

fn show(app: &mut App, map: CircuitMap) {
    (app.circuits.plot, app.circuits.map) = (Plot::Map, map);
}

/// Larger maps are written around the cursor only, in cells.
const MOST_CELLS: usize = 1 << 22;

/// Rows and columns written of a larger map.
const AROUND: usize = 64;

/// A map; of a large one, what is around the row and column of the cursor.
fn map_around((row, col): (usize, usize), name: &'static str, figure: &Arc<Figure>) -> Panel {
    let (panel, [rows, cols]) = (map(name, figure), [0, 1].map(|axis| figure.axes[axis].len()));
    if rows.saturating_mul(cols) <= MOST_CELLS {
        return panel;
    }
    let around = |at: usize, len: usize| {
        let first = at.saturating_sub(AROUND / 2).min(len.saturating_sub(AROUND));
        first..(first + AROUND).min(len)
    };
    let (rows, shown) = (around(row, rows), around(col, cols));
    panel.ordered(rows.flat_map(|row| shown.clone().map(move |col| row * cols + col)))
}

fn token_and_other(app: &App) -> (usize, usize) {
    (app.cursor.token, app.cursor.other)
}

/// A map.
fn map(name: &'static str, figure: &Arc<Figure>) -> Panel {
    Panel::new(name, figure.axes.clone()).with(Column::new("value", figure, [At::Lead(0), At::Lead(1)]))
}

/// Scales a map by the view's setting.
fn scaled(app: &App, mut panel: Panel) -> Panel {
    let scale = app.qk_scale();
    panel.columns = panel.columns.into_iter().map(|column| column.times(scale.clone())).collect();
    panel
}

fn qk_tokens(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.maps(app.cursor.head_id())?;
    let figure = circuits::qk_tokens(answer, found, app.options.dataset.task());
    Some(scaled(app, map_around(token_and_other(app), "qk_tokens", &figure)))
}

fn ov_logits(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.maps(app.cursor.head_id())?;
    let figure = circuits::ov_logits(answer, found, app.options.dataset.task());
    Some(map_around(token_and_other(app), "ov_logits", &figure))
}

fn qk_positions(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.positions(app.cursor.head_id())?;
    let figure = circuits::positions(answer, found);
    let rows = figure.axes[0].len();
    let panel =
        map("qk_positions", &figure).ordered((0..rows * rows).filter(|cell| cell % rows <= cell / rows));
    Some(scaled(app, panel))
}

/// A map of queries and keys, so that their biases are asked for.
fn of_queries(app: &mut App) {
    let map = app.circuits.map;
    show(app, if map.is_of_queries() { map } else { CircuitMap::QkTokens });
}

fn quadrant(app: &App, name: &'static str, which: usize) -> Option<Panel> {
    let (answer, found) = app.studies.quadrants(app.cursor.head_id())?;
    let maps = quadrants::maps(answer, found, app.options.dataset.task());
    let is_known = found.token_position.cols() > 0;
    let cursor = &app.cursor;
    let at = if which == 0 { (cursor.token, cursor.position) } else { (cursor.position, cursor.other) };
    is_known.then(|| scaled(app, map_around(at, name, &maps[which])))
}

fn biases(app: &App, name: &'static str, which: usize) -> Option<Panel> {
    let (answer, found) = app.studies.quadrants(app.cursor.head_id())?;
    let figure = &quadrants::biases(answer, found, app.options.dataset.task())[which];
    let is_known = which == 0 || !found.position_bias[0].is_empty();
    let column = |(at, name)| Column::new(name, figure, [At::Fixed(at), At::Lead(0)]);
    let columns = ["b_Q.k", "q.b_K"].into_iter().enumerate().map(column);
    is_known.then(|| scaled(app, Panel::new(name, [figure.axes[1].clone()]).and(columns)))
}

fn direct(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.direct_path()?;
    let figure = quadrants::direct(answer, found, app.options.dataset.task());
    Some(map_around(token_and_other(app), "direct", &figure))
}

/// Neurons are in the order of the map: most driven first.
fn ov_neurons(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.drive(app.cursor.head_id())?;
    let figure = circuits::drive(answer, found, app.options.dataset.task());
    let (tokens, neurons) = (figure.axes[0].len(), figure.axes[1].len());
    let row = |token: usize| found.order.iter().map(move |neuron| token * neurons + neuron);
    Some(map("ov_neurons", &figure).ordered((0..tokens).flat_map(row)))
}

pub(crate) fn ranked_paths(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.paths()?;
    let figure = paths::figure(answer, found, app.options.dataset.task());
    let part = |(at, name): (usize, &'static str)| Column::new(name, &figure, [At::Lead(0), At::Fixed(at)]);
    Some(Panel::new("paths", [figure.axes[0].clone()]).and(paths::PARTS.into_iter().enumerate().map(part)))
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| column(-1), "column", "the previous key, logit, neuron, frequency or directions"),
    bind(RIGHT, |_| column(1), JOIN, "the next key, logit, neuron, frequency or directions"),
    bind(UP, |app| row(app, -1), "row", "the query or token above, or the previous vectors"),
    bind(DOWN, |app| row(app, 1), JOIN, "the query or token below, or the next vectors"),
    bind(PAGE_UP, |app| page(app, -PAGE), "", "ten rows up, or paths"),
    bind(PAGE_DOWN, |app| page(app, PAGE), "", "ten rows down, or paths"),
    bind(&[Key::ch('o')], |_| position(-1), "position", "paths at the previous position"),
    bind(&[Key::ch('p')], |_| position(1), JOIN, "paths at the next position"),
    bind(
        &[Key::ch('J')],
        |app| path(app, 1),
        "path",
        "the next path, its head and neuron; space is the neuron's",
    ),
    bind(&[Key::ch('K')], |app| path(app, -1), JOIN, "the previous path"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(App::next_circuit_map),
        "map",
        "QK by token and position, OV to logits, neurons; direct path",
    ),
    bind(
        &[Key::ch('b')],
        |_| Offer::set(App::next_plot),
        JOIN,
        "spectra over the task's circle, vectors on components; maps",
    ),
    bind(
        &[Key::ch('s')],
        |app| {
            let (next, has_pairs) = (app.circuits.facts.next(), app.options.model.n_layers > 1);
            let next = if next == HeadFacts::Composition && !has_pairs { next.next() } else { next };
            Offer::set(move |app| app.circuits.facts = next)
        },
        "",
        "heads: circuits, copying of permuted tokens, composition",
    ),
    bind(
        &[Key::ch('x')],
        |app| match app.circuits.plot {
            Plot::Map => Offer::set(|app| app.circuits.scale = app.circuits.scale.next()),
            Plot::Spectra | Plot::Projection => Offer::nothing("only maps have a scale: v shows them"),
        },
        "scale",
        "QK as it is, over sqrt(d_head), and over the layer norm scale",
    ),
];

fn column(by: isize) -> Offer {
    Offer::set(move |app| app.move_circuit_column(by))
}

/// An offer that needs rows on screen.
fn with_rows(app: &App, offer: impl FnOnce() -> Offer) -> Offer {
    match app.circuits.plot {
        Plot::Map | Plot::Projection => offer(),
        Plot::Spectra => Offer::nothing("spectra have one row: v shows the maps"),
    }
}

fn row(app: &App, by: isize) -> Offer {
    with_rows(app, || Offer::set(move |app| app.move_circuit_row(by)))
}

fn page(app: &App, by: isize) -> Offer {
    let turn = move |app: &mut App| {
        if app.chosen_path().is_some() { app.move_path(by) } else { app.move_circuit_row(by) }
    };
    with_rows(app, || Offer::set(turn))
}

fn path(app: &App, by: isize) -> Offer {
    app.if_has_neurons(|| Offer::set(move |app| app.move_path(by)))
}

fn toggle(app: &App) -> Offer {
    let is_on_neuron = app.chosen_path().is_some() || app.circuits.map == CircuitMap::OvNeurons;
    Offer::act(if is_on_neuron { App::toggle_neuron } else { App::toggle_head })
}
