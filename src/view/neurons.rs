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
    if area.width >= 120 {
        // Room for both: the map beside the list, the traces below.
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

fn lower_height(app: &App, area: Rect) -> u16 {
    let most = area.height / 2;
    match app.settings.lower {
        _ if area.height < 8 => 0,
        LowerPanel::Map if area.width < 120 => most,
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
    let title = format!("layer {} at position {position}, by {clean}{by}", app.cursor.layer);
    ink.rule(area, 0, &title, &provenance(app, probe));
    let target = target::name(app, probe, position);
    // A long name has its place in the logits view.
    let target = if super::ink::width(&target) > 14 { "target".into() } else { target };
    let tracks_end = area.width.saturating_sub(2);
    let right = tracks_end.saturating_sub(10);
    let narrow = area.width < 60;
    ink.text(area, 4, 1, "neuron", Role::Faint);
    ink.text_right(area, right.saturating_sub(8), 1, &format!("activation   to {target}"), Role::Faint);
    ink.text_right(area, right, 1, "favours", Role::Faint);
    ink.text_right(area, tracks_end, 1, "tracks", Role::Faint);
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
        let favours = probe.request.snapshot.directions.favours(app.cursor.layer, f.neuron);
        ink.text_right(area, right, y, &favours.to_string(), Role::Plain);
        if let Some((token, effect)) = app.tracked_by(NeuronId { layer: app.cursor.layer, neuron: f.neuron })
        {
            let text = format!("{token} {}", signed(effect as f32));
            ink.text_right(area, tracks_end, y, &text, Role::Plain);
        }
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
