//! The cursor's neuron over inputs: every pair of operands, and the set's top examples.

use crate::app::keymap::Offer;
use crate::app::views::position;
use crate::app::{App, LowerPanel};
use crate::figure::{At, Column, Panel};
use crate::inquiry::{examples, pairs};

pub(crate) fn top_examples(app: &App) -> Option<Panel> {
    let of = (app.cursor.neuron_id(), app.settings.hook);
    let (answer, found) = app.studies.examples(of.0, of.1)?;
    let examples::Figures { of_examples, of_set } =
        examples::figures(answer, found, of, &app.options.dataset);
    let names = ["value", "sequence", "position", "token", "target", "prediction"];
    let end = At::Fixed(app.settings.end as usize);
    let column = |(name, figure)| Column::new(name, figure, [end.clone(), At::Lead(0)]);
    let panel = Panel::new("top_examples", [of_examples[0].axes[1].clone()]);
    let panel = panel.and(names.into_iter().zip(&of_examples).map(column));
    Some(panel.and(
        ["mean", "deviation"].into_iter().zip(&of_set).map(|(name, figure)| Column::new(name, figure, [])),
    ))
}

fn of_pairs(app: &App) -> Option<pairs::Figures> {
    let (answer, found) = app.studies.spectra()?;
    pairs::figures(answer, found, |token| app.task().vocabulary().name(token))
}

/// A cell for each pair.
pub(crate) fn neuron_pairs(app: &App) -> Option<Panel> {
    let (figure, id) = (of_pairs(app)?.activation, app.cursor.neuron_id());
    let at = [At::Fixed(id.layer), At::Fixed(id.neuron), At::Lead(0), At::Lead(1)];
    Some(Panel::new("neuron_pairs", figure.axes[2..].to_vec()).with(Column::new("activation", &figure, at)))
}

pub(crate) fn neuron_spectrum(app: &App) -> Option<Panel> {
    let (figure, id) = (of_pairs(app)?.spectrum, app.cursor.neuron_id());
    let at = [At::Fixed(id.layer), At::Fixed(id.neuron), At::Lead(0)];
    Some(Panel::new("neuron_frequencies", figure.axes[2..].to_vec()).with(Column::new("share", &figure, at)))
}

pub(crate) fn best_frequencies(app: &App) -> Option<Panel> {
    let figures = of_pairs(app)?.best;
    let panel = Panel::new("best_frequencies", figures[0].axes[1..].to_vec());
    let column = |(name, figure)| Column::new(name, figure, [At::Fixed(app.cursor.layer), At::Lead(0)]);
    Some(panel.and(["frequency", "share", "share_shuffled"].into_iter().zip(&figures).map(column)))
}

pub(crate) fn one_frequency(app: &App) -> Option<Panel> {
    let figures = of_pairs(app)?.layers;
    let panel = Panel::new("one_frequency", figures[0].axes.clone());
    let column = |(name, figure)| Column::new(name, figure, [At::Lead(0)]);
    Some(panel.and(["live", "share_of_one_frequency"].into_iter().zip(&figures).map(column)))
}

/// Along the positions, or over pairs of operands along b.
pub(super) fn across(app: &App, by: isize) -> Offer {
    if app.settings.lower == LowerPanel::Pairs {
        Offer::act(move |app| app.move_operand(1, by))
    } else {
        position(by)
    }
}

/// Along the examples, or over pairs of operands along a.
pub(super) fn down(app: &App, by: isize) -> Offer {
    match app.settings.lower {
        LowerPanel::Pairs => Offer::act(move |app| app.move_operand(0, by)),
        LowerPanel::Examples => Offer::act(move |app| app.move_example(by)),
        LowerPanel::Traces | LowerPanel::Map => Offer::nothing("v shows the neuron's top examples"),
    }
}
