//! View 2: what a head attends to.

use std::sync::Arc;

use super::{Room, position, view};
use crate::analysis::class_patterns::ClassPatterns;
use crate::analysis::head_scores::can_repeat;
use crate::app::cursor::PAGE;
use crate::app::keymap::{Binding, DOWN, JOIN, Key, LEFT, Offer, PAGE_DOWN, PAGE_UP, RIGHT, UP, bind};
use crate::app::panels::{PanelEntry, panel};
use crate::app::studies::Asked;
use crate::app::{App, AttentionScale, Patterns};
use crate::figure::{At, Axis, Column, Dim, Factor, Figure, Panel};
use crate::inquiry::attention::{
    ENTROPY, KL_FROM_UNIFORM, MEAN_ENTROPY, MEAN_KL_FROM_UNIFORM, PATTERN, VALUE_NORM,
};
use crate::inquiry::class_patterns::{self, CLASS_PATTERN, CLASS_QUERIES};
use crate::inquiry::heads::{
    self, DUPLICATE_CHANCE, DUPLICATE_SCORE, INDUCTION_CHANCE, INDUCTION_SCORE, MEAN_PATTERN,
    PREVIOUS_CHANCE, PREVIOUS_SCORE, UNIFORM_SCORE,
};
use crate::inquiry::logits::TOKEN;
use crate::inquiry::repeated::{
    self, INDUCTION_REPEATED, INDUCTION_REPEATED_CHANCE, PREVIOUS_REPEATED, PREVIOUS_REPEATED_CHANCE,
};
use crate::inquiry::sources::{self, SOURCE_CONTRIBUTION};
use crate::inquiry::{Probe, Question};
use crate::model::AttentionDirection;
use crate::task::Split;

pub(crate) static ROOM: Room = Room {
    title: "Attention",
    short: "Attn",
    open: bind(&[Key::ch('2')], |_| Offer::act(|app| app.show(view(&ROOM))), "", "attention of a head"),
    keys: KEYS,
    has_key: true,
    has_target: false,
    toggle: |_| Offer::act(App::toggle_head),
    asks,
    prepare: |_| {},
    panels: PANELS,
    focus: |app| match app.settings.patterns {
        Patterns::Sequence => "keys",
        Patterns::Mean => "mean_keys",
        Patterns::Class => "class_grid",
    },
    is_of_run: false,
    lacks: |_| "the heads' averages need a validation set",
};

const PANELS: &[PanelEntry] = &[
    panel!(
        "keys",
        "attention from the cursor's query to each key, by the cursor's head",
        [TOKEN, PATTERN, VALUE_NORM],
        keys,
    ),
    panel!(
        "heads",
        "every head: spread of attention on this sequence, scores over the validation set and on random tokens repeated",
        [
            MEAN_ENTROPY,
            MEAN_KL_FROM_UNIFORM,
            PREVIOUS_SCORE,
            DUPLICATE_SCORE,
            INDUCTION_SCORE,
            UNIFORM_SCORE,
            PREVIOUS_CHANCE,
            DUPLICATE_CHANCE,
            INDUCTION_CHANCE,
            PREVIOUS_REPEATED,
            PREVIOUS_REPEATED_CHANCE,
            INDUCTION_REPEATED,
            INDUCTION_REPEATED_CHANCE
        ],
        heads
    ),
    panel!(
        "queries",
        "how spread the attention of each query is, by the cursor's head",
        [ENTROPY, KL_FROM_UNIFORM],
        queries
    ),
    panel!("grid", "attention of the cursor's head, query by key", [PATTERN, VALUE_NORM], grid),
    panel!(
            "sources",
            "what each key adds to the target at the cursor's query through the cursor's head",
            [SOURCE_CONTRIBUTION],
            sources_here, opened_by: |app| app.settings.attention = AttentionScale::Contribution),
    panel!(
            "mean_keys",
            "the same as keys, of the mean pattern over the validation set",
            [MEAN_PATTERN],
            mean_keys, opened_by: |app| app.settings.patterns = Patterns::Mean),
    panel!(
            "mean_grid",
            "the same as grid, of the mean pattern over the validation set",
            [MEAN_PATTERN],
            mean_grid, opened_by: |app| app.settings.patterns = Patterns::Mean),
    panel!(
        "class_grid",
        "the same as grid, of the mean over the validation set's queries with one class as target",
        [CLASS_PATTERN],
        class_grid, opened_by: |app| app.settings.patterns = Patterns::Class),
    panel!(
        "queries_by_class",
        "how many queries that mean has, by position",
        [CLASS_QUERIES],
        class_queries, opened_by: |app| app.settings.patterns = Patterns::Class),
];

/// Attention relative to uniform attention; `seen` is the number of keys that the query sees, given the leading
/// indices.
fn times_uniform(app: &App, seen: impl Fn(&[usize]) -> usize + Send + Sync + 'static) -> Factor {
    let model = &app.options.model;
    let is_plain = model.attention_dir == AttentionDirection::Causal && model.pad_token.is_none();
    let name = if is_plain { "query+1" } else { "keys seen" };
    Factor { name, value: Arc::new(move |lead| seen(lead) as f64) }
}

/// Attention times the length of the vector that the key's value writes.
fn times_norm(app: &App, probe: &Arc<Probe>, key: fn(&[usize]) -> usize) -> Factor {
    let (norms, edits, id) = (probe.value_norm(), probe.current_edits(), app.cursor.head_id());
    let value =
        move |lead: &[usize]| norms.at(&[edits, id.layer, id.head, key(lead)]).number().unwrap_or(f64::NAN);
    Factor { name: "|v W_O|", value: Arc::new(value) }
}

fn keys(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (query, edits, id) = (app.position_in(probe), probe.current_edits(), app.cursor.head_id());
    let at = [At::Fixed(edits), At::Fixed(id.layer), At::Fixed(id.head), At::Fixed(query), At::Lead(0)];
    let attention = |name| Column::new(name, &probe.pattern(), at.clone());
    let norm = [At::Fixed(edits), At::Fixed(id.layer), At::Fixed(id.head), At::Lead(0)];
    let (end, seen) = (probe.clean.activations.keys.end(query), probe.keys_seen(query));
    let panel = Panel::new("keys", [Axis::counted(Dim::Key, end)])
        .with(Column::new("token", &probe.token(), [At::Lead(0)]))
        .with(attention("attention"))
        .with(attention("times_uniform").times(times_uniform(app, move |_| seen)))
        .with(Column::new("value_norm", &probe.value_norm(), norm))
        .with(attention("attention_times_norm").times(times_norm(app, probe, |lead| lead[0])));
    Some(panel)
}

/// What each key adds to the query's target, of the answered sequence; `None` until known.
pub(crate) fn sources(app: &App) -> Option<Arc<Figure>> {
    let probe = app.answered()?;
    let (answer, found) = app.studies.sources(app.cursor.head_id(), app.cursor.target)?;
    (answer.inquiry.subject == *probe.subject).then(|| sources::figure(answer, found, app.task()))
}

fn sources_here(app: &App) -> Option<Panel> {
    let (figure, probe) = (sources(app)?, app.answered()?);
    let query = app.position_in(probe);
    let end = probe.clean.activations.keys.end(query);
    let panel = Panel::new("sources", [Axis::counted(Dim::Key, end)])
        .with(Column::new("token", &probe.token(), [At::Lead(0)]))
        .with(Column::new("contribution", &figure, [At::Fixed(query), At::Lead(0)]));
    Some(panel)
}

fn queries(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (entropy, kl, id) = (probe.entropy(), probe.kl_from_uniform(), app.cursor.head_id());
    let at = [At::Fixed(probe.current_edits()), At::Fixed(id.layer), At::Fixed(id.head), At::Lead(0)];
    let panel = Panel::new("queries", [entropy.axes[3].clone()])
        .with(Column::new("entropy", &entropy, at.clone()))
        .with(Column::new("kl_from_uniform", &kl, at));
    Some(panel)
}

fn grid(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let id = app.cursor.head_id();
    let at =
        [At::Fixed(probe.current_edits()), At::Fixed(id.layer), At::Fixed(id.head), At::Lead(0), At::Lead(1)];
    let attention = |name| Column::new(name, &probe.pattern(), at.clone());
    let seen_by = Arc::clone(probe);
    let panel = Panel::new("grid", [Dim::Query, Dim::Key].map(|dim| Axis::counted(dim, probe.len())))
        .with(attention("attention"))
        .with(attention("times_uniform").times(times_uniform(app, move |lead| seen_by.keys_seen(lead[0]))))
        .with(attention("attention_times_norm").times(times_norm(app, probe, |lead| lead[1])));
    Some(panel)
}

fn mean_keys(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.heads()?;
    let (figure, id) = (heads::mean_pattern(answer, found), app.cursor.head_id());
    let query = app.cursor.position.min(figure.axes[2].len().saturating_sub(1));
    let at = [At::Fixed(id.layer), At::Fixed(id.head), At::Fixed(query), At::Lead(0)];
    let attention = |name| Column::new(name, &figure, at.clone());
    let seen = app.options.model.attention_dir.end(query, figure.axes[3].len());
    let panel = Panel::new("mean_keys", [Axis::counted(Dim::Key, seen)])
        .with(attention("attention"))
        .with(attention("times_uniform").times(times_uniform(app, move |_| seen)));
    Some(panel)
}

fn mean_grid(app: &App) -> Option<Panel> {
    let (answer, found) = app.studies.heads()?;
    let (figure, id) = (heads::mean_pattern(answer, found), app.cursor.head_id());
    let at = [At::Fixed(id.layer), At::Fixed(id.head), At::Lead(0), At::Lead(1)];
    let attention = |name| Column::new(name, &figure, at.clone());
    let (direction, len) = (app.options.model.attention_dir, figure.axes[3].len());
    let panel = Panel::new("mean_grid", figure.axes[2..].to_vec())
        .with(attention("attention"))
        .with(attention("times_uniform").times(times_uniform(app, move |lead| direction.end(lead[0], len))));
    Some(panel)
}

fn by_class(app: &App) -> Option<([Arc<Figure>; 2], At)> {
    let (answer, found) = app.studies.class_patterns(app.cursor.head_id())?;
    let class = At::Fixed(usize::from(app.target_token()?));
    Some((class_patterns::figures(answer, found, app.options.dataset.task()), class))
}

fn class_grid(app: &App) -> Option<Panel> {
    let ([figure, _], class) = by_class(app)?;
    let panel = Panel::new("class_grid", figure.axes[1..].to_vec());
    Some(panel.with(Column::new("attention", &figure, [class, At::Lead(0), At::Lead(1)])))
}

fn class_queries(app: &App) -> Option<Panel> {
    let ([_, figure], class) = by_class(app)?;
    let panel = Panel::new("queries_by_class", figure.axes[1..].to_vec());
    Some(panel.with(Column::new("queries", &figure, [class, At::Lead(0)])))
}

/// Two figures of this sequence's patterns, and the scores, which cover the validation set.
pub(crate) fn heads(app: &App) -> Option<Panel> {
    let probe = app.answered()?;
    let (entropy, kl) = (probe.mean_entropy(), probe.mean_kl_from_uniform());
    let mean = [At::Fixed(probe.current_edits()), At::Lead(0), At::Lead(1)];
    let panel = Panel::new("heads", entropy.axes[1..].to_vec())
        .with(Column::new("mean_entropy_this_sequence", &entropy, mean.clone()))
        .with(Column::new("mean_kl_from_uniform_this_sequence", &kl, mean));
    let scores = app.studies.heads().map(|(answer, found)| heads::scores(answer, found));
    let score = |figure: Arc<Figure>| Column::new(figure.spec.name, &figure, [At::Lead(0), At::Lead(1)]);
    let repeated = app.studies.repeated().map(|(answer, found)| repeated::scores(answer, found));
    let panel = panel.and(scores.into_iter().flatten().map(score));
    Some(panel.and(repeated.into_iter().flatten().map(score)))
}

const KEYS: &[Binding] = &[
    bind(LEFT, |_| key(-1), "key", "the previous key"),
    bind(RIGHT, |_| key(1), JOIN, "the next key"),
    bind(UP, |_| position(-1), "query", "the previous query (position)"),
    bind(DOWN, |_| position(1), JOIN, "the next query (position)"),
    bind(PAGE_UP, |_| position(-PAGE), "", "ten queries up"),
    bind(PAGE_DOWN, |_| position(PAGE), "", "ten queries down"),
    bind(
        &[Key::ch('x')],
        |_| Offer::set(|app| app.settings.attention = app.settings.attention.next()),
        "scale",
        "scale: attention, x uniform, x |v W_O|, added to the target",
    ),
    bind(&[Key::ch('z')], |_| zoom(1), "zoom", "zoom in"),
    bind(&[Key::ch('Z')], |_| zoom(-1), JOIN, "zoom out"),
    bind(
        &[Key::ch('a')],
        |_| Offer::act(|app| app.replace_patterns(false)),
        "attend",
        "the head attends by itself, uniformly, to itself, to before",
    ),
    bind(&[Key::ch('A')], |_| Offer::act(|app| app.replace_patterns(true)), JOIN, "the same for every head"),
    bind(
        &[Key::ch('v')],
        |_| Offer::set(|app| app.settings.patterns = app.settings.patterns.next()),
        "mean",
        "this sequence's pattern, the set's mean, or by target (T t)",
    ),
];

/// Larger tables of patterns by class are not computed, in bytes: each thread has one.
const MOST_CLASS_BYTES: u128 = 64 << 20;

fn asks(app: &App) -> Vec<Asked> {
    let off = &app.ablation.off;
    let heads = app.of_validation().map(|subject| (subject.edited(off), Question::Heads));
    let snapshot = app.timeline.current().filter(|snapshot| can_repeat(snapshot.config()));
    let repeated = snapshot.map(|snapshot| (app.subject(snapshot, app.form).edited(off), Question::Repeated));
    // The effect of replaced patterns is shown in this view, where they are replaced.
    let edits = app.of_edits().filter(|_| !off.patterns.is_empty());
    let probe = app.answered().filter(|_| app.settings.attention == AttentionScale::Contribution);
    let (head, target) = (app.cursor.head_id(), app.cursor.target);
    let sources = probe.map(|probe| ((*probe.subject).clone(), Question::Sources { head, target }));
    let len = app.options.dataset.longest(Split::Validation);
    let fits = || ClassPatterns::bytes(&app.options.model, len) <= MOST_CLASS_BYTES;
    let subject = app.of_validation().filter(|_| app.settings.patterns == Patterns::Class && fits());
    let by_class = subject.map(|of| (of.edited(off), Question::ClassPatterns(app.cursor.head_id())));
    heads.into_iter().chain(repeated).chain(edits).chain(sources).chain(by_class).collect()
}

fn key(by: isize) -> Offer {
    Offer::set(move |app| app.move_key(by))
}

fn zoom(by: isize) -> Offer {
    Offer::set(move |app| app.settings.zoom = app.settings.zoom.by(by))
}
