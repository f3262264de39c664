//! Rendering: pure functions from `&App` to a frame. No channel, no thread, no clock, no file.
//!
//! ```text
//!  majority  training  287/420  ━━━━━━━━──────  loss 0.0442  val 0.0586  acc 98.1%  13.9/s  cpu      status
//!  1 Train  2 Attention  3 Logits ▐4 Neurons▌ 5 Circuits  6 Ablate  ✕ 4 off  ● live @287            tabs
//!  TRAINING FAILED …                                                                 only then        banner
//!  val 0     0                  10                  20                29                              strip
//!  token     1 5 3 6 0 9 6 4 2 3 7 5 2 0 6 8 8 1 1 4 0 6 1 3 9 3 2 6 2▐2▌5 3 7 3 2
//!  label     1 1 1 1 0 0 6 6 6 3 3 3 2 0 6 6 6 6 1 1 0 6 1 1 1 1 1 6 6▐2▌2 2 2 3 2
//!  output    1 1 1 1 0 0 6 6 6 3 3 3 2 0 6 6 6 6 1 1 0 6 1 1 1 1 1 6 6▐2▌2 2 2!2 2
//!  ablated   1 1 1 1 0 0 6 6 6 3 3 3[0]0 6 6 6 6 1 1 0 6 1 1 1 1 1 6 6[6 6 6 3]3[3     if something is off
//!  ── neurons of layer 0 at position 29, by contribution to the label 2 ── trained weights ──
//!   …                                                                                               the view
//!  ← → position  ↑ ↓ neuron  s sort  p pick  space off  …                            ? keys          key line
//! ```
//!
//! One file per panel; panels over positions use the strip's columns, so that they line up with the strip.

mod attention;
mod bars;
mod births;
mod breakdown;
mod chart;
mod circuit_map;
mod circuits;
mod classes;
mod columns;
mod component_map;
mod curves;
mod damage;
mod difference;
mod difference_map;
mod difference_table;
mod doses;
mod edits;
mod effects;
mod examples;
mod glyphs;
mod head_facts;
mod head_list;
mod head_pairs;
mod help;
mod ink;
mod keyline;
mod lens;
mod logit_row;
mod logits;
mod losses;
mod map_axes;
mod measure;
mod neuron_ablations;
mod neuron_lines;
mod neuron_map;
mod neurons;
mod pairs;
mod patch;
mod paths;
mod probes;
mod profile;
mod projection;
mod readout;
mod replaced;
mod spectra;
mod status;
mod strip;
mod table;
mod tabs;
mod target;
mod theme;
mod traces;
mod train;
mod widgets;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::keymap::Key;
use crate::app::views::for_each_view;
use crate::app::{App, Focus};
use crate::inquiry::{Answer, Probe, WeightForm};
use crate::number;
use crate::term::Ground;
use ink::{Ink, lines};
use theme::{Role, Theme};

/// On a narrower screen headings overlap, and numbers cannot be told apart.
const MIN_WIDTH: u16 = 56;
const MIN_HEIGHT: u16 = 10;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    paint(frame.buffer_mut(), app, app.options.ground);
}

/// The current screen as a buffer, at the app's last known size.
pub fn still(app: &App) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    // An exported picture always has a dark background.
    paint(&mut buffer, app, Ground::Dark);
    buffer
}

fn paint(buffer: &mut Buffer, app: &App, ground: Ground) {
    let area = buffer.area;
    let theme = Theme { depth: app.options.depth, glyphs: app.options.glyphs, ground };
    let mut ink = Ink::new(buffer, theme);
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        let needed = format!("too small: {MIN_WIDTH}x{MIN_HEIGHT}");
        ink.text(area, 0, 0, &needed, Role::Plain);
        ink.text(area, 0, 1, "at least, 80x24 is best", Role::Faint);
        return;
    }
    screen(&mut ink, app, area);
    theme.in_its_font(buffer);
}

fn screen(ink: &mut Ink<'_>, app: &App, area: Rect) {
    status::render(ink, app, lines(area, 0, 1));
    tabs::render(ink, app, lines(area, 1, 1));
    let text = status::banner_lines(app, area.width);
    let banner = text.len() as u16;
    status::render_banner(ink, &text, lines(area, 2, banner));
    let body = lines(area, 2 + banner, area.height - 3 - banner);
    // On a very low screen the view has priority over the strip.
    let strip = strip::height(app).min(body.height / 3);
    let panel = lines(body, strip, body.height);
    if let Focus::Help(first) = app.focus {
        help::render(ink, app, body, first);
    } else {
        strip::render(ink, app, lines(body, 0, strip));
        if app.less().is_empty() {
            (look_of(app).render)(ink, app, panel);
        } else {
            difference::render(ink, app, panel);
        }
        // The strip still shows the previous answer, while its heading names the new sequence.
        if app.is_computing() {
            ink.dim(lines(body, 2, strip.saturating_sub(2)));
            let is_of_training = app.view().room().is_of_run;
            ink.computing(if is_of_training { lines(panel, 0, 0) } else { panel });
        }
    }
    // Drawn last: a long message covers the end of the view.
    keyline::render(ink, app, area, panel);
}

/// The drawing functions of a view.
struct Look {
    render: fn(&mut Ink<'_>, &App, Rect),
    /// Keys without effect at this size: the panels to choose from are all visible.
    moot: fn(&App, Rect) -> &'static [Key],
}

macro_rules! looks {
    ($($name:ident),*) => {
        const LOOKS: &[Look] = &[$($name::LOOK),*];
    };
}
for_each_view!(looks);

fn look_of(app: &App) -> &'static Look {
    &LOOKS[app.view.place()]
}

/// Draws a view without numbers, with the reason.
fn nothing_yet(ink: &mut Ink<'_>, app: &App, area: Rect, title: &str) {
    ink.rule(area, 0, title, "");
    let text = match (&app.trainer.failure, app.timeline.current()) {
        (Some(_), None) => "training failed before there were any weights",
        (None, None) if app.is_exploring() => "reading the weights",
        (None, None) => "waiting for the first weights: training is starting",
        (_, Some(_)) => "computing",
    };
    ink.text(area, 2, 2, text, Role::Faint);
}

/// Heading of the circuits' weights: always folded, because a product of weights cannot contain a layer norm.
fn provenance_of_circuits(app: &App) -> String {
    let step = app.studies.maps(app.cursor.head_id()).map_or(0, |(study, _)| study.step());
    if app.is_without_step() { "folded weights".into() } else { format!("step {step}, folded weights") }
}

/// Heading of the weights of a probe.
fn provenance(app: &App, probe: &Probe) -> String {
    provenance_of(app, probe.subject.step(), probe.subject.form)
}

/// Heading of the weights at a step.
fn provenance_of(app: &App, step: usize, form: WeightForm) -> String {
    let form = form.words();
    match &app.options.mode {
        crate::app::Mode::Live => format!("step {step}, {form}"),
        crate::app::Mode::Exploring { weights } if app.is_without_step() => format!("{weights}, {form}"),
        crate::app::Mode::Exploring { weights } => format!("{weights}, step {step}, {form}"),
    }
}

/// Number of sequences of a study, and its step if another step is in view: `410 seq. @282`.
fn taken(app: &App, study: &Answer) -> String {
    format!("{} seq.{}", study.sequences, at_another(app, study.step()))
}

/// ` @282` for figures of that step, if another step is in view.
fn at_another(app: &App, step: usize) -> String {
    let is_stale = app.timeline.current().is_some_and(|current| current.step != step);
    if is_stale { format!(" @{step}") } else { String::new() }
}
