//! Spectra of a circle of tokens, and vectors along directions.

use crate::analysis::projection::Direction;
use crate::app::App;
use crate::figure::{At, Column, Panel};
use crate::inquiry::{Vectors, projection, spectra};

pub(crate) fn spectra_of_parts(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.spectra()?;
    let figures = spectra::figures(answer, found);
    let panel = Panel::new("spectra", figures[0].axes.clone());
    let column = |(name, figure)| Column::new(name, figure, [At::Lead(0), At::Lead(1)]);
    Some(panel.and(["norm", "share", "share_by_chance", "key"].into_iter().zip(&figures).map(column)))
}

pub(super) fn vectors(name: &'static str, app: &App, of: Vectors) -> Option<Panel> {
    let (answer, found) = app.studies.projection(of).filter(|(_, found)| !found.projection.is_empty())?;
    let [coordinates, classes, ..] = projection::figures(answer, found, app.options.dataset.task());
    let column = |(at, direction): (usize, &Direction)| {
        Column::new(format!("along {}", direction.name), &coordinates, [At::Lead(0), At::Fixed(at)])
    };
    let panel = Panel::new(name, [classes.axes[0].clone()]);
    let panel = panel.with(Column::new("class", &classes, [At::Lead(0)]));
    Some(panel.and(found.projection.directions.iter().enumerate().map(column)))
}

pub(super) fn directions(name: &'static str, app: &App, of: Vectors) -> Option<Panel> {
    let (answer, found) = app.studies.projection(of).filter(|(_, found)| !found.projection.is_empty())?;
    let [.., explained, equal] = projection::figures(answer, found, app.options.dataset.task());
    let panel = Panel::new(name, explained.axes.clone());
    let column = |name, figure| Column::new(name, figure, [At::Lead(0)]);
    Some(panel.with(column("explained", &explained)).with(column("explained_if_equal", &equal)))
}

/// The names of the panels of the vectors on screen.
pub(super) fn panels_of(app: &App) -> [&'static str; 2] {
    match app.vectors() {
        Vectors::Embed => ["embed_vectors", "embed_directions"],
        Vectors::Positions => ["pos_vectors", "pos_directions"],
        Vectors::Unembed => ["unembed_vectors", "unembed_directions"],
        Vectors::ResidPost(_) => ["resid_vectors", "resid_directions"],
    }
}

/// The vectors on screen, and how much of their variance lies along each direction.
pub(crate) fn vectors_in_view(app: &App) -> Option<[Panel; 2]> {
    let [points, shares] = panels_of(app);
    Some([vectors(points, app, app.vectors())?, directions(shares, app, app.vectors())?])
}
