//! View 4: a layer's neurons.

pub(crate) mod inputs;

use std::sync::Arc;

use inputs::{across, best_frequencies, down, neuron_pairs, neuron_spectrum, one_frequency, top_examples};

use super::logits::clean_and_edited;
use super::{Room, view};
use crate::analysis::hypotheses::Tracker;
use crate::analysis::{NeuronHook, SingleSums};
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::app::studies::Asked;
use crate::app::{App, LowerPanel, Sort};
use crate::figure::{At, Column, Figure, Panel};
use crate::inquiry::examples::{
    EXAMPLE_POSITION, EXAMPLE_PREDICTION, EXAMPLE_SEQUENCE, EXAMPLE_TARGET, EXAMPLE_TOKEN, EXAMPLE_VALUE,
    VALUE_DEVIATION, VALUE_MEAN,
};
use crate::inquiry::fit::{self, CORRELATION, R_SQUARED, TUNING, TUNING_DEVIATION, TUNING_POSITIONS};
use crate::inquiry::logits::TARGET;
use crate::inquiry::neurons::{ACTIVATION, FAVOURS, IS_OFF, NEURON_CONTRIBUTION, PRE_ACTIVATION};
use crate::inquiry::pairs::{
    BEST_FREQUENCY, BEST_SHARE, LIVE_NEURONS, NEURON_SPECTRUM, ONE_FREQUENCY_SHARE, PAIR_ACTIVATION,
    SHUFFLED_SHARE,
};
use crate::inquiry::single_neurons::{self, NEURON_ACCURACY_DAMAGE, NEURON_DAMAGE};
use crate::inquiry::trackers::{self, TRACKING, TRACKING_RANK, TRACKS, TRACKS_BY};
use crate::inquiry::{Probe, Question};
use crate::model::NeuronId;

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
    panels: PANELS,
    focus: |_| "neuron_list",
    is_of_run: false,
    lacks: |app| {
        if app.options.model.has_mlp() {
            "trackers and fits need a validation set with targets, and pairs a task whose inputs are two operands"
        } else {
            "an attention-only model has no neurons"
        }
    },
};

const PANELS: &[PanelEntry] = &[
    panel!(
        "neuron_list",
        "every neuron of the cursor's layer at the cursor, in the order of the list",
        [ACTIVATION, PRE_ACTIVATION, NEURON_CONTRIBUTION, FAVOURS, TRACKS, TRACKS_BY, IS_OFF],
        neurons
    ),
    panel!(
        "traces",
        "the picked neurons, else the cursor's, at every position",
        [TARGET, ACTIVATION, PRE_ACTIVATION],
        traces
    ),
    PanelEntry {
        name: "fit",
        says: "how well each hypothesis explains the traced neurons' sum over the validation set",
        questions: &[&R_SQUARED, &CORRELATION],
        open: with_overlay,
        build: fit_of_traced,
    },
    PanelEntry {
        name: "tuning_curve",
        says: "the traced neurons' sum by the value of the hypothesis below the traces, over the validation set",
        questions: &[&TUNING, &TUNING_DEVIATION, &TUNING_POSITIONS],
        open: with_overlay,
        build: tuning,
    },
    panel!(
        "trackers",
        "for each class the neurons that track it, the strongest first",
        [TRACKING_RANK, TRACKING],
        trackers_of_all
    ),
    panel!(
            "neuron_ablations",
            "what each neuron of the cursor's layer costs alone, over the validation set, the costliest first",
            [NEURON_DAMAGE, NEURON_ACCURACY_DAMAGE],
            ablations, opened_by: |app| app.settings.sort = Sort::Damage),
    panel!(
            "neuron_map",
            "every neuron of the cursor's layer at every position",
            [ACTIVATION, PRE_ACTIVATION],
            neuron_map, opened_by: |app| app.settings.lower = LowerPanel::Map),
    panel!(
        "neuron_pairs",
        "the cursor's neuron at every pair of operands",
        [PAIR_ACTIVATION],
        neuron_pairs, opened_by: show_pairs),
    panel!(
        "neuron_frequencies",
        "how much of the cursor's neuron varies at each frequency of the task's circle",
        [NEURON_SPECTRUM],
        neuron_spectrum, opened_by: show_pairs),
    panel!(
        "best_frequencies",
        "every neuron of the cursor's layer: the frequency it varies at most, and beside it the same by chance",
        [BEST_FREQUENCY, BEST_SHARE, SHUFFLED_SHARE],
        best_frequencies, opened_by: show_pairs),
    panel!(
        "one_frequency",
        "of how many neurons of each layer one frequency explains 85 % of the variance",
        [LIVE_NEURONS, ONE_FREQUENCY_SHARE],
        one_frequency, opened_by: show_pairs),
    panel!(
        "top_examples",
        "where in the validation set the cursor's neuron is most active, or least",
        [
            EXAMPLE_VALUE,
            EXAMPLE_SEQUENCE,
            EXAMPLE_POSITION,
            EXAMPLE_TOKEN,
            EXAMPLE_TARGET,
            EXAMPLE_PREDICTION,
            VALUE_MEAN,
            VALUE_DEVIATION
        ],
        top_examples, opened_by: |app| app.settings.lower = LowerPanel::Examples),
];

fn show_pairs(app: &mut App) {
    app.settings.lower = if app.has_pairs() { LowerPanel::Pairs } else { app.settings.lower };
}

/// Shows a hypothesis below the traces.
fn with_overlay(app: &mut App) {
    let has_features = !app.task().features().is_empty();
    app.settings.overlay = app.settings.overlay.or(has_features.then_some(0));
}

fn with_neurons(app: &App) -> Option<&Arc<Probe>> {
    app.answered().filter(|probe| probe.config().has_mlp())
}

/// For a neuron that is off, `clean` holds its own values and `edited` the replacement.
pub(crate) fn neurons(app: &App) -> Option<Panel> {
    let probe = with_neurons(app)?;
    let layer = At::Fixed(app.cursor.layer);
    let here = [layer.clone(), At::Lead(0), At::Fixed(app.position_in(probe))];
    let [activation, pre] = [NeuronHook::Post, NeuronHook::Pre].map(|hook| probe.activation(hook));
    let contribution = probe.neuron_contribution(app.cursor.target);
    let of_neuron = [layer.clone(), At::Lead(0)];
    let panel = Panel::new("neuron_list", [activation.axes[2].clone()])
        .ordered(app.neuron_order(probe))
        .and(clean_and_edited("activation", probe, &activation, &here))
        .and(clean_and_edited("pre", probe, &pre, &here))
        .and(clean_and_edited("contribution", probe, &contribution, &here))
        .with(Column::new("favours", &probe.favours(), of_neuron.clone()));
    let tracked =
        app.studies.trackers().map(|(answer, _)| trackers::tracked(answer, &app.tracked, &probe.task));
    let tracked = tracked.iter().flatten().zip(["tracks", "effect"]);
    let panel = panel
        .and(tracked.map(|(figure, name)| Column::new(name, figure, [layer.clone(), At::Lead(0)])))
        .with(Column::new("off", &probe.is_off(), of_neuron));
    Some(panel)
}

pub(crate) fn traces(app: &App) -> Option<Panel> {
    let probe = with_neurons(app)?;
    let figures = [("", NeuronHook::Post), ("pre.", NeuronHook::Pre)];
    let figures = figures.map(|(prefix, hook)| (prefix, probe.activation(hook)));
    let trace = |id: NeuronId| {
        let at = [At::Fixed(id.layer), At::Fixed(id.neuron), At::Lead(0)];
        let of = |(prefix, figure): &(&str, Arc<Figure>)| {
            let name = format!("{prefix}neuron.{}.{}", id.layer, id.neuron);
            clean_and_edited(&name, probe, figure, &at).collect::<Vec<_>>()
        };
        figures.iter().flat_map(of).collect::<Vec<_>>()
    };
    let panel = Panel::new("traces", [figures[0].1.axes[3].clone()]).with(Column::new(
        "label",
        &probe.target(),
        [At::Lead(0)],
    ));
    Some(panel.and(app.traced().into_iter().flat_map(trace)))
}

fn fit_of_traced(app: &App) -> Option<Panel> {
    let (neurons, class) = (app.traced(), app.traced_token()?);
    let hook = app.settings.hook;
    let (answer, found) = app.studies.fit((&neurons, hook), class)?;
    let asked = fit::Asked { neurons: &neurons, hook, class };
    let [correlation, r_squared] = fit::fits(answer, found, &asked, app.task());
    let panel = Panel::new("fit", r_squared.axes.clone()).ordered(app.ranked_hypotheses());
    let column = |name, figure| Column::new(name, figure, [At::Lead(0)]);
    Some(panel.with(column("r_squared", &r_squared)).with(column("correlation", &correlation)))
}

pub(crate) fn tuning(app: &App) -> Option<Panel> {
    let (neurons, class, hook) = (app.traced(), app.traced_token()?, app.settings.hook);
    let feature = *app.ranked_hypotheses().get(app.settings.overlay?)?;
    let (answer, found) = app.studies.fit((&neurons, hook), class)?;
    let asked = fit::Asked { neurons: &neurons, hook, class };
    let [mean, deviation, positions] = fit::tuning(answer, (found, feature), &asked, app.task());
    let column = |name, figure| Column::new(name, figure, [At::Lead(0)]);
    let panel = Panel::new("tuning_curve", mean.axes.clone()).with(column("activation", &mean));
    Some(panel.with(column("deviation", &deviation)).with(column("positions", &positions)))
}

pub(crate) fn neuron_map(app: &App) -> Option<Panel> {
    let probe = with_neurons(app)?;
    let [post, pre] = [NeuronHook::Post, NeuronHook::Pre].map(|hook| probe.activation(hook));
    let at = [At::Fixed(app.cursor.layer), At::Lead(0), At::Lead(1)];
    let panel = Panel::new("neuron_map", post.axes[2..].to_vec());
    let panel = panel.and(clean_and_edited("activation", probe, &post, &at));
    Some(panel.and(clean_and_edited("pre", probe, &pre, &at)))
}

/// Each neuron ablated alone, to zero and to its mean; the largest rise of the loss at zero first.
pub(crate) fn ablations(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.single_neurons(app.cursor.layer)?;
    let [loss, accuracy] = single_neurons::figures(answer, found);
    let mut order: Vec<usize> = (0..found.ablated.len()).collect();
    order.sort_by(|a, b| found.ablated[*b][0].loss.total_cmp(&found.ablated[*a][0].loss));
    let columns = |name: &'static str, figure: &Arc<Figure>| {
        let column = |(at, kind)| Column::new(format!("{name}_{kind}"), figure, [At::Lead(0), At::Fixed(at)]);
        ["zero", "mean"].into_iter().enumerate().map(column).collect::<Vec<_>>()
    };
    let panel = Panel::new("neuron_ablations", [loss.axes[0].clone()]).ordered(order);
    Some(panel.and(columns("loss", &loss)).and(columns("accuracy", &accuracy)))
}

fn trackers_of_all(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.trackers()?;
    let [effect, rank] = trackers::tracking(answer, found, app.options.dataset.task());
    let d_mlp = app.options.model.d_mlp;
    let of_class = |(class, ranked): (usize, &Vec<Tracker>)| {
        ranked.iter().map(|tracker| class * d_mlp + tracker.neuron).collect::<Vec<_>>()
    };
    let rows = found.iter().enumerate().flat_map(of_class);
    let column = |name, figure| Column::new(name, figure, [At::Lead(0), At::Lead(1)]);
    let panel = Panel::new("trackers", effect.axes.clone()).ordered(rows);
    Some(panel.with(column("rank", &rank)).with(column("effect", &effect)))
}

const KEYS: &[Binding] = &[
    bind(LEFT, |app| across(app, -1), "position", "the previous position; over pairs, the previous b"),
    bind(RIGHT, |app| across(app, 1), JOIN, "the next position; over pairs, the next b"),
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
        "sort by clean contribution or activation, damage, or index",
    ),
    bind(
        &[Key::ch('p')],
        |app| app.if_neurons(App::pick),
        "pick",
        "pick the neuron for the traces, or drop it",
    ),
    bind(&[Key::ch('o')], overlay, "overlay", "beneath the sum: the hypotheses, the best fit first"),
    bind(
        &[Key::ch('a')],
        |app| app.if_neurons(|app| app.settings.hook = app.settings.hook.next()),
        "",
        "values after or before the activation function",
    ),
    bind(
        &[Key::ch('b')],
        |_| Offer::act(App::pick_trackers),
        "",
        "pick the neurons, four at most, that track the target best",
    ),
    bind(&[Key::ch('B')], |_| Offer::act(App::toggle_trackers), "", "switch those off or on"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(App::next_lower_panel),
        "map",
        "traces, a map of all neurons, pairs of operands, top examples",
    ),
    bind(&[Key::ch('J')], |app| down(app, 1), "", "the next example; over pairs of operands, the next a"),
    bind(&[Key::ch('K')], |app| down(app, -1), "", "the previous example, or a"),
    bind(
        &[Key::ch('L')],
        |_| Offer::set(|app| app.settings.end = app.settings.end.next()),
        "",
        "examples where the neuron is most active, or least",
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
    let spectra = app.of_spectra().filter(|_| app.settings.lower == LowerPanel::Pairs);
    let Some(of) = app.of_validation().filter(|_| app.options.model.has_mlp()) else {
        return spectra.into_iter().collect();
    };
    let hook = app.settings.hook;
    let fit = app.overlay_question().map(|(neurons, class)| Question::Fit { neurons, class, hook });
    let is_ranked = app.settings.sort == Sort::Damage && SingleSums::fits(&app.options.model);
    let damage = is_ranked.then_some(Question::SingleNeurons(app.cursor.layer));
    let examples = (app.settings.lower == LowerPanel::Examples)
        .then(|| Question::Examples(app.cursor.neuron_id(), hook));
    let questions = [Question::Trackers].into_iter().chain(fit).chain(damage).chain(examples);
    questions.map(|question| (of.clone(), question)).chain(spectra).collect()
}
