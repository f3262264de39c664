//! View 4: a layer's neurons at the cursor's position.

use ratatui::layout::Rect;

use super::columns::window;
use super::ink::{Ink, beside, lines};
use super::number::signed;
use super::theme::Role;
use super::{neuron_map, nothing_yet, provenance, target, traces};
use crate::analysis::Probe;
use crate::app::{App, LowerPanel, NeuronFigures, Sort};
use crate::model::NeuronId;

/// Draws the view.
pub(super) fn render(ink: &mut Ink<'_>, app: &App, area: Rect) {
    let Some(probe) = app.probe.as_deref().filter(|probe| !probe.is_empty()) else {
        return nothing_yet(ink, app, area, "neurons");
    };
    if !probe.config().has_mlp() {
        ink.rule(area, 0, "neurons", "");
        ink.text(area, 2, 2, "this model has attention only: there are no neurons", Role::Plain);
        return;
    }
    let order = app.neurons(probe);
    let lower = lower_height(app, area);
    let top = lines(area, 0, area.height - lower);
    let bottom = lines(area, top.height, lower);
    if shows_all(area) {
        // The map beside the list, the traces below.
        let (left, right) = beside(top, 64);
        list(ink, app, probe, &order, left);
        neuron_map::render(ink, app, probe, &order, right, false);
        traces::render(ink, app, probe, bottom);
        return;
    }
    list(ink, app, probe, &order, top);
    match app.settings.lower {
        LowerPanel::Traces => traces::render(ink, app, probe, bottom),
        LowerPanel::Map => neuron_map::render(ink, app, probe, &order, bottom, true),
    }
}

/// Whether there is room for the map and the traces, and nothing to choose.
pub(super) fn shows_all(area: Rect) -> bool {
    area.width >= 120
}

fn lower_height(app: &App, area: Rect) -> u16 {
    let most = area.height / 2;
    match app.settings.lower {
        _ if area.height < 8 => 0,
        LowerPanel::Map if !shows_all(area) => most,
        _ => traces::height(app).min(most),
    }
}

fn list(ink: &mut Ink<'_>, app: &App, probe: &Probe, order: &[NeuronFigures], area: Rect) {
    let position = app.position_in(probe);
    let by = match app.settings.sort {
        Sort::Contribution => "|contribution|",
        Sort::Activation => "|activation|",
        Sort::Index => "index",
    };
    let clean = if probe.ablated.is_some() { "clean " } else { "" };
    let title = format!("layer {} at {position}, by {clean}{by}", app.cursor.layer);
    ink.rule(area, 0, &title, &provenance(app, probe));
    // A long name has its place in the logits view.
    let target = target::short(app, probe, position, 14);
    let tracks_end = area.width.saturating_sub(2);
    let tracks = tracks(app);
    let right = tracks_end.saturating_sub(super::ink::width(&tracks).max(9) + 1);
    let narrow = area.width < 60;
    ink.text(area, 4, 1, "neuron", Role::Faint);
    if order.iter().any(|f| f.off) {
        // What is off says what it would do, or there would be nothing to choose by.
        ink.text(area, 12, 1, "✕ clean", Role::Faint);
    }
    ink.text_right(area, right.saturating_sub(8), 1, &format!("activation   to {target}"), Role::Faint);
    ink.text_right(area, right, 1, "favours", Role::Faint);
    ink.text_right(area, tracks_end, 1, &tracks, Role::Faint);
    let activation = |f: &NeuronFigures| f.activation.abs();
    let largest = order.iter().map(activation).filter(|a| a.is_finite()).fold(0.0, f32::max);
    let to_target = right.saturating_sub(8);
    let act_end = to_target.saturating_sub(super::ink::width(&target) + 6);
    let rows = usize::from(area.height.saturating_sub(2));
    let selected = order.iter().position(|f| f.neuron == app.cursor.neuron).unwrap_or_default();
    for (y, at) in (2..).zip(window(selected, order.len(), rows)) {
        let f = &order[at];
        let role = if at == selected { Role::Cursor } else { Role::Plain };
        marks(ink, app, area, y, f, at == selected);
        ink.text_right(area, 10, y, &f.neuron.to_string(), role);
        let bar = act_end.saturating_sub(12 + 7);
        if largest > 0.0 && !narrow {
            let bar_role = if f.activation < 0.0 { Role::Negative } else { Role::Bar };
            ink.bar(
                area,
                11,
                y,
                bar,
                f.activation.abs() / largest,
                if f.off { Role::Faint } else { bar_role },
            );
        }
        let plain = if f.off { Role::Faint } else { Role::Plain };
        ink.text_right(area, act_end, y, &format!("{:.2}", f.activation), plain);
        ink.text_right(area, to_target, y, &signed(f.contribution), plain);
        let directions = &probe.request.snapshot.directions;
        let is_broken = directions.of(app.cursor.layer, f.neuron).iter().any(|x| x.is_nan());
        let favours = directions.favours(app.cursor.layer, f.neuron).to_string();
        ink.text_right(area, right, y, if is_broken { "?" } else { &favours }, Role::Plain);
        if let Some((token, effect)) = app.tracked_by(NeuronId { layer: app.cursor.layer, neuron: f.neuron })
        {
            let text = format!("{token} {}", signed(effect as f32));
            ink.text_right(area, tracks_end, y, &text, Role::Plain);
        }
    }
}

/// The heading of what each neuron tracks, with the step it is of if that is not the one in view.
fn tracks(app: &App) -> String {
    let is_last = app.cursor.layer + 1 == app.options.model.n_layers;
    let current = app.timeline.current().map(|snapshot| snapshot.step);
    match app.studies.trackers().filter(|_| is_last).map(|(study, _)| study.request.snapshot.step) {
        Some(step) if Some(step) != current => format!("tracks @{step}"),
        _ => "tracks".into(),
    }
}

/// Before the number: the cursor, switched off, picked.
fn marks(ink: &mut Ink<'_>, app: &App, area: Rect, y: u16, f: &NeuronFigures, selected: bool) {
    if selected {
        ink.text(area, 0, y, "▸", Role::Strong);
    }
    if f.off {
        ink.text(area, 1, y, "✕", Role::Off);
    }
    let id = NeuronId { layer: app.cursor.layer, neuron: f.neuron };
    if app.settings.picked.contains(&id) {
        ink.text(area, 3, y, "◆", Role::Second);
    }
}
