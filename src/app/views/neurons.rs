//! View 4: a layer's neurons.

use super::{Room, position, tables, view};
use crate::app::App;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::provenance::Of;
use crate::app::studies::Asked;
use crate::inquiry::Question;

pub(crate) static ROOM: Room = Room {
    title: "Neurons",
    short: "Neur",
    open: bind(&[Key::ch('4')], |_| Offer::act(|app| app.show(view(&ROOM))), "", "neurons of a layer"),
    keys: KEYS,
    has_key: false,
    has_target: true,
    toggle: |app| app.if_has_neurons(|| Offer::act(App::toggle_neuron)),
    asks,
    prepare: App::stay_on_first_neuron,
    tables: |app| tables(app, App::neuron_tables),
    of: Of::Sequence,
};

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |_| line(-1), "neuron", "the neuron above"),
    bind(DOWN, |_| line(1), JOIN, "the neuron below"),
    bind(PAGE_UP, |_| line(-PAGE), "", "ten neurons up"),
    bind(PAGE_DOWN, |_| line(PAGE), "", "ten neurons down"),
    bind(
        &[Key::ch('g')],
        |_| Offer::set(App::follow_first_neuron),
        "",
        "the first neuron of the list, whichever comes first",
    ),
    bind(&[Key::ch('G')], |_| line(isize::MAX / 2), "", "the last neuron of the list"),
    bind(
        &[Key::ch('s')],
        |_| Offer::set(|app| app.settings.sort = app.settings.sort.next()),
        "sort",
        "sort by clean contribution, clean activation, or index",
    ),
    bind(
        &[Key::ch('p')],
        |app| app.if_neurons(App::pick),
        "pick",
        "pick the neuron for the traces, or drop it",
    ),
    bind(&[Key::ch('o')], overlay, "overlay", "beneath the sum: count, lead, share, last seen of the target"),
    bind(
        &[Key::ch('b')],
        |_| Offer::act(App::pick_trackers),
        "",
        "pick the neurons, four at most, that track the target best",
    ),
    bind(&[Key::ch('B')], |_| Offer::act(App::toggle_trackers), "", "switch those off or on"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.lower = app.settings.lower.next()),
        "map",
        "traces of the picked neurons, or a map of all",
    ),
];

fn overlay(app: &App) -> Offer {
    let features = app.task().features().len();
    if features == 0 {
        return Offer::nothing("this task names no feature that neurons may follow");
    }
    let next = app.settings.overlay.map_or(0, |at| at + 1);
    Offer::set(move |app| app.settings.overlay = (next < features).then_some(next))
}

fn line(by: isize) -> Offer {
    Offer::set(move |app| app.move_neuron(by))
}

fn asks(app: &App) -> Vec<Asked> {
    let Some(of) = app.of_validation().filter(|_| app.options.model.has_mlp()) else { return Vec::new() };
    let fit = app.overlay_question().map(|(neurons, class)| Question::Fit { neurons, class });
    [Question::Trackers].into_iter().chain(fit).map(|question| (of.clone(), question)).collect()
}
