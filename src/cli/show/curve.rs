//! `headcount show curve`: a question or a panel over all kept snapshots of a run.

use std::collections::BTreeSet;

use super::super::Failure;
use super::super::args::{Format, ShowArgs};
use super::super::output::print_text;
use super::desk::Desk;
use super::writing::write;
use super::{Shown, fixed, nothing, opened, unknown};
use crate::app::curves::panel as curves_panel;
use crate::figure::{Axis, Panel, over_steps};

/// Most cells that have a curve.
const MOST_CELLS: usize = 4096;

pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let usage = |why: &str| Failure::Usage(format!("show curve: {why}"));
    if args.measured.run.is_none() {
        return Err(usage("steps are those of a run: give --run"));
    }
    if args.measured.step.is_some() || args.minus.is_some() {
        return Err(usage("--step and --minus: a curve is over all steps"));
    }
    super::check(args)?;
    let Some(what) = args.curve.as_deref() else { return standing(args) };
    let shown = Shown::find(what).ok_or_else(|| unknown(what))?;
    if matches!(shown, Shown::View(_)) {
        return Err(usage(&format!("{what} is a view: name one of its panels or questions")));
    }
    let mut desk = opened(args, &shown, None)?;
    let entry = &shown.entries()[0];
    let panel = (entry.build)(&desk.app).ok_or_else(|| nothing(&shown, &desk.app))?;
    if panel.is_over_steps() {
        return Err(usage(&format!("{what} is over steps by itself: show {what} --run")));
    }
    let (panel, pinned) = match &shown {
        Shown::Question(.., spec) => {
            let (figure, fixed) = fixed(args, spec, &panel)?;
            (Panel::of_figure(&figure, &fixed), Some((spec.name, fixed)))
        }
        _ => (numbers(panel), None),
    };
    let cells = panel.columns.len() * panel.lead.iter().map(Axis::len).product::<usize>();
    if cells > MOST_CELLS {
        let what = format!("{cells} cells: choose some with --head, --neuron or --position");
        return Err(usage(&what));
    }
    let commands = desk.app.pin_panel(entry, &panel, pinned.as_ref());
    desk.execute(commands);
    let curves = panel_of(&desk, &panel);
    if curves.is_empty() {
        return Err(usage("the run keeps no snapshots with such numbers"));
    }
    desk.app.show_curves();
    write(args, &Shown::Curve(shown.name()), &desk.app, &[curves])?;
    tell_phases(args, &desk)
}

/// The standing curves of the run's task.
fn standing(args: &ShowArgs) -> Result<(), Failure> {
    let shown = Shown::Curve("the run".into());
    let mut desk = opened(args, &shown, None)?;
    let commands = desk.app.stand_curves();
    desk.execute(commands);
    desk.app.show_curves();
    let panel = curves_panel(&desk.app).ok_or_else(|| nothing(&shown, &desk.app))?;
    write(args, &shown, &desk.app, &[panel])?;
    tell_phases(args, &desk)
}

/// The phase changes, after a table that is read by people.
fn tell_phases(args: &ShowArgs, desk: &Desk) -> Result<(), Failure> {
    let lines = desk.app.phase_lines();
    if args.format != Format::Text || args.out.is_some() || lines.is_empty() {
        return Ok(());
    }
    print_text(&format!("\nphase changes\n{}", lines.join("\n")))
}

/// The columns of a panel that hold numbers.
fn numbers(mut panel: Panel) -> Panel {
    let has_numbers = |at: &usize| panel.values(&panel.columns[*at].name).iter().any(Option::is_some);
    let kept: Vec<_> =
        (0..panel.columns.len()).filter(has_numbers).map(|at| panel.columns[at].clone()).collect();
    panel.columns = kept;
    panel
}

/// The pinned curves as a panel over steps.
fn panel_of(desk: &Desk, panel: &Panel) -> Panel {
    let curves = desk.app.pinned_points();
    let steps: BTreeSet<usize> = curves.iter().flat_map(|points| points.keys().copied()).collect();
    let steps: Vec<usize> = steps.into_iter().collect();
    let shape: Vec<usize> = panel.lead.iter().map(Axis::len).collect();
    let rows: usize = shape.iter().product();
    let of_steps = steps.clone();
    over_steps(panel, &steps, move |step, column, lead| {
        let row = lead.iter().zip(&shape).fold(0, |row, (at, len)| row * len + at);
        let value = curves.get(column * rows + row)?.get(&of_steps[step])?;
        value.is_finite().then_some(*value)
    })
}
