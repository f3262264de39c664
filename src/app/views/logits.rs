//! View 3: the contribution of each component to the target.

use std::sync::Arc;

use super::{Room, position, view};
use crate::analysis::Component;
use crate::analysis::probing::Reads;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::moves::all_components;
use crate::app::panels::{PanelEntry, panel};
use crate::app::studies::Asked;
use crate::app::{App, ContributionsFrom, LogitPanel, StreamReader};
use crate::figure::{At, Column, Figure, Panel};
use crate::inquiry::component_means::{self, MEAN_CONTRIBUTION};
use crate::inquiry::lens::{self, LENS_ACCURACY, LENS_LOGIT, LENS_LOSS, LENS_PREDICTION};
use crate::inquiry::logits::{
    CONTRIBUTION, CORRECT, LOGITS, LOSS, MLP_PARTS, PREDICTION, PROBABILITY, SUM, TARGET, TOKEN,
};
use crate::inquiry::probing::{self, PROBE_ACCURACY, PROBE_R_SQUARED, PROBE_RANDOM, PROBE_RANDOM_R_SQUARED};
use crate::inquiry::{Probe, Question};
use crate::task::Split;

pub(crate) static ROOM: Room = Room {
    title: "Logits",
    short: "Logit",
    open: bind(
        &[Key::ch('3')],
        |_| Offer::act(|app| app.show(view(&ROOM))),
        "",
        "logits: what each part adds to the target",
    ),
    keys: KEYS,
    has_key: false,
    has_target: true,
    toggle,
    asks,
    prepare: |_| {},
    panels: PANELS,
    focus: |_| "components",
    is_of_run: false,
    lacks: |app| match app.settings.reader {
        StreamReader::FeatureProbes if !has_features(app) => "the task names no features",
        StreamReader::Lens => "the lens over a set needs a validation set",
        StreamReader::Probes | StreamReader::FeatureProbes => "probes are fitted on a data set with targets",
    },
};

const PANELS: &[PanelEntry] = &[
    panel!("components", "what each component adds to the target at the cursor", [CONTRIBUTION], components),
    panel!(
        "relative_components",
        "what each component adds to the target at the cursor, less what it adds on average over the validation set",
        [MEAN_CONTRIBUTION],
        relative_components, opened_by: |app| app.settings.contributions = ContributionsFrom::Mean),
    panel!(
        "mlp_parts",
        "the MLP of the cursor's layer in two: the cursor's neuron and the rest",
        [MLP_PARTS],
        mlp_parts
    ),
    panel!("sums", "the sum of the contributions beside the centred logit", [SUM], sums),
    LOGITS_PANEL,
    POSITIONS_PANEL,
    panel!(
            "lens",
            "the stream between the sublayers, read as logits: here, and over the validation set",
            [LENS_LOGIT, LENS_PREDICTION, LENS_LOSS, LENS_ACCURACY],
            lens_of_stream, opened_by: |app| app.show_reader(StreamReader::Lens)),
    panel!(
            "probes",
            "how well linear probes read the target from the stream: at the cursor's position, and on average",
            [PROBE_ACCURACY, PROBE_RANDOM],
            probes, opened_by: |app| app.show_reader(StreamReader::Probes)),
    panel!(
            "feature_probes",
            "how well linear probes read the features of the target's class from the stream at the cursor's position",
            [PROBE_R_SQUARED, PROBE_RANDOM_R_SQUARED],
            feature_probes, opened_by: |app| app.show_reader(StreamReader::FeatureProbes)),
    panel!(
        "profile",
        "the contribution of the cursor's component at every position",
        [CONTRIBUTION],
        profile
    ),
    panel!(
        "component_map",
        "the contribution of each component at every position",
        [CONTRIBUTION],
        component_map
    ),
];

/// The sequence: shared with the view of edits.
pub(crate) const POSITIONS_PANEL: PanelEntry = panel!(
    "positions",
    "the sequence by position: token, label, prediction and loss, clean and edited",
    [TOKEN, TARGET, PREDICTION, CORRECT, LOSS],
    positions
);

fn positions(app: &App) -> Option<Panel> {
    let (probe, here) = (app.answered()?, [At::Lead(0)]);
    let panel = Panel::new("positions", [probe.token().axes[0].clone()])
        .with(Column::new("token", &probe.token(), here.clone()))
        .with(Column::new("label", &probe.target(), here.clone()))
        .and(clean_and_edited("prediction", probe, &probe.prediction(), &here))
        .and(clean_and_edited("correct", probe, &probe.correct(), &here))
        .and(clean_and_edited("loss", probe, &probe.loss(), &here));
    Some(panel)
}

/// The logits at the cursor: shared with the view of edits.
pub(crate) const LOGITS_PANEL: PanelEntry = panel!(
    "class_logits",
    "the logit and the probability of each class at the cursor",
    [LOGITS, PROBABILITY],
    logits
);

/// A clean column, and an edited one if there are edits: `at` are the indices after the edits axis.
pub(crate) fn clean_and_edited(
    name: &str,
    probe: &Probe,
    figure: &Arc<Figure>,
    at: &[At],
) -> impl Iterator<Item = Column> {
    let names = [("clean", 0), ("edited", 1)].into_iter().take(1 + probe.current_edits());
    names.map(move |(edits, entry)| {
        let name = if name.is_empty() { edits.to_owned() } else { format!("{name}_{edits}") };
        let at: Vec<At> = [At::Fixed(entry)].into_iter().chain(at.iter().cloned()).collect();
        Column::new(name, figure, at)
    })
}

pub(crate) fn components(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let figure = probe.contribution(app.cursor.target);
    let at = [At::Lead(0), At::Fixed(app.position_in(probe))];
    Some(Panel::new("components", [figure.axes[1].clone()]).and(clean_and_edited("", probe, &figure, &at)))
}

/// Each contribution, its mean, and their difference.
pub(crate) fn relative_components(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (answer, found) = app.studies.component_means()?;
    let means = component_means::figure(answer, found, probe, app.cursor.target);
    let mean = Column::new("mean", &means, [At::Lead(0), At::Fixed(app.position_in(probe))]);
    let minus = Arc::new(mean.clone());
    let relative = |column: Column| column.less(&minus);
    let panel = components(app)?;
    let columns = panel.columns.into_iter().map(relative).collect::<Vec<_>>();
    Some(Panel::new("relative_components", panel.lead).and(columns).with(mean))
}

pub(crate) fn mlp_parts(app: &App) -> Option<Panel> {
    let probe = app.answered().filter(|probe| probe.config().has_mlp())?;
    let figure = probe.mlp_parts(app.cursor.target, app.cursor.neuron_id());
    let at = [At::Lead(0), At::Fixed(app.position_in(probe))];
    Some(Panel::new("mlp_parts", [figure.axes[1].clone()]).and(clean_and_edited("", probe, &figure, &at)))
}

pub(crate) fn sums(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let figure = probe.sum(app.cursor.target);
    let at = [At::Lead(0), At::Fixed(app.position_in(probe))];
    Some(Panel::new("sums", [figure.axes[1].clone()]).and(clean_and_edited("", probe, &figure, &at)))
}

fn logits(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (logits, probability) = (probe.logits(), probe.probability());
    let at = [At::Fixed(app.position_in(probe)), At::Lead(0)];
    let panel = Panel::new("class_logits", [logits.axes[2].clone()]);
    let panel = panel.and(clean_and_edited("logit", probe, &logits, &at));
    Some(panel.and(clean_and_edited("probability", probe, &probability, &at)))
}

pub(crate) fn lens_of_stream(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (answer, found) = app.lens_of(probe)?;
    let [to, says] = lens::of_sequence(answer, found, probe, app.cursor.target);
    let at = [At::Lead(0), At::Fixed(app.position_in(probe))];
    let panel = Panel::new("lens", [to.axes[0].clone()])
        .with(Column::new("target", &to, at.clone()))
        .with(Column::new("prediction", &says, at));
    let over_set = app.studies.lens().map(|(answer, found)| lens::over_set(answer, found));
    let names = ["validation_loss", "validation_accuracy"];
    let columns = over_set.iter().flatten().zip(names);
    Some(panel.and(columns.map(|(figure, name)| Column::new(name, figure, [At::Lead(0)]))))
}

pub(crate) fn probes(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.probing(Reads::Target)?;
    let [accuracy, random] = probing::figures(answer, found);
    let position = app.cursor.position.min(found.len().saturating_sub(1));
    let of = |name: &str, figure: &Arc<Figure>| {
        [("here", At::Fixed(position)), ("mean", At::Mean)]
            .map(|(at, position)| Column::new(format!("{name}_{at}"), figure, [At::Lead(0), position]))
    };
    let columns = of("accuracy", &accuracy).into_iter().chain(of("random", &random));
    Some(Panel::new("probes", [accuracy.axes[0].clone()]).and(columns))
}

/// Each feature of the target's class, and its random values.
pub(crate) fn feature_probes(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.probing(Reads::Features(app.target_token()?))?;
    let [own, random] = probing::of_features(answer, found, app.task())?;
    let position = app.cursor.position.min(found.len().saturating_sub(1));
    let column = |(feature, suffix, figure): (usize, &str, &Arc<Figure>)| {
        let name = format!("{}{suffix}", app.task().features()[feature].key);
        Column::new(name, figure, [At::Lead(0), At::Fixed(position), At::Fixed(feature)])
    };
    let features = 0..app.task().features().len();
    let columns =
        features.flat_map(|feature| [(feature, "", &own), (feature, "_random", &random)].map(column));
    Some(Panel::new("feature_probes", [own.axes[0].clone()]).and(columns))
}

pub(crate) fn profile(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let figure = probe.contribution(app.cursor.target);
    let component = app.cursor.component.min(figure.axes[1].len().saturating_sub(1));
    let at = [At::Fixed(component), At::Lead(0)];
    Some(Panel::new("profile", [figure.axes[2].clone()]).and(clean_and_edited("", probe, &figure, &at)))
}

pub(crate) fn component_map(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let figure = probe.contribution(app.cursor.target);
    let at = [At::Lead(0), At::Lead(1)];
    Some(
        Panel::new("component_map", figure.axes[1..].to_vec()).and(clean_and_edited("", probe, &figure, &at)),
    )
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| position(-1), "position", "the previous position"),
    bind(RIGHT, |_| position(1), JOIN, "the next position"),
    bind(UP, |_| line(-1), "component", "the component above"),
    bind(DOWN, |_| line(1), JOIN, "the component below"),
    bind(PAGE_UP, |_| line(-PAGE), "", "ten components up"),
    bind(PAGE_DOWN, |_| line(PAGE), "", "ten components down"),
    bind(
        &[Key::ch('o')],
        |app| app.if_neurons(|app| app.settings.mlp = app.settings.mlp.next()),
        "neuron",
        "the cursor's neuron in a row of its own, below its MLP",
    ),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.logits = app.settings.logits.next()),
        "lens",
        "below: a component over positions, or the logit lens",
    ),
    bind(
        &[Key::ch('b')],
        |app| {
            let next = match app.settings.reader {
                StreamReader::Lens if !app.has_data() => {
                    return Offer::nothing("probes are fitted on a data set: there is none");
                }
                StreamReader::Lens => StreamReader::Probes,
                StreamReader::Probes if !has_features(app) => StreamReader::Lens,
                StreamReader::Probes => StreamReader::FeatureProbes,
                StreamReader::FeatureProbes => StreamReader::Lens,
            };
            Offer::set(move |app| app.show_reader(next))
        },
        JOIN,
        "in place of the lens: probes of the target, of features",
    ),
    bind(
        &[Key::ch('x')],
        |app| {
            if app.has_data() {
                Offer::set(|app| app.settings.contributions = app.settings.contributions.next())
            } else {
                Offer::nothing("a component's mean is over a validation set")
            }
        },
        "mean",
        "contributions from zero, or from each component's mean",
    ),
];

/// Whether the task names features.
fn has_features(app: &App) -> bool {
    !app.task().features().is_empty()
}

fn asks(app: &App) -> Vec<Asked> {
    let labelled = app.of_validation().filter(|_| app.is_labelled());
    let over_set = labelled.map(|subject| (subject, Question::Lens));
    let probe = app.probe.as_deref().filter(|probe| !probe.is_empty());
    let of_sequence = probe.map(|probe| ((*probe.subject).clone(), Question::SequenceLens));
    let is_relative = app.settings.contributions == ContributionsFrom::Mean;
    let means = app.of_validation().filter(|_| is_relative);
    let means = means.map(|subject| (subject, Question::ComponentMeans));
    let reads = match app.settings.reader {
        StreamReader::Lens => None,
        StreamReader::Probes => Some(Reads::Target),
        StreamReader::FeatureProbes => app.target_token().filter(|_| has_features(app)).map(Reads::Features),
    };
    let reads = reads.filter(|_| app.can_probe() && app.is_labelled());
    let probing = app.of_validation().zip(reads).map(|(subject, reads)| (subject, Question::Probing(reads)));
    over_set.into_iter().chain(of_sequence).chain(means).chain(probing).collect()
}

impl App {
    /// Whether the sums that probes are fitted from fit in memory.
    pub(crate) fn can_probe(&self) -> bool {
        let longest = self.options.dataset.longest(Split::Validation);
        !probing::are_too_large(&self.options.model, longest)
    }

    /// Shows what a reader reads of the stream.
    fn show_reader(&mut self, reader: StreamReader) {
        (self.settings.reader, self.settings.logits) = (reader, LogitPanel::Lens);
    }
}

fn line(by: isize) -> Offer {
    Offer::set(move |app| app.move_writer(by))
}

fn toggle(app: &App) -> Offer {
    match all_components(&app.options.model).get(app.cursor.component) {
        Some(Component::Head(_)) => Offer::act(App::toggle_head),
        Some(&component) if app.switch_of(component).is_some() => {
            Offer::act(move |app| app.toggle_component(component))
        }
        other => {
            let name = other.map(ToString::to_string).unwrap_or_default();
            Offer::nothing(format!("{name} stays on: it belongs to no activation alone"))
        }
    }
}
