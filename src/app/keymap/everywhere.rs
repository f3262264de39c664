//! The keys that every view has.

use crossterm::event::KeyCode;

use super::{Binding, JOIN, Key, Offer, bind};
use crate::app::{App, Command, Notice, PickerKind};

/// Keys for the terminal itself, in every focus.
pub(super) const TERMINAL: &[Key] = &[Key::ctrl('l'), Key::ctrl('z')];

/// An offer that needs edits; otherwise says `why`.
fn if_edited(app: &App, why: &'static str, offer: fn() -> Offer) -> Offer {
    if app.ablation.off.is_empty() { Offer::nothing(why) } else { offer() }
}

/// The key table; the most common keys come first: the key line shows as many as fit.
pub(super) const KEYS: &[Binding] = &[
    bind(
        &[Key::ch('R')],
        App::rescue_offer,
        "rescue",
        "save elsewhere what cannot be saved here, and go on there",
    ),
    bind(
        &[Key::ch(' ')],
        |app| (app.view.room().toggle)(app),
        "off/on",
        "switch the component or cell under the cursor off or on",
    ),
    bind(
        &[Key::ch('u')],
        |app| if_edited(app, "nothing is off", || Offer::act(App::clear)),
        "clear",
        "switch everything on again",
    ),
    bind(&[Key::ch('U')], App::restorable, JOIN, "switch off again what was last cleared"),
    bind(
        &[Key::ch('m')],
        |app| Offer::act(App::cycle_kind).hinted_if(!app.ablation.off.is_empty()),
        "zero/mean",
        "ablate to zero, the mean, by position, or resample",
    ),
    bind(
        &[Key::ch('d')],
        |app| {
            let why = "nothing is off: space switches off the head or neuron under the cursor";
            if_edited(app, why, || Offer::set(|app| app.settings.diff = !app.settings.diff))
        },
        "diff",
        "show or hide the line of predictions with the ablation",
    ),
    bind(
        &[Key::ch('t')],
        |app| Offer::set(|app| app.aim(app.next_target())).hinted_if(app.view.room().has_target),
        "target",
        "target: label, prediction, label minus runner-up, token",
    ),
    bind(
        &[Key::ch('T')],
        |app| {
            let pick = Offer::set(|app| app.pick_from(PickerKind::Target));
            pick.hinted_if(app.view.room().has_target)
        },
        JOIN,
        "target: a class to choose, first the one of this token",
    ),
    bind(
        &[Key::ch('[')],
        |app| scrub_offer(app, "there is no earlier snapshot", |app| app.timeline.back()),
        "step",
        "the previous snapshot",
    ),
    bind(
        &[Key::ch(']')],
        |app| scrub_offer(app, "this is the newest snapshot", |app| app.timeline.forward()),
        JOIN,
        "the next snapshot; after the newest, follow the run",
    ),
    bind(
        &[Key::ch('{')],
        |app| scrub_offer(app, "there is no snapshot yet", |app| app.timeline.first()),
        "",
        "the first snapshot",
    ),
    bind(
        &[Key::ch('}')],
        |app| scrub_offer(app, "this is the newest snapshot", |app| app.timeline.follow()),
        "",
        "follow the run",
    ),
    bind(
        &[Key::ch('f')],
        |app| {
            let offer = look("there is no snapshot yet", |app| app.timeline.toggle_freeze());
            offer.hinted_if(!app.is_exploring())
        },
        "freeze",
        "keep this snapshot in view; again: follow the run",
    ),
    bind(
        &[Key::ch('F')],
        |_| Offer::act(App::switch_form),
        "fold",
        "trained weights, or the same with their layer norms folded in",
    ),
    bind(
        &[Key::ch('*')],
        |app| app.if_numbers(App::pick_cell).hinted_if(false),
        "",
        "a cell under the cursor over all steps, in view 1",
    ),
    bind(
        &[Key::ch('-')],
        |app| Offer::act(App::remember).hinted_if(app.remembers()),
        "less",
        "remember this subject: any other is then shown less it",
    ),
    bind(&[Key::ch('i')], |_| Offer::set(App::start_typing), "edit", "type tokens over the sequence"),
    bind(
        &[Key::ch('y')],
        |app| app.if_numbers(App::copy),
        "copy",
        "copy the focused numbers as CSV to the terminal's clipboard",
    ),
    bind(
        &[Key::ch('e')],
        |app| app.if_numbers(App::export),
        "export",
        "write the numbers as CSV and JSON, and the view as SVG",
    ),
    bind(&[Key::ch('r')], |_| Offer::act(App::random_sequence), "random", "a new random sequence"),
    bind(
        &[Key::ch('n')],
        |_| Offer::act(|app| app.validation_sequence(1)),
        "next",
        "the next validation sequence that passes the filter",
    ),
    bind(
        &[Key::ch('N')],
        |_| Offer::act(|app| app.validation_sequence(-1)),
        JOIN,
        "the previous validation sequence that passes the filter",
    ),
    bind(
        &[Key::ch('/')],
        |app| {
            if app.has_data() {
                Offer::set(|app| app.pick_from(PickerKind::Filter))
            } else {
                Offer::nothing("there is no validation set to filter")
            }
        },
        "filter",
        "filter of n N w W: a class, a token or a situation",
    ),
    bind(
        &[Key::code(KeyCode::Home), Key::ch('0')],
        |_| Offer::set(|app| app.set_position(0)),
        "",
        "the first position",
    ),
    bind(
        &[Key::code(KeyCode::End), Key::ch('$')],
        |_| Offer::set(|app| app.set_position(usize::MAX)),
        "",
        "the last position",
    ),
    bind(
        &[Key::ch('w')],
        |_| Offer::act(|app| app.jump_to_wrong(1)),
        "wrong",
        "the next wrong prediction, here or in the validation set",
    ),
    bind(&[Key::ch('W')], |_| Offer::act(|app| app.jump_to_wrong(-1)), JOIN, "the previous wrong prediction"),
    bind(
        &[Key::ch('c')],
        |app| if_edited(app, "nothing is off", || Offer::act(|app| app.jump_to_changed(1))),
        "changed",
        "the next position that the ablation changes",
    ),
    bind(
        &[Key::ch('C')],
        |app| if_edited(app, "nothing is off", || Offer::act(|app| app.jump_to_changed(-1))),
        JOIN,
        "the previous changed position",
    ),
    bind(
        &[Key::ch('.')],
        |_| Offer::set(|app| app.move_head(1)),
        "",
        "the next head, then the next layer's first",
    ),
    bind(&[Key::ch(',')], |_| Offer::set(|app| app.move_head(-1)), "", "the previous head"),
    bind(&[Key::ch('>')], |_| Offer::set(|app| app.move_layer(1)), "", "the next layer"),
    bind(&[Key::ch('<')], |_| Offer::set(|app| app.move_layer(-1)), "", "the previous layer"),
    bind(&[Key::code(KeyCode::Tab)], |_| Offer::act(|app| app.show(app.view.next(1))), "", "the next view"),
    bind(
        &[Key::code(KeyCode::BackTab)],
        |_| Offer::act(|app| app.show(app.view.next(-1))),
        "",
        "the previous view",
    ),
    bind(
        &[Key::code(KeyCode::Enter)],
        |app| {
            let offer = Offer::act(App::refresh);
            if app.is_stale() {
                offer
            } else if app.is_validated_before() {
                offer.hinted_if(false)
            } else {
                Offer::nothing("nothing here is of an earlier step")
            }
        },
        "refresh",
        "take the figures over the validation set again, at this step",
    ),
    bind(&[Key::ch('P')], |app| app.trainer_offer(false), "pause", "pause training, or go on"),
    bind(&[Key::ch('S')], |app| app.trainer_offer(true), JOIN, "train one step and wait"),
    bind(&[Key::ch('?')], |_| Offer::set(App::show_help), "", "this list"),
    bind(&[Key::ctrl('l')], |_| Offer::act(|_| vec![Command::Repaint]), "", "draw the screen again"),
    bind(
        &[Key::ctrl('z')],
        |_| Offer::act(|_| vec![Command::Suspend]),
        "",
        "back to the shell; training goes on, fg returns",
    ),
    bind(
        &[Key::code(KeyCode::Esc)],
        |_| Offer::set(|app| app.inquiry_failure = None),
        "",
        "take back a question or a message",
    ),
    bind(
        &[Key::ch('q')],
        |_| Offer::act(App::ask_to_quit),
        "quit",
        "save and quit; while training it asks once",
    ),
    bind(&[Key::ctrl('c')], |_| Offer::act(App::quit), "", "save and quit without asking"),
];

/// Goes to another snapshot; without one, says why.
fn look(why: &'static str, change: fn(&mut App) -> bool) -> Offer {
    Offer::act(move |app| if change(app) { app.look_again() } else { app.say(Notice::info(why)) })
}

/// [`look`], hinted only if there are several snapshots.
fn scrub_offer(app: &App, why: &'static str, change: fn(&mut App) -> bool) -> Offer {
    look(why, change).hinted_if(app.timeline.all().nth(1).is_some())
}
