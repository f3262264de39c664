//! `headcount show`: the numbers of the screen without a screen. The app itself answers, so that both are equal.

mod curve;
mod desk;
mod writing;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{EditArgs, KindArg, PlaceArg, ShowArgs, TokensArgs};
use super::output::print_text;
use super::{Failure, edits, input};
use crate::analysis::donors_among;
use crate::app::curves::Fixed;
use crate::app::glossary::{entries, questions};
use crate::app::panels::PanelEntry;
use crate::app::{App, Opening, ViewId};
use crate::figure::{Dim, Figure, NoDifference, Panel, Spec};
use crate::inquiry::ablation::{EDITED_ACCURACY, EDITED_LOSS};
use crate::inquiry::dose::{DOSE_ACCURACY, DOSE_LOSS};
use crate::model::ModelConfig;
use crate::task::Task;
use crate::train::run_dir::WEIGHTS_FILE;
use desk::Desk;
use writing::write;

pub fn run(args: &ShowArgs) -> Result<(), Failure> {
    let Some(what) = args.what.as_deref().filter(|_| !args.list) else {
        return print_text(list().trim_end());
    };
    if what == "curve" {
        return curve::run(args);
    }
    if let Some(more) = &args.curve {
        return Err(Failure::Usage(format!(
            "show {what} {more}: one at a time; `show curve {more}` is over steps"
        )));
    }
    let shown = Shown::find(what).ok_or_else(|| unknown(what))?;
    check(args)?;
    let (mut app, mut panels) = answered(args, &shown, None)?;
    if let Some(minus) = &args.minus {
        let other = without(args, minus)?;
        let is_of = |failure: Failure| match failure {
            Failure::Usage(why) => Failure::Usage(format!("--minus {minus}: {why}")),
            other => other,
        };
        let (other, theirs) = answered(&other, &shown, Some(&app)).map_err(is_of)?;
        panels = difference(&panels, &theirs)?;
        app.subtract(other);
    }
    write(args, &shown, &app, &panels)
}

/// Refuses options that would have no effect.
fn check(args: &ShowArgs) -> Result<(), Failure> {
    let usage = |why: &str| Err(Failure::Usage(why.into()));
    if args.measured.data.data.is_some() && args.measured.weights.is_none() {
        return usage("--data: a run has its own: give --weights");
    }
    if args.measured.seed.is_some() && args.measured.run.is_some() {
        return usage("--seed: a run has its own: give --weights");
    }
    if args.measured.step.is_some() && args.measured.run.is_none() {
        return usage("--step: steps are those of a run: give --run");
    }
    if args.edits.is_empty() && args.kind != KindArg::Zero {
        return usage("--kind: nothing is edited: give --heads or --neurons");
    }
    if args.edits.is_empty() && args.minus.as_deref() == Some("edits=none") {
        return usage("--minus edits=none: nothing is edited: give --heads, --neurons or --pattern");
    }
    let layers = [args.head, args.neuron].map(|place| place.map(|place| layer_of(args, place)));
    match layers {
        [Some(head), Some(neuron)] if head != neuron => {
            usage(&format!("--head and --neuron: layers {head} and {neuron}: the cursor is in one layer"))
        }
        _ => Ok(()),
    }
}

fn layer_of(args: &ShowArgs, place: PlaceArg) -> usize {
    place.layer.unwrap_or(args.edits.layer)
}

/// What to show.
enum Shown {
    View(ViewId),
    Panel(ViewId, &'static PanelEntry),
    /// A complete figure of a question, and a panel with a slice of it.
    Question(ViewId, &'static PanelEntry, &'static Spec),
    /// Numbers over the steps of a run: the name of their question or panel.
    Curve(String),
}

impl Shown {
    fn find(what: &str) -> Option<Self> {
        let view = ViewId::ALL.iter().find(|view| view.title().eq_ignore_ascii_case(what));
        let panel = || entries().find(|(_, entry)| entry.name == what);
        let question = || questions().into_iter().find(|(_, _, spec)| spec.name == what);
        view.map(|view| Self::View(*view))
            .or_else(|| panel().map(|(view, entry)| Self::Panel(view, entry)))
            .or_else(|| question().map(|(view, entry, spec)| Self::Question(view, entry, spec)))
    }

    fn view(&self) -> ViewId {
        match self {
            Self::View(view) | Self::Panel(view, _) | Self::Question(view, ..) => *view,
            Self::Curve(_) => ViewId::ALL[0],
        }
    }

    /// The panels that must be visible.
    fn entries(&self) -> &'static [PanelEntry] {
        match self {
            Self::View(view) => view.room().panels,
            Self::Panel(_, entry) | Self::Question(_, entry, _) => std::slice::from_ref(*entry),
            Self::Curve(_) => &[],
        }
    }

    /// Whether the numbers include random sets.
    fn has_controls(&self) -> bool {
        let all = [&EDITED_LOSS, &EDITED_ACCURACY, &DOSE_LOSS, &DOSE_ACCURACY];
        let are = |spec: &Spec| all.contains(&spec);
        match self {
            Self::Question(.., spec) => are(spec),
            _ => self.entries().iter().flat_map(|entry| entry.questions).any(|spec| are(spec)),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::View(view) => view.title().to_lowercase(),
            Self::Panel(_, entry) => entry.name.into(),
            Self::Question(.., spec) => spec.name.into(),
            Self::Curve(name) => format!("curve of {name}"),
        }
    }
}

fn unknown(what: &str) -> Failure {
    let views = ViewId::ALL.iter().map(|view| view.title().to_lowercase()).collect::<Vec<_>>().join(", ");
    Failure::Usage(format!(
        "show: no view, panel or question is called `{what}`: the views are {views}, --list has the rest"
    ))
}

/// Everything that can be shown: views with their panels, and the glossary of questions.
fn list() -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for view in ViewId::ALL {
        let _ = writeln!(out, "{}", view.title().to_lowercase());
        for entry in view.room().panels {
            let _ = writeln!(out, "  {:20} {}", entry.name, entry.says);
        }
    }
    let _ = writeln!(
        out,
        "\nquestions: the whole array, sliced by --head, --neuron and --position where they are given"
    );
    for (.., spec) in questions() {
        let axes: Vec<&str> = spec.axes.iter().map(|dim| dim.name()).collect();
        let _ = writeln!(out, "  {:24} [{}]\n      {}", spec.name, axes.join(", "), spec.words());
    }
    out
}

/// The app with the view shown and all its questions answered, and the requested panels. An app that is subtracted
/// `from` another has the other's data, cursor and, unless given, tokens.
fn answered(args: &ShowArgs, shown: &Shown, from: Option<&App>) -> Result<(App, Vec<Panel>), Failure> {
    let app = opened(args, shown, from)?.app;
    let panels: Vec<Panel> = shown.entries().iter().filter_map(|entry| (entry.build)(&app)).collect();
    if panels.is_empty() {
        return Err(nothing(shown, &app));
    }
    let panels = match shown {
        Shown::Question(.., spec) => vec![whole(args, spec, &panels[0])?],
        _ => panels,
    };
    Ok((app, panels))
}

/// The app with the view shown and all its questions answered.
fn opened(args: &ShowArgs, shown: &Shown, from: Option<&App>) -> Result<Desk, Failure> {
    let mut desk = Desk::open(args, from)?;
    desk.controls = if shown.has_controls() { args.controls } else { Some(0) };
    let options = &desk.app.options;
    let is_resampled = args.kind == KindArg::Resample;
    if is_resampled && donors_among(&options.dataset, options.seed).is_none() {
        let why = "--kind resample: a validation sequence has no other one that is as long";
        return Err(Failure::Usage(why.into()));
    }
    let opening = opening(args, &options.model, &**options.dataset.task())?;
    let opening = if let Some(app) = from { app.as_here(opening) } else { opening };
    let commands = desk.app.open(shown.view(), opening).map_err(|error| Failure::Usage(error.to_string()))?;
    desk.execute(commands);
    for entry in shown.entries() {
        let commands = desk.app.bring_into_view(entry);
        desk.execute(commands);
    }
    // Every step is read only where nothing else is asked for.
    if let Shown::Panel(_, entry) | Shown::Question(_, entry, _) = shown {
        let commands = desk.app.read_births(entry);
        desk.execute(commands);
    }
    Ok(desk)
}

fn nothing(shown: &Shown, app: &App) -> Failure {
    let (name, room) = (shown.name(), shown.view().room());
    Failure::Usage(format!("show {name}: no numbers: {}", (room.lacks)(app)))
}

/// Most cells of a question that are written.
const MOST_CELLS: usize = 1 << 28;

/// The figure of a question, at the entries given on the command line.
fn whole(args: &ShowArgs, spec: &'static Spec, panel: &Panel) -> Result<Panel, Failure> {
    let (figure, fixed) = fixed(args, spec, panel)?;
    let panel = Panel::of_figure(&figure, &fixed);
    if panel.len() > MOST_CELLS {
        let instead = "its panel has those around the cursor";
        return Err(Failure::Failed(format!(
            "show {}: {:.1e} cells are too many to write: {instead}",
            spec.name,
            panel.len() as f64
        )));
    }
    Ok(panel)
}

/// The figure of a question, and its entries that are given on the command line.
fn fixed(args: &ShowArgs, spec: &'static Spec, panel: &Panel) -> Result<(Arc<Figure>, Fixed), Failure> {
    let figure = panel.columns.iter().map(|column| &column.figure).find(|figure| figure.spec == spec);
    let figure = figure.ok_or_else(|| Failure::Usage(format!("show {}: no numbers here", spec.name)))?;
    let mut fixed = Vec::new();
    for (dim, place) in [(Dim::Head, args.head), (Dim::Neuron, args.neuron)] {
        let Some(place) = place.filter(|_| figure.axis(dim).is_some()) else { continue };
        let (layer, last) = (layer_of(args, place), figure.of.snapshot.config().n_layers - 1);
        if figure.axis(Dim::Layer).is_none() && dim == Dim::Neuron && layer != last {
            return Err(Failure::Usage(format!(
                "--neuron: {} is known of the last layer, {last}",
                spec.name
            )));
        }
        fixed.extend([(Dim::Layer, layer), (dim, place.number)]);
    }
    let position = args.position.into_iter();
    fixed.extend(position.flat_map(|at| [(Dim::Position, at), (Dim::Query, at)]));
    Ok((Arc::clone(figure), fixed))
}

fn difference(panels: &[Panel], others: &[Panel]) -> Result<Vec<Panel>, Failure> {
    let minus = |panel: &Panel| {
        let refuse = |why: String| Failure::Usage(format!("--minus: {}: {why}", panel.name));
        let other = others.iter().find(|other| other.name == panel.name);
        let other = other.ok_or_else(|| refuse("no such numbers there".into()))?;
        match panel.minus(other) {
            // Beside numbers, names stand as they are.
            Err(NoDifference::Names) if panels.len() > 1 => Ok(panel.clone()),
            difference => difference.map_err(|why| refuse(why.to_string())),
        }
    };
    panels.iter().map(minus).collect()
}

/// The request for the panels to subtract.
fn without(args: &ShowArgs, minus: &str) -> Result<ShowArgs, Failure> {
    let usage = |why: &str| Failure::Usage(format!("--minus {minus}: {why}"));
    // The tokens were read already.
    let mut other = ShowArgs { tokens: None, ..args.clone() };
    match minus.split_once('=') {
        Some(("step", step)) => {
            other.measured.step = Some(step.parse().map_err(|_| usage("a step is a whole number"))?);
            args.measured.run.as_ref().ok_or_else(|| usage("steps are those of a run: give --run"))?;
        }
        Some(("tokens", tokens)) => other.tokens = Some(tokens.into()),
        Some(("weights", path)) => {
            let path = PathBuf::from(path);
            let path = if path.is_dir() { path.join(WEIGHTS_FILE) } else { path };
            (other.measured.weights, other.measured.run, other.measured.step) = (Some(path), None, None);
        }
        Some(("edits", "none")) => (other.edits, other.kind) = (EditArgs::default(), KindArg::Zero),
        _ => return Err(usage("one of step=N, tokens=T, weights=FILE, edits=none")),
    }
    Ok(other)
}

/// The position of the cursor, and the state to show.
fn opening(args: &ShowArgs, model: &ModelConfig, task: &dyn Task) -> Result<Opening, Failure> {
    let read = |tokens| input::tokens(&TokensArgs { tokens }, model, task.vocabulary());
    let tokens = args.tokens.clone().map(read).transpose()?;
    let place = |option: &'static str, what, place: Option<PlaceArg>, count| {
        place
            .map(|place| {
                let layer = layer_of(args, place);
                edits::check(option, "layer", layer, model.n_layers)?;
                edits::check(option, what, place.number, count).map(|()| (layer, place.number))
            })
            .transpose()
    };
    let edits = if args.edits.is_empty() {
        None
    } else {
        let requested = edits::requested(&args.edits, args.kind.into(), (model, task))?;
        Some(requested.with_switches())
    };
    Ok(Opening {
        head: place("--head", "head", args.head, model.n_heads)?,
        neuron: place("--neuron", "neuron", args.neuron, model.d_mlp)?,
        position: args.position,
        target: args.target.clone(),
        folded: args.folded,
        step: args.measured.step,
        tokens,
        edits,
    })
}
