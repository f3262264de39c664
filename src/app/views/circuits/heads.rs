//! What the weights say of each head: scores beside their chance levels.

use crate::app::App;
use crate::figure::{At, Column, Panel};
use crate::inquiry::circuits;
use crate::inquiry::composition;
use crate::inquiry::copying as eigen;

fn known(app: &App) -> Option<circuits::Figures> {
    let (answer, found) = app.studies.circuits()?;
    Some(circuits::figures(answer, found))
}

/// Rows without a value, of heads with fewer eigenvalues, are left out.
pub(crate) fn eigenvalues(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.copying()?;
    let [figure, _] = eigen::figures(answer, found);
    let column =
        |(at, name)| Column::new(name, &figure, [At::Lead(0), At::Lead(1), At::Lead(2), At::Fixed(at)]);
    let columns = ["re", "im"].into_iter().enumerate().map(column);
    (!figure.axes[2].is_empty()).then(|| Panel::new("eigenvalues", figure.axes[..3].to_vec()).and(columns))
}

pub(crate) fn permuted(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.copying()?;
    let [_, figure] = eigen::figures(answer, found);
    let column = |(at, name)| Column::new(name, &figure, [At::Lead(0), At::Lead(1), At::Fixed(at)]);
    let columns = ["mean", "deviation", "percentile"].into_iter().enumerate().map(column);
    found
        .iter()
        .any(Option::is_some)
        .then(|| Panel::new("permuted_copying", figure.axes[..2].to_vec()).and(columns))
}

pub(crate) fn compositions(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.composition()?;
    let [figure, _] = composition::figures(answer, found);
    let heads = figure.axes[1].len();
    let n_heads = app.options.model.n_heads;
    let is_pair = |at: &usize| at / heads / n_heads < at % heads / n_heads;
    let panel =
        Panel::new("composition", figure.axes[1..].to_vec()).ordered((0..heads * heads).filter(is_pair));
    let column = |(at, name)| Column::new(name, &figure, [At::Fixed(at), At::Lead(0), At::Lead(1)]);
    Some(panel.and(["Q", "K", "V"].into_iter().enumerate().map(column)))
}

pub(crate) fn random_composition(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.composition()?;
    let [_, figure] = composition::figures(answer, found);
    let column = Column::new("score", &figure, [At::Lead(0)]);
    Some(Panel::new("random_composition", figure.axes.clone()).with(column))
}

pub(crate) fn copying(app: &App) -> Option<Panel> {
    let figure = known(app)?.copying_score;
    let column = Column::new("copying_score", &figure, [At::Lead(0), At::Lead(1)]);
    Some(Panel::new("copying", figure.axes.clone()).with(column))
}

pub(crate) fn singular_values(app: &App) -> Option<Panel> {
    let known = known(app)?;
    let at = [At::Lead(0), At::Lead(1), At::Lead(2)];
    let panel = Panel::new("singular_values", known.qk_singular.axes.clone())
        .with(Column::new("qk", &known.qk_singular, at.clone()))
        .with(Column::new("ov", &known.ov_singular, at));
    Some(panel)
}
